"""What falls on the days of a calendar: forecast dates of cards, open action items, and the days of their documents.

Each day is read up to a limit with the number of all its entries, so that a month with ten thousand cards is as quick
as one with ten. A fixed number of statements.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, tzinfo
from decimal import Decimal
from typing import Any

from django.db.models import Case, Count, DecimalField, F, Q, QuerySet, Sum, When, Window
from django.db.models.fields.json import KT
from django.db.models.functions import RowNumber, TruncDate
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _

from boards.calendar_days import Span
from boards.layout import avatar_of, initials_of
from opportunities.dated import CLOSED, DOCUMENT_DATES, Dated
from opportunities.models import ActionItem, Reminder
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES, OpportunityQuerySet
from opportunities.money import format_money
from opportunities.outcome import SalesStatus

IN_A_CELL = 4
"""How many entries a day of the month shows; where there are more, one line fewer and the way to them."""
IN_A_COLUMN = 40
"""How many a day of the week view shows."""
IN_A_LIST = 20
"""How many of each kind a day of the list shows, and the day below a month on a phone."""
IN_A_DAY = 300
"""How many of each kind the page of one day shows; beyond, the list with its pages is the better place."""

_SHOWN = {"month": IN_A_CELL, "week": IN_A_COLUMN, "list": IN_A_LIST, "day": 1}
_LABELS, _OUTCOMES = dict(WORKFLOW_CHOICES), dict(SALES_CHOICES)
_MONEY: DecimalField[Any, Any] = DecimalField(max_digits=24, decimal_places=2)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a day: a card, an action item, or a day of a document.

    `fixed` says why it cannot be dragged; only a card that can be moved has a `move_url`.
    """

    kind: str
    pk: int
    number: str
    title: str
    url: str
    label: str
    about: str
    amount: str = ""
    tone: str = ""
    outcome: str = ""
    closed: str = ""
    archived: bool = False
    initials: str = ""
    who: str = ""
    avatar: str = ""
    move_url: str = ""
    version: int = 0
    fixed: str = ""

    @property
    def is_card(self) -> bool:
        """A forecast date; what is not lives on a card."""
        return self.kind == "card"


@dataclass(slots=True)
class Day:
    """What was read for one day."""

    entries: list[Entry] = field(default_factory=list)
    count: int = 0
    open_cards: int = 0
    total: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Page:
    """What the parts of a page are laid out with."""

    span: Span
    chosen: date | None
    query: str
    today: date
    currency: str
    zone: tzinfo

    def url(self, span: Span | None) -> str:
        """The address of other days with the same filter; "" where there are none."""
        if span is None:
            return ""
        return f"?{self.query}&{span.query}" if self.query else f"?{span.query}"

    def limit(self, column: str, most: int) -> Q:
        """Keep the first entries of each day, and more of the day that is shown whole."""
        few = Q(place__lte=most)
        if self.chosen is None:
            return few
        return few | Q(**{column: self.chosen}, place__lte=IN_A_DAY if self.span.view == "day" else IN_A_LIST)


def read_days(cards: OpportunityQuerySet, page: Page) -> Mapping[date, Day]:
    """Read all entries of the days, each day up to its limit: cards first, then what is to be done, then documents."""
    found: dict[date, Day] = defaultdict(Day)
    most = _SHOWN[page.span.view]
    _add_cards(found, cards, page, most)
    ids = cards.order_by().values("pk")
    _add_actions(found, ids, page, most)
    _add_reminders(found, ids, page, most)
    for dated in DOCUMENT_DATES:
        _add_documents(found, dated, ids, page, most)
    return found


def _by_day(rows: Any, column: str, order: Sequence[Any], page: Page, most: int, **more: Any) -> Any:
    """Keep the rows of the page's days, the first of each day, each with the number of all rows of its day."""
    day = F(column)
    within = {f"{column}__gte": page.span.shown_first, f"{column}__lte": page.span.shown_last}
    numbered = rows.filter(**within).annotate(
        place=Window(RowNumber(), partition_by=day, order_by=order),
        on_day=Window(Count("pk"), partition_by=day),
        **{name: Window(what, partition_by=day) for name, what in more.items()},
    )
    return numbered.filter(page.limit(column, most)).order_by(column, "place")


def _add_cards(found: dict[date, Day], cards: OpportunityQuerySet, page: Page, most: int) -> None:
    is_open = Case(When(decided_on=None, then=F("pk")))
    worth = Case(When(decided_on=None, then=F("amount")), output_field=_MONEY)
    order = (F("closed_kind").asc(), F("amount").desc(nulls_last=True), F("pk").asc())
    rows = _by_day(
        cards, "forecast_date", order, page, most, open_on_day=Count(is_open), worth=Sum(worth, output_field=_MONEY)
    )
    for row in rows.values_list(
        "forecast_date",
        "on_day",
        "open_on_day",
        "worth",
        "pk",
        "title",
        "amount",
        "workflow_status",
        "sales_status",
        "closed_kind",
        "archived_at",
        "version",
        KT("face__customers__0"),
        "salesperson",
        "salesperson__first_name",
        "salesperson__last_name",
        "salesperson__username",
    ):
        on, count, open_cards, total, *facts = row
        day = found[on]
        if not day.count:
            day.count, day.open_cards, day.total = count, open_cards, Decimal(total or 0)
        day.entries.append(_card(facts, page))


