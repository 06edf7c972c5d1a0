"""The forms that make and change quotes, jobs and agreements: their fields, lines and recipients, and what is asked."""

import uuid
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, override

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import agreements, customers, documents, jobs, offers, quotes
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.document_act_forms import AFTER_SERVICE, CLEAR, KEEP, NEW, forecast_fields, reopen_field
from opportunities.documents import Desk
from opportunities.forms import DayField
from opportunities.line_forms import BLANKS, LinesEditor
from opportunities.models import Agreement, Contact, Customer, Job, Opportunity, Quote
from opportunities.money import read_money, write_quantity
from opportunities.recipient_rows import RecipientsEditor
from opportunities.states import JobState

ONE_STEP = frozenset({"totals", "people", "take"})
"""Buttons beside those of the rows that change the form without saving it."""


class PercentField(forms.CharField):
    """A discount in percent, written as the reader's language does; empty is none."""

    @override
    def clean(self, value: Any) -> Any:
        text = str(super().clean(value)).replace("%", "").strip()
        try:
            return documents.clean_discount(read_money(text, "") if text else 0)
        except ValueError:
            raise ValidationError(_("A discount lies between 0 and 100 percent.")) from None
        except ValidationError as error:
            raise ValidationError(error.messages) from None


class DocumentForm(forms.Form):
    """What all three kinds ask. `document` is the one that is changed; None for a new one, on `card` or on none."""

    REF = ""
    MODEL: type[AnyDocument]
    PLAIN: tuple[str, ...] = ("title", "discount_percent")
    DAY = ""
    """The field of the day that decides what its card is; empty where none does while it can be edited."""
    HAS_PEOPLE = False
    HAS_ROLES = False

    title = forms.CharField(label=gettext_lazy("Title"), max_length=200, required=False)
    discount_percent = PercentField(
        label=gettext_lazy("Discount (%)"),
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    token = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        desk: Desk,
        reader: Person,
        card: Opportunity | None = None,
        document: AnyDocument | None = None,
        customer: Customer | None = None,
    ) -> None:
        self.desk, self.reader, self.card, self.document = desk, reader, card, document
        self.business, self.today = desk.business, desk.today
        self.people_on_card: list[Customer] = []
        initial = {"token": str(uuid.uuid4()), **(self.values_of(document) if document else self.start())}
        super().__init__(data, initial=initial, label_suffix="")
        if document is None:
            self._offer_customers(customer)
            self.ask_reopen()
        self.ask()
        self.lines = self._lines(data)
        self.recipients = self._recipients(data) if self.HAS_PEOPLE else None

    # What it begins with

    def start(self) -> dict[str, Any]:
        """Fill in a new document."""
        return {"title": self.card.title if self.card is not None else ""}

    def values_of(self, document: AnyDocument) -> dict[str, Any]:
        """Write the facts of a document as its form shows them."""
        values = {name: getattr(document, name) for name in self.PLAIN}
        discount = document.discount_percent
        return {**values, "discount_percent": write_quantity(discount) if discount else "", "version": document.version}

    def _offer_customers(self, customer: Customer | None) -> None:
        """Offer the customers of the card; without a card, one is named."""
        if self.card is None:
            self.fields["customer_name"] = forms.CharField(
                label=_("Customer"),
                max_length=140,
                initial=_label(customer) if customer is not None else "",
                error_messages={"required": _("Name the customer.")},
            )
            return
        ids = documents.customers_of(self.card)
        found = {each.pk: each for each in Customer.objects.filter(pk__in=ids)}
        self.people_on_card = [found[pk] for pk in dict.fromkeys(ids)]
        self.fields["customer"] = forms.TypedChoiceField(
            label=_("Customer"),
            choices=[(str(each.pk), each.name) for each in self.people_on_card],
            coerce=int,
            initial=customer.pk if customer is not None and customer in self.people_on_card else None,
            widget=forms.RadioSelect if len(ids) < 5 else forms.Select,
            error_messages={"required": _("Choose the customer."), "invalid_choice": _("Choose one of the customers.")},
        )
        if len(self.people_on_card) == 1:
            self.fields["customer"].initial = self.people_on_card[0].pk

    def ask_reopen(self) -> None:
        """Ask whether a card that was closed by hand is open again by this (D41)."""
        if self.card is not None and offers.asks_reopen(self.card, self.reader):
            self.fields["reopen"] = reopen_field(self.card)

    def ask(self) -> None:
        """Ask what this kind needs beside its facts."""

    def _lines(self, data: QueryDict | None) -> LinesEditor:
        currency = self.business.currency
        if data is not None:
            return LinesEditor.of_data(data, currency=currency)
        if self.document is None:
            return LinesEditor.of_lines([], currency=currency, blanks=BLANKS)
        return LinesEditor.of_lines(self.document.lines.all(), currency=currency)

    def _recipients(self, data: QueryDict | None) -> RecipientsEditor:
        if data is not None:
            return RecipientsEditor.of_data(data, with_roles=self.HAS_ROLES)
        return RecipientsEditor.of_people(self.first_people(), with_roles=self.HAS_ROLES)

    def first_people(self) -> list[dict[str, Any]]:
        """Who receives it: those that it has, or those of its customer that the card names."""
        if self.document is not None:
            assert not isinstance(self.document, Job)  # noqa: S101 - a job has no recipients
            names = ("name", "email", "role", "contact_id")
            rows = self.document.recipients.all()
            return [{name: getattr(row, name) for name in names if hasattr(row, name)} for row in rows]
        customer = self.named_customer()
        return documents.people_of(customer, self.card) if customer is not None else []

    def named_customer(self) -> Customer | None:
        """The customer that the form names now."""
        if self.document is not None:
            return self.document.customer
        if self.card is None:
            return customers.by_label(str(self["customer_name"].value() or ""))
        chosen = str(self["customer"].value() or "")
        return next((each for each in self.people_on_card if str(each.pk) == chosen), None)

    # Steps that save nothing

    def step(self, do: str, data: QueryDict) -> bool:
        """Do what a button asks that changes the form only. Tells whether it was one."""
        if do == "people" and self.recipients is not None:
            self.recipients = RecipientsEditor.of_people(self.fresh_people(), with_roles=self.HAS_ROLES)
        elif do != "totals" and not self.lines.act(do) and not (self.recipients and self.recipients.act(do)):
            return self.take_lines(do, data)
        return True

    def fresh_people(self) -> list[dict[str, Any]]:
        """Who of the customer named now would receive it."""
        customer = self.named_customer()
        return documents.people_of(customer, self.card) if customer is not None else []

    def take_lines(self, _do: str, _data: QueryDict) -> bool:
        """Take lines over from another document, where this kind can."""
        return False

    def sketch(self) -> AnyDocument:
        """A document that is not saved, to price lines on: the one that is changed, with the discount typed now."""
        typed = str(self["discount_percent"].value() or "")
        try:
            percent = documents.clean_discount(read_money(typed, "") if typed.strip() else 0)
        except (ValueError, ValidationError):
            percent = Decimal(0)
        sketch = self.MODEL(discount_percent=percent)
        sketch.pk = self.document.pk if self.document is not None else None
        return sketch

    def work_out(self) -> None:
        """Fill in what the lines come to."""
        self.wanted = self.lines.work_out(self.sketch())

    # Reading

    @override
    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        self.work_out()
        people = self.recipients.people() if self.recipients is not None else []
        customer = self.named_customer()
        if self.document is None and self.card is None and customer is None and "customer_name" not in self.errors:
            words = _("There is no customer of this name. Choose one that is offered, or add them first.")
            self.add_error("customer_name", ValidationError(words, code="unknown"))
        if self.lines.has_errors or (self.recipients is not None and self.recipients.has_errors):
            self.add_error(None, ValidationError(_("Put right what is marked below. Nothing was saved yet.")))
        own = set(Contact.objects.filter(customer=customer).values_list("pk", flat=True)) if people else set()
        self.people = [{**each, "contact_id": c if (c := each.get("contact_id")) in own else None} for each in people]
        return given

    def facts(self) -> dict[str, Any]:
        """Return the arguments for the verb."""
        given = self.cleaned_data
        facts: dict[str, Any] = {name: given[name] for name in self.PLAIN}
        facts = {name: v.replace("\r\n", "\n") if isinstance(v, str) else v for name, v in facts.items()}
        facts["lines"] = self.wanted
        if self.HAS_PEOPLE:
            facts["recipients"] = self.people
        return facts

    def new_facts(self) -> dict[str, Any]:
        """Return the arguments for `create`."""
        customer = self.named_customer()
        assert customer is not None  # noqa: S101 - the form was judged
        facts = {"customer_id": customer.pk, "opportunity_id": self.card.pk if self.card is not None else None}
        return {**self.facts(), **facts, "reopen": self.cleaned_data.get("reopen", False)}

    @property
    def is_completed(self) -> bool:
        """Tell whether it is a Completed job that is changed, which opens it again (W5.2)."""
        return isinstance(self.document, Job) and str(self.document.state) == JobState.COMPLETED

    def typed_day(self) -> dict[str, date | None]:
        """Return the day that is typed, by the name of its field; nothing while none can be read."""
        given = getattr(self, "cleaned_data", {})
        return {self.DAY: given[self.DAY]} if self.DAY in given else {}

    def forecast_choice(self) -> tuple[bool, date | None]:
        """Tell whether the card's forecast date changes along with it, and to what."""
        choice = self.cleaned_data.get("forecast", KEEP)
        if choice == NEW:
            day = self.cleaned_data.get("forecast_date")
            service = self.cleaned_data.get("service_date")
            return True, day or max(service or self.today, self.today) + AFTER_SERVICE
        return choice == CLEAR, None


