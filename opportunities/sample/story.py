"""How each deal of the sample came to be what it is: acts at their moments, from a seed, the same on every machine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from opportunities import activity, customers, lifecycle, pipeline
from opportunities.access import Person
from opportunities.models import (
    ActionItem,
    Contact,
    Customer,
    OpportunityStage,
    OpportunityStatus,
    OpportunityType,
    Reason,
)
from opportunities.sample.deals import NOTES, Buyer, Deal
from opportunities.sample.papers import LOOSE, PAPERS, Paper
from opportunities.sample.paperwork import Paperwork

type Act = Callable[[datetime], object]


@dataclass
class Cast:
    """Who and what the acts speak of."""

    people: dict[str, Person]
    stages: list[OpportunityStage]
    types: dict[str, OpportunityType]
    statuses: dict[str, OpportunityStatus]
    reasons: dict[str, Reason]
    tax_rate_id: int
    zone: ZoneInfo
    now: datetime
    random: Random
    buyers: dict[str, Buyer]
    customers: dict[str, Customer] = field(default_factory=dict)
    contacts: dict[str, list[Contact]] = field(default_factory=dict)

    @property
    def today(self) -> date:
        """The business's local day."""
        return self.now.astimezone(self.zone).date()

    def at_work(self, days_ago: int) -> datetime:
        """A moment in the working hours of that day, or of the Friday before; today, some minutes ago."""
        if days_ago <= 0:
            return self.now - timedelta(minutes=self.random.randint(10, 50))
        day = self.today - timedelta(days=days_ago)
        day -= timedelta(days=max(0, day.weekday() - 4))
        moment = time(self.random.randint(8, 16), self.random.randint(0, 59), self.random.randint(0, 59))
        return datetime.combine(day, moment, self.zone)


def midnights(cast: Cast, days: int) -> Iterator[datetime]:
    """The moments of the nightly runs, the oldest first."""
    for ago in range(days, -1, -1):
        moment = datetime.combine(cast.today - timedelta(days=ago), time(0, 5), cast.zone)
        if moment < cast.now:
            yield moment


def welcome(cast: Cast, buyer: Buyer, at: datetime) -> None:
    """Make a customer with its contacts."""
    person = cast.people["mark"]
    number = cast.random.randint(110, 199)
    customer = customers.create(
        name=buyer.name,
        kind=Customer.Kind.PERSON if buyer.is_person else Customer.Kind.FIRM,
        email=f"{'hello' if buyer.is_person else 'office'}@{buyer.mail}",
        phone=f"(207) 555-0{number}",
        address=f"{buyer.street}\nPortland, ME",
        actor=person,
        now=at,
    )
    cast.customers[buyer.name] = customer
    cast.contacts[buyer.name] = [
        customers.add_contact(
            customer_id=customer.pk,
            name=name,
            role=role,
            email=f"{name.split()[-1].lower()}@{buyer.mail}",
            phone=f"(207) 555-0{cast.random.randint(110, 199)}",
            actor=person,
            now=at,
        )
        for name, role in buyer.contacts
    ]


def papers_of(
    cast: Cast, buyer: str, *, kind: str, item: str, amount: str, card_id: int | None, actor: Person
) -> Paperwork:
    """Open the file in which a deal's documents are made."""
    customer = cast.customers[buyer]
    contacts = cast.contacts[buyer]
    people = [{"name": each.name, "email": each.email, "contact_id": each.pk} for each in contacts]
    return Paperwork(
        customer_id=customer.pk,
        card_id=card_id,
        kind=kind,
        item=item,
        amount=Decimal(amount),
        tax_rate_id=cast.tax_rate_id,
        people=people or [{"name": customer.name, "email": customer.email}],
        actor=actor,
        manager=cast.people["mark"],
        today=cast.today,
    )


def loose_papers(cast: Cast) -> Iterator[tuple[datetime, Act]]:
    """Two documents that belong to no card: a quote and a job, made before anybody entered the deal."""

    def making(do: str, buyer: str, title: str, kind: str, item: str, amount: str) -> Act:
        def act(now: datetime) -> None:
            actor = cast.people["mark"]
            file = papers_of(cast, buyer, kind=kind, item=item, amount=amount, card_id=None, actor=actor)
            file.do(Paper(0, do, do[0], {"title": title}), now)

        return act

    for do, (buyer, title, kind, item, amount, ago) in zip(("quote", "job"), LOOSE, strict=True):
        yield cast.at_work(ago), making(do, buyer, title, kind, item, amount)


