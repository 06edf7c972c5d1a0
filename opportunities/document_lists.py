"""The lists of quotes, jobs and agreements: what is asked for, which are found, what they come to. Finished strings."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.paginator import Page, Paginator
from django.db import models
from django.db.models import Count, F, Q, Sum
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from opportunities import days, documents
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.keys import comparison_key
from opportunities.models import Agreement, BusinessSettings, Customer, Job, Quote
from opportunities.models.agreement import AGREEMENT_CHOICES
from opportunities.models.job import JOB_CHOICES
from opportunities.models.quote import QUOTE_CHOICES
from opportunities.money import format_money
from opportunities.states import JOB_CAN_EXPIRE, QUOTE_CAN_EXPIRE

PAGE = 50
ON_CUSTOMER = 20
"""How many documents of each kind a customer's page shows."""

MODELS: Mapping[str, Any] = {"quote": Quote, "job": Job, "agreement": Agreement}
DATES = {"quote": "valid_until", "job": "service_date", "agreement": "valid_until"}
STATES: Mapping[str, Any] = {"quote": QUOTE_CHOICES, "job": JOB_CHOICES, "agreement": AGREEMENT_CHOICES}
SORTS = {"number": "pk", "title": "title", "customer": "customer__search_key", "net": "net"}


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One document of a list, in words."""

    number: str
    url: str
    title: str
    customer: str
    customer_url_id: int
    card: str
    card_url: str
    state: str
    tone: str
    expired: str
    archived: bool
    date: days.Said | None
    net: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list was asked for; nonsense counts as not asked."""

    words: str = ""
    state: str = ""
    loose: bool = False
    archived: bool = False
    customer: int | None = None
    sort: str = "-number"
    page: str = ""

    @classmethod
    def of(cls, query: Mapping[str, Any], ref: str) -> "Asked":
        """Read a query string."""
        state, sort, customer = query.get("state", ""), query.get("sort", ""), query.get("customer", "")
        known = {value for value, _label in STATES[ref]} | {"expired"}
        is_number = customer.isascii() and customer.isdigit() and len(customer) < 19
        return cls(
            words=query.get("q", "")[:200].replace("\x00", ""),
            state=state if state in known else "",
            loose=query.get("on") == "none",
            archived=ref == "quote" and query.get("archived") == "1",
            customer=int(customer) if is_number else None,
            sort=sort if sort.removeprefix("-") in {*SORTS, "date"} else "-number",
            page=query.get("page", ""),
        )

    @property
    def narrows(self) -> bool:
        """Whether it asks for less than all."""
        return bool(self.words or self.state or self.loose or self.customer is not None)


class DocumentList:
    """The documents of one kind that a reader may see, as asked for."""

    def __init__(self, ref: str, asked: Asked, *, reader: Person, business: BusinessSettings, today: date) -> None:
        self.ref, self.asked, self.business, self.today = ref, asked, business, today
        seen = MODELS[ref].objects.visible_to(reader)
        self.all = seen if ref != "quote" or asked.archived else seen.filter(archived_at=None)
        self.rows = self._found()

    def _found(self) -> Any:
        asked, rows = self.asked, self.all
        if asked.words:
            rows = rows.filter(search_key__contains=comparison_key(asked.words))
        if asked.state:
            rows = rows.filter(self._in_state(asked.state))
        if asked.loose:
            rows = rows.filter(opportunity=None)
        return rows if asked.customer is None else rows.filter(customer=asked.customer)

    def _in_state(self, state: str) -> Q:
        """What shows this state. Expired lies over a state; an agreement that is overdue is not Submitted any more."""
        late = Q(**{f"{DATES[self.ref]}__lt": self.today})
        if self.ref == "agreement":
            overdue = late & Q(status="submitted")
            if state == "expired":
                return Q(status="expired") | overdue
            return Q(status=state) & ~overdue if state == "submitted" else Q(status=state)
        can = QUOTE_CAN_EXPIRE if self.ref == "quote" else JOB_CAN_EXPIRE
        return late & Q(state__in=[each.value for each in can]) if state == "expired" else Q(state=state)

    @cached_property
    def figures(self) -> dict[str, Any]:
        """How many are found and what they come to, how many there are at all and on no card; one statement."""
        found = Q(pk__in=self.rows.values("pk")) if self.asked.narrows else Q()
        figures: dict[str, Any] = self.all.order_by().aggregate(
            count=Count("pk", filter=found) if found else Count("pk"),
            net=Sum("net", filter=found) if found else Sum("net"),
            loose=Count("pk", filter=Q(opportunity=None)),
            all=Count("pk"),
        )
        return figures

    @property
    def net(self) -> str:
        """What those found come to, net."""
        return format_money(Decimal(self.figures["net"] or 0), self.business.currency)

    @property
    def states(self) -> list[tuple[str, str]]:
        """The states to filter by."""
        choices = [(value, str(label)) for value, label in STATES[self.ref]]
        return choices if self.ref == "agreement" else [*choices, ("expired", _("Expired"))]

    @cached_property
    def customer_name(self) -> str:
        """The name of the customer that is filtered by."""
        if self.asked.customer is None:
            return ""
        return Customer.objects.filter(pk=self.asked.customer).values_list("name", flat=True).first() or _("nobody")

    @cached_property
    def page(self) -> Page[Any]:
        """The page of the list that is asked for, each document in words."""
        name = self.asked.sort.removeprefix("-")
        by = F(DATES[self.ref] if name == "date" else SORTS[name])
        down = self.asked.sort.startswith("-")
        order = by.desc(nulls_last=True) if down else by.asc(nulls_last=True)
        rows = self.rows.select_related("customer", "opportunity").order_by(order, "-pk")
        paginator = _Counted(rows.fetch_mode(models.FETCH_RAISE), PAGE)
        paginator.count = self.figures["count"]
        page = paginator.get_page(self.asked.page)
        page.object_list = [row_of(each, self.business, self.today) for each in page.object_list]
        return page


class _Counted(Paginator[Any]):
    """Pages of rows that were counted already."""

    count = 0


def row_of(document: AnyDocument, business: BusinessSettings, today: date) -> DocumentRow:
    """Put a document into words."""
    card, day = document.opportunity, getattr(document, DATES[document.REF])
    late = document.is_expired_on(today)
    state, tone = documents.state_label(document), str(document.state)
    if isinstance(document, Agreement):
        tone = document.status_on(today).value
        state = str(dict(AGREEMENT_CHOICES)[tone])
    return DocumentRow(
        number=document.number,
        url=document.get_absolute_url(),
        title=document.title,
        customer=document.customer.name,
        customer_url_id=document.customer_id,
        card=f"{card.number} {card.title}" if card is not None else "",
        card_url=card.get_absolute_url() if card is not None else "",
        state=state,
        tone=tone,
        expired=_("Expired") if late and not isinstance(document, Agreement) else "",
        archived=document.is_archived,
        date=days.say(day, today) if day is not None else None,
        net=format_money(document.net, business.currency),
    )


def of_customer(customer: Customer, *, reader: Person, business: BusinessSettings, today: date) -> list[DocumentRow]:
    """The newest documents of a customer that the reader may see, each kind after the other."""
    return [
        row_of(document, business, today)
        for model in MODELS.values()
        for document in model.objects.visible_to(reader)
        .filter(customer=customer)
        .select_related("customer", "opportunity")
        .order_by("-pk")[:ON_CUSTOMER]
    ]