def _label(customer: Customer) -> str:
    """Name a customer so that the name leads back to them."""
    found = customers.by_label(customer.name)
    return customer.name if found == customer else f"{customer.name} #{customer.pk}"


class QuoteForm(DocumentForm):
    """A quote."""

    REF = "quote"
    MODEL = Quote
    PLAIN = ("title", "valid_until", "service_date", "terms", "discount_percent")
    DAY = "valid_until"
    HAS_PEOPLE = True

    valid_until = DayField(label=gettext_lazy("Valid until"), required=False)
    service_date = DayField(label=gettext_lazy("Service date"), required=False)
    terms = forms.CharField(
        label=gettext_lazy("Terms"),
        required=False,
        max_length=documents.LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    @override
    def start(self) -> dict[str, Any]:
        days = self.business.quote_valid_days
        until = documents.days_on(self.today, days) if days else None
        return {**super().start(), "valid_until": until, "terms": self.business.quote_terms}


class JobForm(DocumentForm):
    """A job."""

    REF = "job"
    MODEL = Job
    PLAIN = ("title", "service_date", "discount_percent")
    DAY = "service_date"

    service_date = DayField(label=gettext_lazy("Service date"), required=False)

    @override
    def ask(self) -> None:
        if self.document is None:
            self.fields["confirmed"] = forms.BooleanField(
                label=_("The customer has confirmed it"), required=False, initial=True
            )
        card = self.card
        if card is None or card.forecast_date is None or not self._asks_forecast():
            return
        choice, day = forecast_fields(card, self._old_date(), self.today)
        words = _("Say what becomes of the forecast date of %(card)s: the service date is another now.")
        if self.is_completed:
            words = _("Say what becomes of the forecast date of %(card)s: the job is open again by this.")
        choice.error_messages["required"] = words % {"card": card.number}
        day.initial = None
        day.help_text = _("Empty: 14 days after the service date.")
        self.fields["forecast"], self.fields["forecast_date"] = choice, day

    def _old_date(self) -> date | None:
        return self.document.service_date if isinstance(self.document, Job) else None

    def _asks_forecast(self) -> bool:
        """A new job asks, and a Completed one, which is open again (T10); another, once its service date differs."""
        if self.document is None or self.is_completed or "forecast" in self.data:
            return True
        old = self._old_date()
        return self.is_bound and self.data.get("service_date", "").strip() != (old.isoformat() if old else "")

    @override
    def new_facts(self) -> dict[str, Any]:
        return {**super().new_facts(), "confirmed": self.cleaned_data["confirmed"]}


class AgreementForm(DocumentForm):
    """An agreement or proposal."""

    REF = "agreement"
    MODEL = Agreement
    PLAIN = ("kind", "title", "text", "valid_until", "discount_percent")
    HAS_PEOPLE = True
    HAS_ROLES = True

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=Agreement.Kind.choices)
    text = forms.CharField(
        label=gettext_lazy("Text"),
        required=False,
        max_length=documents.LONGEST_TEXT,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text=gettext_lazy("What is agreed. It can be submitted once it has a text and somebody to sign it."),
    )
    valid_until = DayField(label=gettext_lazy("Valid until"), required=False)

    @override
    def start(self) -> dict[str, Any]:
        days = self.business.quote_valid_days
        return {**super().start(), "valid_until": documents.days_on(self.today, days) if days else None}

    def quotes(self) -> list[Quote]:
        """The live quotes of the card, whose lines can be taken over."""
        if self.card is None:
            return []
        return [
            each for each in self.desk.documents_of(self.card.pk).quotes if not each.is_dead and not each.is_archived
        ]

    @override
    def take_lines(self, do: str, data: QueryDict) -> bool:
        if do != "take":
            return False
        quote = next((each for each in self.quotes() if str(each.pk) == data.get("take", "")), None)
        if quote is not None:
            self.lines.take(quote.lines.all())
        return quote is not None


FORMS: Mapping[str, type[DocumentForm]] = {"quote": QuoteForm, "job": JobForm, "agreement": AgreementForm}
CREATE: Mapping[str, Any] = {"quote": quotes.create, "job": jobs.create, "agreement": agreements.create}
REVISE: Mapping[str, Any] = {"quote": quotes.revise, "job": jobs.revise, "agreement": agreements.revise}
BLOCKERS: Mapping[str, Any] = {"quote": quotes.blockers, "job": jobs.blockers, "agreement": agreements.blockers}
