"""How the documents of a sample deal came to be: each act by its verb, at its moment."""

from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from opportunities import agreements, jobs, quotes
from opportunities.access import Person
from opportunities.models import Agreement, Job, Payment, PaymentState, Reason, Recipient
from opportunities.sample.papers import AGREEMENT_TEXT, LABOR, MATERIALS, TERMS, Paper

CENT = Decimal("0.01")


def lines_for(kind: str, item: str, amount: Decimal, tax_rate_id: int | None) -> list[dict[str, Any]]:
    """Break an amount down into the thing itself, what goes into the work, and the hours; they add up to it."""
    goods, piece = MATERIALS[kind][0], Decimal(MATERIALS[kind][1])
    work, hour = LABOR[kind][0], Decimal(LABOR[kind][1])
    hours = max(1, int(amount * Decimal("0.27") / hour))
    pieces = max(1, int(amount * Decimal("0.11") / piece))
    rest = amount - hours * hour - pieces * piece
    if kind == "Maintenance plan":
        visits = max(4, int(rest / 900))
        visit = (rest / visits).quantize(Decimal(1), rounding=ROUND_HALF_UP)
        main = {"kind": "service", "description": item, "quantity": visits, "unit_price": visit}
    else:
        main = {"kind": "product", "description": item, "quantity": 1, "unit_price": rest}
    return [
        {**main, "tax_rate_id": tax_rate_id if main["kind"] == "product" else None},
        {
            "kind": "material",
            "description": goods,
            "quantity": pieces,
            "unit_price": piece,
            "tax_rate_id": tax_rate_id,
        },
        {"kind": "service", "description": work, "quantity": hours, "unit_price": hour},
    ]