class Story:
    """The acts of one deal. Each knows the card by the number that its creation got."""

    def __init__(self, cast: Cast, deal: Deal) -> None:
        self.cast, self.deal = cast, deal
        self.card_id = 0
        self.owner = deal.owner.removesuffix("<")
        # What belongs to nobody is looked after by the manager.
        self.actor = cast.people[self.owner or "mark"]
        self.due = None if deal.due is None else cast.today + timedelta(days=deal.due)
        self.paperwork: Paperwork | None = None

    def acts(self) -> Iterator[tuple[datetime, Act]]:
        """Every act with its moment. A day's acts keep the order of the plan."""
        earliest = None
        for ago, act in sorted(self._plan(), key=lambda each: -each[0]):
            moment = self.cast.at_work(ago)
            if earliest is not None:
                moment = max(moment, earliest)
            earliest = moment + timedelta(minutes=1)
            yield moment, act

    def _plan(self) -> list[tuple[int, Act]]:
        """What was done, and how many days ago."""
        deal = self.deal
        last = deal.ended or deal.archived
        plan: list[tuple[int, Act]] = [(deal.age, self.create)]
        if deal.owner.endswith("<"):
            plan.append((max(deal.age - 1, 1), self.take))
        if deal.done:
            plan += [(deal.age - 3, self.plan_first), (max(last, deal.age - 9, 1), self.finish_first)]
        if deal.steps and deal.age > 4:
            plan.append((deal.age - 2, self.note(0)))
        for step in range(1, deal.steps):
            ago = deal.age - (deal.age - last) * step * 4 // (deal.steps * 5)
            plan += [(ago, self.enter(step)), (max(last, ago - 1), self.note(step))]
        if deal.slipped:
            plan.append((max(last, deal.age // 3), self.put_off))
        if deal.action:
            plan.append((min(deal.age - 1, max(2, 3 - deal.action[1])), self.plan_next(*deal.action)))
        if deal.title in PAPERS:
            plan += [(paper.ago, self.paper(paper)) for paper in PAPERS[deal.title].steps]
        return plan + self._end()

    def _end(self) -> list[tuple[int, Act]]:
        """How it ended, and when it was put away."""
        deal = self.deal
        if deal.ending in {"void", "canceled"}:
            return [(deal.ended, self.close)]
        ends: list[tuple[int, Act]] = [(deal.ended, self.decide)] if deal.ending else []
        return [*ends, (deal.archived, self.put_away)] if deal.archived else ends

    def paper(self, paper: Paper) -> Act:
        """Do something with a document of the deal."""

        def act(now: datetime) -> None:
            if self.paperwork is None:
                self.paperwork = papers_of(
                    self.cast,
                    self.deal.buyer,
                    kind=self.deal.kind,
                    item=PAPERS[self.deal.title].item,
                    amount=self.deal.amount,
                    card_id=self.card_id,
                    actor=self.actor,
                )
            self.paperwork.do(paper, now)

        return act

    def close(self, now: datetime) -> None:
        """Void or cancel the card with all that is attached to it."""
        verb = lifecycle.void if self.deal.ending == "void" else lifecycle.cancel
        reason = self.cast.reasons[self.deal.reason]
        archive = bool(self.deal.archived)
        verb(opportunity_id=self.card_id, reason_id=reason.pk, archive=archive, actor=self.actor, now=now)

    def create(self, now: datetime) -> None:
        """Enter the deal, dated as it was first promised."""
        deal, cast = self.deal, self.cast
        buyer = deal.buyer
        if buyer not in cast.customers:
            welcome(cast, cast.buyers[buyer], now)
        contacts = cast.contacts[buyer]
        card = pipeline.create(
            title=deal.title,
            customer_ids=[cast.customers[buyer].pk],
            contact_ids=[contacts[0].pk] if contacts else [],
            stage_id=cast.stages[0].pk if deal.steps else None,
            salesperson_id=self.actor.pk if deal.owner == self.owner != "" else None,
            type_id=cast.types[deal.kind].pk,
            amount=Decimal(deal.amount) if deal.amount else None,
            forecast_date=self.due and self.due - timedelta(days=deal.slipped),
            actor=self.actor,
            now=now,
        )
        self.card_id = card.pk

    def take(self, now: datetime) -> None:
        """Take a card that belonged to nobody."""
        pipeline.edit(opportunity_id=self.card_id, salesperson_id=self.actor.pk, actor=self.actor, now=now)

    def enter(self, step: int) -> Act:
        """Move on to a later stage; one in three goes to the top of it."""
        stage = self.cast.stages[step]
        to_top = self.cast.random.random() < 0.34

        def act(now: datetime) -> None:
            first = stage.opportunities.on_board().order_by("rank", "pk").first() if to_top else None
            pipeline.move(
                opportunity_id=self.card_id,
                stage_id=stage.pk,
                before_id=first.pk if first else None,
                actor=self.actor,
                now=now,
            )

        return act

    def note(self, step: int) -> Act:
        """Write down what was said in that stage."""
        contacts = self.cast.buyers[self.deal.buyer].contacts
        person = contacts[0][0] if contacts else self.deal.buyer
        text = self.cast.random.choice(NOTES[step]).format(person=person, firm=self.deal.buyer)
        return lambda now: activity.add_note(opportunity_id=self.card_id, text=text, actor=self.actor, now=now)

    def plan_first(self, now: datetime) -> None:
        """Plan what was done since."""
        self._plan_action(self.deal.done, now.astimezone(self.cast.zone).date() + timedelta(days=5), now)

    def finish_first(self, now: datetime) -> None:
        """Tick off what was planned first."""
        item = ActionItem.objects.filter(opportunity_id=self.card_id, text=self.deal.done).get()
        activity.finish_action(action_id=item.pk, actor=self.actor, now=now)

    def put_off(self, now: datetime) -> None:
        """Promise the later day."""
        pipeline.set_forecast_date(opportunity_id=self.card_id, forecast_date=self.due, actor=self.actor, now=now)

    def plan_next(self, text: str, days: int) -> Act:
        """Plan what is to be done next."""
        due_on = self.cast.today + timedelta(days=days)
        return lambda now: self._plan_action(text, due_on, now)

    def _plan_action(self, text: str, due_on: date, now: datetime) -> None:
        activity.add_action(
            opportunity_id=self.card_id,
            text=text,
            due_on=due_on,
            assignee_id=self.actor.pk,
            actor=self.actor,
            now=now,
        )

    def decide(self, now: datetime) -> None:
        """Say by hand how it ended."""
        reason = self.cast.reasons.get(self.deal.reason)
        pipeline.set_status(
            opportunity_id=self.card_id,
            status_id=self.cast.statuses[self.deal.ending].pk,
            reason_id=reason.pk if reason else None,
            actor=self.actor,
            now=now,
        )

    def put_away(self, now: datetime) -> None:
        """Archive the card."""
        lifecycle.archive(opportunity_id=self.card_id, actor=self.actor, now=now)
