"""What the bell, the page of all notices and the page "My day" show: notices as finished sentences, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import formats
from django.utils.translation import gettext as _

from opportunities import access, days, notice_words
from opportunities.access import Person
from opportunities.models import BusinessSettings, Notice, Opportunity

PAGE = 50
LATEST = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One notice. Where its person may not see the card any more, `url` is empty and `card` keeps its title back."""

    pk: int
    sentence: str
    card: str
    url: str
    icon: str
    tone: str
    when: str
    when_full: str
    at: datetime
    unread: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of somebody's notices; `older` is where the next part begins, `newest` what "mark all read" goes up to."""

    lines: tuple[Line, ...]
    older: int | None
    newest: int
    unread: bool


def of(
    person: Person,
    *,
    business: BusinessSettings,
    now: datetime,
    limit: int = PAGE,
    before: int | None = None,
    unread: bool = False,
) -> Listing:
    """Read a part of this person's notices, in two statements."""
    rows = Notice.objects.unread() if unread else Notice.objects.shown()
    rows = rows.filter(person=person).order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: limit + 1])
    shown = found[:limit]
    seen = _visible(person, shown)
    lines = tuple(_line(notice, business, now, seen) for notice in shown)
    return Listing(
        lines=lines,
        older=shown[-1].pk if len(found) > limit else None,
        newest=shown[0].pk if shown else 0,
        unread=any(line.unread for line in lines),
    )


def line_of(notice: Notice, person: Person, *, business: BusinessSettings, now: datetime) -> Line:
    """Put one notice into words."""
    return _line(notice, business, now, _visible(person, [notice]))


def _visible(person: Person, notices: Sequence[Notice]) -> set[int]:
    if access.is_at_least(person, access.Role.MANAGER):
        return {notice.opportunity_id for notice in notices}
    ids = {notice.opportunity_id for notice in notices}
    return set(Opportunity.objects.visible_to(person).filter(pk__in=ids).values_list("pk", flat=True))


def _line(notice: Notice, business: BusinessSettings, now: datetime, seen: set[int]) -> Line:
    local, today = notice.created_at.astimezone(business.zone), business.local_date(now)
    clock = formats.time_format(local, "TIME_FORMAT")
    given = notice.parameters
    card, may_see = Opportunity(pk=notice.opportunity_id), notice.opportunity_id in seen
    title = given.get("title", "") if may_see else _("(an opportunity you can no longer see)")
    return Line(
        pk=notice.pk,
        sentence=notice_words.sentence(notice, today),
        card=f"{given.get('number', card.number)} {title}".strip(),
        url=card.get_absolute_url() if may_see else "",
        icon=notice_words.ICONS[notice.kind],
        tone=notice_words.TONES.get(notice.kind, ""),
        when=_("%(day)s, %(time)s") % {"day": days.ago(local.date(), today), "time": clock},
        when_full=_("%(day)s, %(time)s") % {"day": days.full(local.date()), "time": clock},
        at=notice.created_at,
        unread=notice.read_at is None,
    )
