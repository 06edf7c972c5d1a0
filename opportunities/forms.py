"""What people type about customers, contacts and the acts on a card, read into what the verbs ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, override

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import access, history
from opportunities.access import Person, Role
from opportunities.activity import ACTION_LENGTH, NOTE_LENGTH
from opportunities.customers import as_typed
from opportunities.models import ActionItem, Contact, Customer, Opportunity, OpportunityStatus, Reason
from opportunities.money import read_money, write_plain
from opportunities.reminders import Wish

TEXT_LENGTH = 20_000
REMINDERS = (
    (ActionItem.Remind.DAY.value, gettext_lazy("On the day, at 8 in the morning")),
    (ActionItem.Remind.BEFORE.value, gettext_lazy("The day before, at 8 in the morning")),
    (ActionItem.Remind.MOMENT.value, gettext_lazy("At a time of your own")),
    (ActionItem.Remind.NEVER.value, gettext_lazy("None")),
)
"""When somebody may be reminded of an action item."""

ARGUMENTS: Mapping[str, str] = {"stage": "stage_id", "type": "type_id", "salesperson": "salesperson_id"}
"""The fields that a verb knows by another name."""


class DayField(forms.DateField):
    """A day of the calendar, typed or picked."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}))
        super().__init__(**options)
        self.error_messages["invalid"] = gettext_lazy("There is no such day. Write it like 2026-12-31.")

    @override
    def to_python(self, value: Any) -> date | None:
        day = super().to_python(value)
        if day is not None and not 1900 <= day.year <= 2999:
            raise ValidationError(_("That day is too far away."), code="far")
        return day


class MoneyField(forms.CharField):
    """An amount in the business's currency, written as the reader's language does."""

    currency = "USD"

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        options.setdefault("max_length", 40)
        super().__init__(**options)

    @override
    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            amount = read_money(text, self.currency)
        except ValueError:
            example = write_plain(Decimal("18400.50"))
            raise ValidationError(_("That is no amount. Write it like %(example)s.") % {"example": example}) from None
        if amount < 0:
            raise ValidationError(_("The amount cannot be negative."))
        if amount >= Decimal(10) ** 12:
            raise ValidationError(_("The amount is too large."))
        return amount.quantize(Decimal("0.01"))


@dataclass(frozen=True, slots=True)
class Conflict:
    """A fact that two people changed at once: what it is now, and what this person typed."""

    label: str
    theirs: str
    yours: str


class SeenForm(forms.ModelForm[Any]):
    """The form of a record. It carries what it showed, so that saving writes only what this person changed."""

    options: Mapping[str, Any] = {}
    conflicts: tuple[Conflict, ...] = ()
    overtaken: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for each in self.fields.values():
            each.show_hidden_initial = self.instance.pk is not None

    def seen(self) -> dict[str, Any]:
        """What the page showed, as far as it came back with the form."""
        found = {}
        for name, each in self.fields.items():
            key = self.add_initial_prefix(name)
            if key in self.data:
                given = each.hidden_widget().value_from_datadict(self.data, self.files, key)
                found[name] = each.to_python(given)
        return found

    def changed(self) -> dict[str, Any]:
        """What this person changed; everything, where the form does not say what it showed."""
        seen, changed = self.seen(), self.changed_data
        return {name: value for name, value in self.cleaned_data.items() if name not in seen or name in changed}

    def onto(self, fresh: Any) -> "SeenForm":
        """Return the form again on the record as it is now, with what this person typed, saying what clashes."""
        seen, mine = self.seen(), self.changed()
        now = {name: getattr(fresh, name) for name in self.fields}
        data: dict[str, Any] = dict(self.data.items())
        for name, theirs in now.items():
            data[self.add_initial_prefix(name)] = theirs
            if name not in mine:
                data[name] = theirs
        again = type(self)(data, instance=fresh, **self.options)
        again.is_valid()
        moved = [name for name in seen if as_typed(seen[name]) != as_typed(now[name])]
        again.conflicts = tuple(
            Conflict(self._label(name), self._in_words(name, now[name]), self._in_words(name, mine[name]))
            for name in moved
            if name in mine
        )
        again.overtaken = tuple(self._label(name) for name in moved if name not in mine)
        return again

    def _label(self, name: str) -> str:
        return str(self.fields[name].label)

    def _in_words(self, name: str, value: Any) -> str:
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        words = str(dict(getattr(self.fields[name], "choices", ())).get(value, value))
        return words if 0 < len(words) <= 200 else f"{words[:200]}…" if words else _("nothing")


def salespeople_for(actor: Person, card: Opportunity | None) -> list[tuple[str, str | Promise]]:
    """Offer the salespeople that this person may give the card to, with the one it has (D40)."""
    nobody = ("", gettext_lazy("Unassigned"))
    present = card.salesperson if card is not None else None
    if access.is_at_least(actor, Role.MANAGER):
        people = list(access.may_take_cards())
        if present is not None and present not in people:
            people.append(present)
        return [nobody, *((str(person.pk), history.label(person)) for person in people)]
    me = (str(actor.pk), history.label(actor))
    if card is None or present is None:
        return [nobody, me] if access.sees_unassigned(actor) else [me]
    return [(str(present.pk), history.label(present))]


def refuse(form: forms.BaseForm, error: ValidationError) -> None:
    """Show what a verb found out of bounds: at its field where the form has it, else above the fields."""
    fields = {argument: name for name, argument in ARGUMENTS.items()}
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, errors in error.error_dict.items():
        own = fields.get(name, name)
        form.add_error(own if own in form.fields else None, errors)