class Paperwork:
    """The documents of one deal, by the letters that its table calls them by."""

    def __init__(
        self,
        *,
        customer_id: int,
        card_id: int | None,
        kind: str,
        item: str,
        amount: Decimal,
        tax_rate_id: int | None,
        people: list[dict[str, Any]],
        actor: Person,
        manager: Person,
        today: date,
    ) -> None:
        self.customer_id, self.card_id = customer_id, card_id
        self.kind, self.item, self.amount, self.tax_rate_id = kind, item, amount, tax_rate_id
        self.people, self.actor, self.manager, self.today = people, actor, manager, today
        self.ids: dict[str, int] = {}

    def do(self, paper: Paper, now: datetime) -> None:
        """Do one act of the table."""
        getattr(self, paper.do)(paper.key, now, **paper.given)

    def _on(self, days: int | None) -> date | None:
        return None if days is None else self.today + timedelta(days=days)

    def _lines(self, share: str = "1") -> list[dict[str, Any]]:
        amount = (self.amount * Decimal(share)).quantize(Decimal(10), rounding=ROUND_HALF_UP)
        return lines_for(self.kind, self.item, amount, self.tax_rate_id)

    # Quotes

    def quote(
        self,
        key: str,
        now: datetime,
        *,
        valid: int | None = 25,
        service: int | None = None,
        share: str = "1",
        empty: bool = False,
        title: str = "",
    ) -> None:
        """Make a quote."""
        made = quotes.create(
            customer_id=self.customer_id,
            opportunity_id=self.card_id,
            lines=() if empty else self._lines(share),
            valid_until=self._on(valid),
            service_date=self._on(service),
            terms=TERMS,
            title=title,
            actor=self.actor,
            now=now,
        )
        self.ids[key] = made.pk

    def submit(self, key: str, now: datetime) -> None:
        """Hand the quote to the customer."""
        quotes.submit(quote_id=self.ids[key], actor=self.actor, now=now)

    def revise(self, key: str, now: datetime, *, share: str) -> None:
        """Calculate the quote again."""
        quotes.revise(quote_id=self.ids[key], lines=self._lines(share), actor=self.actor, now=now)

    def accept(self, key: str, now: datetime) -> None:
        """Hear the customer say yes."""
        quotes.accept(quote_id=self.ids[key], actor=self.actor, now=now)

    def decline(self, key: str, now: datetime, *, note: str) -> None:
        """Hear the customer say no."""
        quotes.decline(quote_id=self.ids[key], note=note, actor=self.actor, now=now)

    def void(self, key: str, now: datetime, *, reason: str) -> None:
        """Void the quote."""
        chosen = Reason.objects.get(list=Reason.List.VOID, label=reason)
        quotes.void(quote_id=self.ids[key], reason_id=chosen.pk, actor=self.actor, now=now)

    def archive(self, key: str, now: datetime) -> None:
        """Put the quote away."""
        quotes.archive(quote_id=self.ids[key], actor=self.actor, now=now)

    def convert(self, key: str, now: datetime) -> None:
        """Make a job of the quote."""
        self.ids["j"] = quotes.convert(quote_id=self.ids[key], actor=self.actor, now=now).pk

    # Agreements

    def agreement(
        self, key: str, now: datetime, *, valid: int, signers: int = 1, kind: str = Agreement.Kind.AGREEMENT.value
    ) -> None:
        """Write an agreement."""
        made = agreements.create(
            customer_id=self.customer_id,
            opportunity_id=self.card_id,
            kind=kind,
            recipients=self.people[:signers],
            text=AGREEMENT_TEXT,
            valid_until=self._on(valid),
            lines=self._lines(),
            actor=self.actor,
            now=now,
        )
        self.ids[key] = made.pk

    def send(self, key: str, now: datetime) -> None:
        """Send the agreement to its signers."""
        agreements.submit(agreement_id=self.ids[key], actor=self.actor, now=now)

    def sign(self, key: str, now: datetime, *, signer: int) -> None:
        """Receive a signature."""
        self._answer(key, now, signer, accepted=True)

    def reject(self, key: str, now: datetime) -> None:
        """Receive a refusal."""
        self._answer(key, now, 0, accepted=False, note="The board wants a cheaper way first.")

    def _answer(self, key: str, now: datetime, signer: int, *, accepted: bool, note: str = "") -> None:
        recipient = Recipient.objects.filter(agreement=self.ids[key]).order_by("pk")[signer]
        answer: dict[str, Any] = {"accepted": accepted, "name": recipient.name, "note": note}
        agreements.respond(recipient_id=recipient.pk, **answer, actor=self.actor, now=now)

    def replace(self, key: str, now: datetime) -> None:
        """Take the agreement back and write it again."""
        self.ids[f"{key}2"] = agreements.replace(agreement_id=self.ids[key], actor=self.actor, now=now).pk

    # Jobs

    def job(
        self, key: str, now: datetime, *, service: int | None = None, confirmed: bool = True, title: str = ""
    ) -> None:
        """Take an order without a quote."""
        made = jobs.create(
            customer_id=self.customer_id,
            opportunity_id=self.card_id,
            lines=self._lines(),
            service_date=self._on(service),
            confirmed=confirmed,
            title=title,
            actor=self.actor,
            now=now,
        )
        self.ids[key] = made.pk

    def deliver(self, key: str, now: datetime, *, share: str) -> None:
        """Use up a part of the goods: all of them, or the materials only."""
        part = Decimal(share)
        for line in self._job(key).lines.exclude(kind="service"):
            done = line.quantity if part == 1 else (line.quantity * part).to_integral_value(rounding=ROUND_HALF_UP)
            more = min(done, line.quantity) - line.fulfilled_quantity
            if more > 0:
                jobs.fulfil(line_id=line.pk, quantity=more, actor=self.actor, now=now)

    def complete(self, key: str, now: datetime) -> None:
        """Finish the work."""
        jobs.complete(job_id=self.ids[key], actor=self.actor, now=now)

    def pay(self, key: str, now: datetime, *, share: str) -> None:
        """Take money: a share of the total; the last payment takes what is left."""
        job = self._job(key)
        wanted = (job.total * Decimal(share)).quantize(CENT, rounding=ROUND_HALF_UP)
        amount = min(wanted, job.total - job.paid)
        jobs.take_payment(job_id=job.pk, amount=amount, actor=self.actor, now=now)

    def refund(self, key: str, now: datetime) -> None:
        """Give all the money back, as only a manager may."""
        for payment in Payment.objects.filter(job=self.ids[key], state=PaymentState.SUCCEEDED):
            jobs.refund(payment_id=payment.pk, amount=payment.amount, actor=self.manager, now=now)

    def _job(self, key: str) -> Job:
        return Job.objects.get(pk=self.ids[key])