def _card(facts: Sequence[Any], page: Page) -> Entry:
    pk, title, amount, workflow, sales, closed, archived, version, customer, *person = facts
    person_id, first_name, last_name, username = person
    label = str(CLOSED[closed]) if closed else str(_LABELS[workflow])
    fixed = _("OPP-%(pk)s is closed (%(label)s), so its date stays.") % {"pk": pk, "label": label} if closed else ""
    return Entry(
        kind="card",
        pk=pk,
        number=f"OPP-{pk}",
        title=title,
        url=reverse("opportunities:detail", args=[pk]),
        label=label,
        about=customer or "",
        amount=format_money(amount, page.currency, short=True),
        tone=f"status-{workflow} sales-{sales}",
        outcome="" if closed or sales == SalesStatus.NONE else str(_OUTCOMES[sales]),
        closed=label if closed else "",
        archived=archived is not None,
        initials=initials_of(first_name or "", last_name or "", username or ""),
        who=f"{first_name or ''} {last_name or ''}".strip() or username or "",
        avatar=avatar_of(person_id),
        move_url="" if closed else reverse("opportunities:forecast", args=[pk]),
        version=version,
        fixed=fixed,
    )


def _add_actions(found: dict[date, Day], ids: QuerySet[Any, Any], page: Page, most: int) -> None:
    items = ActionItem.objects.filter(state=ActionItem.State.OPEN, opportunity__in=ids)
    rows = _by_day(items, "due_on", (F("pk").asc(),), page, most).values_list(
        "due_on",
        "on_day",
        "place",
        "opportunity",
        "text",
        "opportunity__title",
        "assignee",
        "assignee__first_name",
        "assignee__last_name",
        "assignee__username",
    )
    for on, count, place, card_id, text, title, person_id, first_name, last_name, username in rows:
        if place == 1:
            found[on].count += count
        overdue = on < page.today
        found[on].entries.append(
            Entry(
                kind="action",
                pk=card_id,
                number=f"OPP-{card_id}",
                title=text,
                url=f"{reverse('opportunities:detail', args=[card_id])}#actions-title",
                label=_("Overdue") if overdue else _("To do"),
                about=title,
                tone="overdue" if overdue else "",
                initials=initials_of(first_name or "", last_name or "", username or ""),
                who=f"{first_name or ''} {last_name or ''}".strip() or username or "",
                avatar=avatar_of(person_id),
                fixed=_("Only forecast dates move by dragging. Open the card to change what is to be done."),
            )
        )


def _add_reminders(found: dict[date, Day], ids: QuerySet[Any, Any], page: Page, most: int) -> None:
    """The reminders that are still to come, where their local day is another one than that of their action item."""
    waiting = Reminder.objects.filter(state=Reminder.State.SCHEDULED, action__opportunity__in=ids)
    elsewhere = waiting.annotate(day=TruncDate("fire_at", tzinfo=page.zone)).exclude(day=F("action__due_on"))
    rows = _by_day(elsewhere, "day", (F("pk").asc(),), page, most).values_list(
        "day", "on_day", "place", "fire_at", "action__opportunity", "action__text", "action__opportunity__title"
    )
    for on, count, place, fire_at, card_id, text, title in rows:
        if place == 1:
            found[on].count += count
        found[on].entries.append(
            Entry(
                kind="action",
                pk=card_id,
                number=f"OPP-{card_id}",
                title=text,
                url=f"{reverse('opportunities:detail', args=[card_id])}#actions-title",
                label=_("Reminder %(time)s")
                % {"time": formats.time_format(fire_at.astimezone(page.zone), "TIME_FORMAT")},
                about=title,
                fixed=_("Only forecast dates move by dragging. Open the card to change when you are reminded."),
            )
        )


def _add_documents(found: dict[date, Day], dated: Dated, ids: QuerySet[Any, Any], page: Page, most: int) -> None:
    rows = _by_day(dated.rows().filter(opportunity__in=ids), dated.column, (F("pk").asc(),), page, most)
    ref, letter = dated.model.REF, dated.model.LETTER
    for on, count, place, pk, title, customer in rows.values_list(
        dated.column, "on_day", "place", "pk", "title", "customer__name"
    ):
        if place == 1:
            found[on].count += count
        number = f"{letter}-{pk}"
        found[on].entries.append(
            Entry(
                kind=ref,
                pk=pk,
                number=number,
                title=f"{number} {title}".strip(),
                url=reverse(f"opportunities:{ref}", args=[pk]),
                label=str(dated.label),
                about=customer,
                fixed=_("Only forecast dates move by dragging. Open %(number)s to change its dates.")
                % {"number": number},
            )
        )