class NoteForm(forms.Form):
    """Something worth remembering."""

    text = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=NOTE_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": gettext_lazy("Write something first.")},
    )

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, auto_id="note-%s", label_suffix="")


class ActionForm(forms.Form):
    """The next thing to do, by when and by whom."""

    text = forms.CharField(
        label=gettext_lazy("What to do"),
        max_length=ACTION_LENGTH,
        error_messages={"required": gettext_lazy("Say what is to be done.")},
    )
    due_on = DayField(label=gettext_lazy("Due"), error_messages={"required": gettext_lazy("Say by when.")})
    assignee = forms.TypedChoiceField(
        label=gettext_lazy("Who"),
        required=False,
        coerce=int,
        empty_value=None,
        error_messages={"invalid_choice": gettext_lazy("That person is not offered any more. Choose another.")},
    )

    remind = forms.ChoiceField(
        label=gettext_lazy("Reminder"),
        choices=REMINDERS,
        required=False,
        help_text=gettext_lazy("Whoever does it is reminded here and, if they wish, by mail."),
    )
    remind_on = DayField(label=gettext_lazy("Remind on"), required=False)
    remind_time = forms.TimeField(
        label=gettext_lazy("Remind at"),
        required=False,
        widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"}),
        error_messages={"invalid": gettext_lazy("There is no such time. Write it like 14:30.")},
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        initial: Mapping[str, Any] | None = None,
        present: Person | None = None,
        auto_id: str = "action-%s",
    ) -> None:
        start = {"remind": ActionItem.Remind.DAY.value, **(initial or {})}
        super().__init__(data, initial=start, auto_id=auto_id, label_suffix="")
        people = list(access.may_take_cards())
        if present is not None and present not in people:
            people.append(present)
        assignee = self.fields["assignee"]
        assert isinstance(assignee, forms.TypedChoiceField)  # noqa: S101 - as declared above
        assignee.choices = [
            ("", gettext_lazy("Nobody yet")),
            *((str(person.pk), history.label(person)) for person in people),
        ]

    def arguments(self) -> dict[str, Any]:
        """Return what `activity.add_action` and `edit_action` ask for."""
        given = self.cleaned_data
        facts = {"text": given["text"], "due_on": given["due_on"], "assignee_id": given["assignee"]}
        if given["remind"]:
            moment = given["remind"] == ActionItem.Remind.MOMENT
            at = (given["remind_on"], given["remind_time"]) if moment else (None, None)
            facts["wish"] = Wish(given["remind"], *at)
        return facts


def wish_fields(item: ActionItem) -> dict[str, Any]:
    """Return what the form of an action item begins with, where there is one already."""
    return {"remind": item.remind, "remind_on": item.remind_on, "remind_time": item.remind_time}


class SnoozeForm(forms.Form):
    """Another day for an action item."""

    due_on = DayField(label=gettext_lazy("Put off to"), error_messages={"required": gettext_lazy("Say to which day.")})

    def __init__(self, data: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(data, auto_id="snooze-%s", label_suffix="", **options)


class ForecastForm(forms.Form):
    """Another forecast date. `version` says which card was seen, where the page knows it."""

    forecast_date = DayField(label=gettext_lazy("Forecast date"), required=False)
    version = forms.IntegerField(required=False, min_value=1, max_value=2**31 - 1, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(data, auto_id="forecast-%s", label_suffix="", **options)


class StatusForm(forms.Form):
    """A row of the status table, chosen by hand, and why."""

    status = forms.ModelChoiceField(
        OpportunityStatus.objects.all(),
        error_messages={
            "required": gettext_lazy("Choose a status."),
            "invalid_choice": gettext_lazy("That status is not offered any more. Choose another."),
        },
    )
    reason = forms.ModelChoiceField(
        Reason.objects.filter(list=Reason.List.CANCEL, active=True).order_by("sequence", "pk"),
        label=gettext_lazy("Reason"),
        required=False,
        empty_label=gettext_lazy("Choose a reason"),
        help_text=gettext_lazy("Needed for a lost deal; a closed one may have one."),
        error_messages={"invalid_choice": gettext_lazy("That reason is not offered any more. Choose another.")},
    )

    def __init__(self, data: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(data, auto_id="status-%s", label_suffix="", **options)


class CustomerForm(SeenForm):
    """The facts of a customer. Saving is the verb's: `customers.create` and `customers.edit`."""

    class Meta:
        model = Customer
        fields = ("name", "kind", "email", "phone", "address", "notes")
        widgets = {
            "address": forms.Textarea(attrs={"rows": 3, "maxlength": 2_000}),
            "notes": forms.Textarea(attrs={"rows": 3, "maxlength": TEXT_LENGTH}),
            "phone": forms.TextInput(attrs={"type": "tel"}),
        }

    def __init__(self, data: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)
        self.fields["name"].error_messages["required"] = _("Give a name.")


class ContactForm(SeenForm):
    """The facts of a contact. Saving is the verb's: `customers.add_contact` and `customers.edit_contact`."""

    class Meta:
        model = Contact
        fields = ("name", "role", "email", "phone", "active")
        widgets = {"phone": forms.TextInput(attrs={"type": "tel"})}

    def __init__(self, data: Mapping[str, Any] | None = None, *, new: bool, **options: Any) -> None:
        super().__init__(data, label_suffix="", **options)
        self.options = {"new": new}
        self.fields["name"].error_messages["required"] = _("Give a name.")
        self.fields["active"].help_text = _(
            "Who is not active is no longer offered, but stays on the cards that name them."
        )
        if new:
            del self.fields["active"]
