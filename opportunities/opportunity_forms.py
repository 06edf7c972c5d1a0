"""The form of a card's facts: its customers, what it showed, and what two people changed at once."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, override

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import access, history
from opportunities.access import Person
from opportunities.customers import by_label
from opportunities.forms import ARGUMENTS, TEXT_LENGTH, Conflict, DayField, MoneyField, salespeople_for
from opportunities.models import (
    BusinessSettings,
    Contact,
    Customer,
    Opportunity,
    OpportunityCustomer,
    OpportunityStage,
    OpportunityType,
)
from opportunities.money import currency_symbol, format_money, read_money, write_plain

PARTIES_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class ContactChoice:
    """A contact that may be put on the card."""

    pk: int
    name: str
    role: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class PartyChoice:
    """A customer on the form, with the contacts there to choose from."""

    pk: int
    name: str
    contacts: tuple[ContactChoice, ...]


@dataclass(slots=True)
class Parties:
    """The customers and contacts that a form names: chosen ones by id, typed ones by name."""

    customers: list[int] = field(default_factory=list)
    contacts: list[int] = field(default_factory=list)
    typed: str = ""

    @classmethod
    def of_card(cls, card: Opportunity) -> "Parties":
        rows = OpportunityCustomer.objects.filter(opportunity=card).order_by("position", "pk")
        pairs = list(rows.values_list("customer_id", "contact_id"))
        return cls(
            customers=list(dict.fromkeys(customer for customer, _contact in pairs)),
            contacts=sorted(contact for _customer, contact in pairs if contact),
        )

    @classmethod
    def of_data(cls, data: QueryDict) -> "Parties":
        return cls(
            customers=list(dict.fromkeys(_numbers(data.getlist("customer")))),
            contacts=sorted(set(_numbers(data.getlist("contact")))),
            typed=" ".join(data.get("customer_name", "").replace("\x00", "").split()),
        )

    def choices(self) -> tuple[PartyChoice, ...]:
        """Read the customers and their contacts that can be ticked; who is gone is left out."""
        found = {
            customer.pk: customer
            for customer in Customer.objects.filter(pk__in=self.customers).prefetch_related("contacts")
        }
        return tuple(
            PartyChoice(
                pk=pk,
                name=found[pk].name,
                contacts=tuple(
                    ContactChoice(contact.pk, contact.name, contact.role, contact.pk in self.contacts)
                    for contact in sorted(found[pk].contacts.all(), key=lambda contact: (contact.name, contact.pk))
                    if contact.active or contact.pk in self.contacts
                ),
            )
            for pk in self.customers
            if pk in found
        )


def _numbers(texts: Iterable[str]) -> list[int]:
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 19]


class OpportunityForm(forms.Form):
    """The facts of a card. It knows what it showed, so that saving writes only what this person changed."""

    title = forms.CharField(
        label=gettext_lazy("Title"),
        max_length=200,
        error_messages={"required": gettext_lazy("Give the opportunity a title.")},
    )
    amount = MoneyField(label=gettext_lazy("Amount"), required=False)
    probability = forms.IntegerField(
        label=gettext_lazy("Probability (%)"),
        required=False,
        min_value=0,
        max_value=100,
        help_text=gettext_lazy("Empty: the stage's own."),
        error_messages={
            "min_value": gettext_lazy("The probability lies between 0 and 100 percent."),
            "max_value": gettext_lazy("The probability lies between 0 and 100 percent."),
        },
    )
    stage = forms.ModelChoiceField(
        OpportunityStage.objects.none(),
        label=gettext_lazy("Stage"),
        required=False,
        empty_label=gettext_lazy("No stage"),
        error_messages={"invalid_choice": gettext_lazy("That stage is not offered any more. Choose another.")},
    )
    forecast_date = DayField(
        label=gettext_lazy("Forecast date"),
        required=False,
        help_text=gettext_lazy("When you expect the decision. After that day the card is marked as expired."),
    )
    type = forms.ModelChoiceField(
        OpportunityType.objects.none(),
        label=gettext_lazy("Type"),
        required=False,
        empty_label=gettext_lazy("No type"),
        error_messages={"invalid_choice": gettext_lazy("That type is not offered any more. Choose another.")},
    )
    salesperson = forms.TypedChoiceField(
        label=gettext_lazy("Salesperson"),
        required=False,
        coerce=int,
        empty_value=None,
        error_messages={"invalid_choice": gettext_lazy("You cannot give the card to that person. Choose another.")},
    )
    description = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        max_length=TEXT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    shown = forms.CharField(required=False, widget=forms.HiddenInput)
    token = forms.UUIDField(required=False, widget=forms.HiddenInput)

    PLAIN = ("title", "amount", "probability", "stage", "forecast_date", "type", "salesperson", "description")

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        actor: Person,
        business: BusinessSettings,
        card: Opportunity | None = None,
        start: Mapping[str, str] | None = None,
    ) -> None:
        self.actor, self.business, self.card = actor, business, card
        self.conflicts: tuple[Conflict, ...] = ()
        self.overtaken: tuple[str, ...] = ()
        if card is not None:
            self.parties = Parties.of_card(card)
            values = self.values_of(card, self.parties)
            initial = {**values, "version": str(card.version), "shown": json.dumps(values)}
        else:
            self.parties = Parties(customers=_numbers([(start or {}).get("customer", "")]))
            initial = {"token": str(uuid.uuid4()), **_starting(actor), **(start or {})}
        if data is not None:
            self.parties = Parties.of_data(data)
        super().__init__(data, initial=initial, label_suffix="")
        self._offer()

    def _offer(self) -> None:
        """Offer what may be chosen now, and what the card has already."""
        fields: dict[str, Any] = self.fields
        stages, types = OpportunityStage.objects.active(), OpportunityType.objects.filter(active=True)
        if self.card is not None and self.card.stage_id is not None:
            stages |= OpportunityStage.objects.filter(pk=self.card.stage_id)
        if self.card is not None and self.card.type_id is not None:
            types |= OpportunityType.objects.filter(pk=self.card.type_id)
        fields["stage"].queryset = stages.in_order()
        fields["type"].queryset = types.order_by("name", "pk")
        fields["amount"].currency = self.business.currency
        fields["amount"].label = _("Amount (%(currency)s)") % {"currency": currency_symbol(self.business.currency)}
        fields["salesperson"].choices = salespeople_for(self.actor, self.card)
        if len(fields["salesperson"].choices) == 1:
            fields["salesperson"].disabled = True
            fields["salesperson"].help_text = access.who_may("reassign", self.card)

    @staticmethod
    def values_of(card: Opportunity, parties: Parties) -> dict[str, str]:
        """Write a card's facts as its form shows them."""
        return {
            "title": card.title,
            "amount": write_plain(card.amount),
            "probability": "" if card.probability is None else str(card.probability),
            "stage": str(card.stage_id or ""),
            "forecast_date": card.forecast_date.isoformat() if card.forecast_date else "",
            "type": str(card.type_id or ""),
            "salesperson": str(card.salesperson_id or ""),
            "description": card.description,
            "customers": ",".join(map(str, parties.customers)),
            "contacts": ",".join(map(str, parties.contacts)),
        }

    def party_choices(self) -> tuple[PartyChoice, ...]:
        """The customers on the form."""
        return self.parties.choices()

    @override
    def clean(self) -> dict[str, Any]:
        parties = self.parties
        if len(parties.customers) > PARTIES_AT_MOST:
            raise ValidationError(_("A card has at most %(limit)s customers.") % {"limit": PARTIES_AT_MOST})
        if len(parties.typed) > 120:
            raise ValidationError(_("The customer's name is too long: 120 characters at most."))
        known = set(Customer.objects.filter(pk__in=parties.customers).values_list("pk", flat=True))
        if len(known) != len(parties.customers):
            parties.customers = [pk for pk in parties.customers if pk in known]
            raise ValidationError(
                _("A customer on this form was deleted meanwhile and has been taken off. Save again.")
            )
        present = set(Contact.objects.filter(pk__in=parties.contacts, customer__in=known).values_list("pk", flat=True))
        stray = set(parties.contacts) - present
        parties.contacts = [pk for pk in parties.contacts if pk in present]
        if stray and Contact.objects.filter(pk__in=stray).count() != len(stray):
            raise ValidationError(_("A contact on this form was deleted meanwhile and has been taken off. Save again."))
        return self.cleaned_data

    def _values(self) -> dict[str, str]:
        """Write what this person typed in the same way as `values_of`, to compare the two."""
        given = self.cleaned_data
        plain = Opportunity(
            title=" ".join(given["title"].split()),
            amount=given["amount"],
            probability=given["probability"],
            stage=given["stage"],
            forecast_date=given["forecast_date"],
            type=given["type"],
            salesperson_id=given["salesperson"],
            description=given["description"],
        )
        return self.values_of(plain, self.parties)

    def changed_names(self) -> set[str]:
        """Name the facts that differ from what the form showed; all of them where it does not say what it showed."""
        before = self._shown()
        after = {name: value.replace("\r\n", "\n") for name, value in self._values().items()}
        changed = {name for name, value in after.items() if before.get(name) != value}
        return changed | {"customers"} if self.parties.typed else changed

    def _shown(self) -> dict[str, str]:
        """What the page says that it showed; a text area sends its line ends as CR LF. Nonsense says nothing."""
        try:
            shown = json.loads(self.cleaned_data.get("shown") or "{}")
        except (ValueError, RecursionError):
            return {}
        if not isinstance(shown, dict):
            return {}
        return {name: str(value).replace("\r\n", "\n") for name, value in shown.items()}

    def facts(self, customer_ids: Sequence[int], only: set[str] | None = None) -> dict[str, Any]:
        """Return the arguments for `pipeline.create` and, with `only`, the changed ones for `pipeline.edit`."""
        names = set(self.PLAIN) if only is None else only & set(self.PLAIN)
        facts: dict[str, Any] = {}
        for name in names:
            value = self.cleaned_data[name]
            if name in {"stage", "type"}:
                value = value.pk if value else None
            facts[ARGUMENTS.get(name, name)] = value.replace("\r\n", "\n") if isinstance(value, str) else value
        if only is None or "customers" in only:
            facts["customer_ids"] = list(customer_ids)
        if only is None or only & {"customers", "contacts"}:
            facts["contact_ids"] = list(self.parties.contacts)
        return facts

    def take_typed_customer(self) -> None:
        """Move a typed name that is a known customer's to the chosen ones, so that its contacts can be ticked."""
        known = by_label(self.parties.typed)
        if known is not None:
            if known.pk not in self.parties.customers:
                self.parties.customers.append(known.pk)
            self.parties.typed = ""

    def onto(self, fresh: Opportunity) -> "OpportunityForm":
        """Return the form again on the card as it is now, with what this person typed, saying what clashes."""
        mine = self.changed_names()
        card_parties = Parties.of_card(fresh)
        theirs = self.values_of(fresh, card_parties)
        yours = self._values()
        shown = self._shown()
        data = QueryDict(mutable=True)
        data.update({name: yours[name] if name in mine else theirs[name] for name in self.PLAIN})
        data.update({"version": str(fresh.version), "shown": json.dumps(theirs)})
        parties = self.parties if mine & {"customers", "contacts"} else card_parties
        data.setlist("customer", [str(pk) for pk in parties.customers])
        data.setlist("contact", [str(pk) for pk in parties.contacts])
        data["customer_name"] = self.parties.typed
        again = OpportunityForm(data, actor=self.actor, business=self.business, card=fresh)
        again.is_valid()
        moved = [name for name in theirs if theirs[name] != shown.get(name, "")]
        again.conflicts = tuple(self._conflict(name, theirs, yours) for name in moved if name in mine)
        again.overtaken = tuple(self._label(name) for name in moved if name not in mine)
        return again

    def _label(self, name: str) -> str:
        labels_of = {"customers": _("Customers"), "contacts": _("Contacts")}
        return labels_of[name] if name in labels_of else str(self.fields[name].label)

    def _conflict(self, name: str, theirs: Mapping[str, str], yours: Mapping[str, str]) -> Conflict:
        return Conflict(self._label(name), self._in_words(name, theirs[name]), self._in_words(name, yours[name]))

    def _in_words(self, name: str, value: str) -> str:
        if not value:
            return _("nothing")
        if name in {"stage", "type"}:
            model = OpportunityStage if name == "stage" else OpportunityType
            row = model._default_manager.filter(pk=value).first()
            return str(row) if row else value
        if name == "salesperson":
            person = get_user_model()._default_manager.filter(pk=value).first()
            return history.label(person) if person else value
        if name in {"customers", "contacts"}:
            model_of = Customer if name == "customers" else Contact
            return ", ".join(model_of._default_manager.filter(pk__in=value.split(",")).values_list("name", flat=True))
        if name == "amount":
            return format_money(read_money(value, self.business.currency), self.business.currency)
        return value if len(value) <= 200 else f"{value[:200]}…"


def _starting(actor: Person) -> dict[str, str]:
    stage = OpportunityStage.objects.active().filter(is_default=True).values_list("pk", flat=True).first()
    return {"stage": str(stage or ""), "salesperson": str(actor.pk)}
