"""A sample business to try the product with: people, customers and some sixty deals, made by the verbs day by day.

Its people have passwords that everybody knows. So it is only ever made in a database where nothing else is, and a mark
in that database says so.
"""

from datetime import datetime, timedelta
from random import Random

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils.translation import gettext as _

from opportunities import lapsing, reminders, sweep
from opportunities.access import GROUPS, Person, Role
from opportunities.models import (
    BusinessSettings,
    Customer,
    FilledTable,
    Notice,
    Opportunity,
    OpportunityStage,
    OpportunityStatus,
    OpportunityType,
    Reason,
    TaxRate,
)
from opportunities.sample.deals import BUSINESS, BUYERS, DEALS, SELLERS, TYPES
from opportunities.sample.papers import TAX_RATES
from opportunities.sample.story import Act, Cast, Story, loose_papers, midnights

MARK = "sample"
PASSWORD = "stageboard"  # noqa: S105  (known to everybody, and printed at the start)
SEED = 1042
DAYS = 92


class NotFresh(Exception):
    """The database holds something already, or lacks the starter setup; the message says what."""


def is_sample() -> bool:
    """Tell whether this database holds the sample business."""
    return FilledTable.objects.filter(table=MARK).exists()


def demo_logins() -> list[tuple[str, str, str]]:
    """Name, password and role of the demo people; none in a database that is no sample."""
    if not is_sample():
        return []
    present = set(User.objects.filter(is_active=True).values_list("username", flat=True))
    return [(each.username, PASSWORD, each.role) for each in SELLERS if each.username in present]


@transaction.atomic
def fill(now: datetime) -> int:
    """Make the sample business as it stands at that moment. Returns the number of cards.

    :raises NotFresh: there is anything but the starter setup.
    """
    require_fresh()
    FilledTable.objects.create(table=MARK, at=now)
    BusinessSettings.objects.filter(pk=1).update(**BUSINESS, swept_until=None)
    cast = _cast(now)
    stories = [Story(cast, deal) for deal in DEALS]
    plan: list[tuple[datetime, Act]] = [(moment, sweep.run) for moment in midnights(cast, DAYS)]
    for story in stories:
        plan += story.acts()
    plan += loose_papers(cast)
    plan += [(moment + timedelta(hours=8), reminders.fire) for moment in midnights(cast, DAYS)]
    for moment, act in sorted(plan, key=lambda each: each[0]):
        act(min(moment, now))
    sweep.run(now)
    lapsing.tell(now)
    _read_the_old_news(now)
    return len(stories)


def _read_the_old_news(now: datetime) -> None:
    """Let the demo people have read what is older than two days; nothing of the past is mailed."""
    Notice.objects.filter(created_at__lt=now - timedelta(days=2)).update(read_at=now - timedelta(days=1))
    Notice.objects.filter(mail="").update(mail=Notice.Mail.PASSED)


def require_fresh() -> None:
    """Let only a database pass that holds the starter setup and nothing else. :raises NotFresh: otherwise."""
    if not OpportunityStage.objects.exists() or not OpportunityStatus.objects.exists():
        raise NotFresh(_("The starter setup is missing. Run: python manage.py starter"))
    if is_sample():
        raise NotFresh(_("The sample business is here already."))
    filled = (
        Opportunity.objects.exists()
        or Customer.objects.exists()
        or User.objects.exists()
        or BusinessSettings.current().is_set_up
    )
    if filled:
        raise NotFresh(_("This database is in use: the sample business is only made in an empty one."))


def _cast(now: datetime) -> Cast:
    business = BusinessSettings.current()
    stages = list(OpportunityStage.objects.active().in_order())
    # The last step asks for an amount, so that a column that refuses can be seen.
    stages[-1].requires_amount = True
    stages[-1].save(update_fields=["requires_amount"])
    rows = OpportunityStatus.objects.active().in_order()
    return Cast(
        people=_people(now),
        stages=stages,
        types={name: OpportunityType.objects.create(name=name) for name in TYPES},
        statuses={
            "won": rows.filter(won=True)[0],
            "lost": rows.filter(lost=True)[0],
            "inactive": rows.filter(inactive=True)[0],
            "closed": rows.filter(closed=True, won=False, lost=False, inactive=False)[0],
        },
        reasons={reason.label: reason for reason in Reason.objects.all()},
        tax_rate_id=_tax_rates(),
        zone=business.zone,
        now=now,
        random=Random(SEED),
        buyers={buyer.name: buyer for buyer in BUYERS},
    )


def _tax_rates() -> int:
    """Make the tax rates; answers the default one."""
    made = [TaxRate.objects.create(name=name, percent=rate, is_default=first) for name, rate, first in TAX_RATES]
    return next(rate.pk for rate in made if rate.is_default)


def _people(now: datetime) -> dict[str, Person]:
    """Make the demo people. One hash serves them all: it takes most of the time, and the password is no secret."""
    password = make_password(PASSWORD)
    people: dict[str, Person] = {}
    for seller in SELLERS:
        user = User.objects.create(
            username=seller.username,
            first_name=seller.first_name,
            last_name=seller.last_name,
            email=f"{seller.username}@harborheating.example",
            password=password,
            is_staff=Role(seller.role) is Role.ADMIN,
            date_joined=now - timedelta(days=DAYS),
        )
        user.groups.add(Group.objects.get(name=GROUPS[Role(seller.role)]))
        people[seller.username] = user
    return people
