"""What attaching, detaching and duplicating ask: the card that it belongs to, whether that is open again, its date."""

from collections.abc import Mapping
from typing import Any, override

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import attach_choices, offers
from opportunities.access import Person
from opportunities.attach_choices import CardChoice
from opportunities.attached import AnyDocument
from opportunities.document_act_forms import ActForm, TokenForm, reopen_field
from opportunities.documents import Desk
from opportunities.models import Opportunity


class AttachForm(ActForm):
    """Whether a card closed by hand is open again, and what becomes of its forecast date."""

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        onto: Opportunity,
        document: AnyDocument,
        desk: Desk,
        reader: Person,
    ) -> None:
        self.onto = onto
        super().__init__(data, document=document, desk=desk, reader=reader)

    @property
    @override
    def card(self) -> Opportunity | None:
        return self.onto

    @override
    def arrange(self) -> None:
        self.ask_reopen()
        self.seen = attach_choices.prospect(self.document, self.onto, self.desk, reopen="reopen" in self.fields)
        if self.seen.contracts:
            self.ask_forecast(getattr(self.document, "service_date", None))


class PlaceField(forms.TypedChoiceField):
    """A card, or the place that the empty choice stands for: there is always one, so nothing is optional."""

    @override
    def clean(self, value: Any) -> Any:
        if value in self.empty_values and self.valid_value(""):
            return None
        return super().clean(value)


class DuplicateForm(TokenForm):
    """On which card a copy of a quote comes: that of the original, or another one of its customer."""

    @override
    def arrange(self) -> None:
        own = self.card
        others = attach_choices.cards_of_customer(self.document, self.reader)
        here = own is None or attach_choices.blocked(own) == "" or not others
        self.cards = {each.pk: each for each in (*([own] if own is not None else []), *others)}
        choices = [(str(each.pk), f"{each.number} {each.title}") for each in others]
        if here:
            choices.insert(0, ("", _("On no card") if own is None else f"{own.number} {own.title}"))
        self.fields["to"] = PlaceField(
            label=_("Where does the copy belong?"),
            choices=choices,
            coerce=int,
            initial="" if here else None,
            widget=forms.RadioSelect if len(choices) > 1 else forms.HiddenInput,
            error_messages={
                "required": _("Choose the card that the copy belongs to."),
                "invalid_choice": _("Choose one of the cards that are shown."),
            },
        )
        self._ask_reopen()

    def _ask_reopen(self) -> None:
        """Ask whether the card that is chosen is open again, where one of them was closed by hand (D41)."""
        self.closed = {pk for pk, card in self.cards.items() if offers.asks_reopen(card, self.reader)}
        if len(self.cards) == 1 and self.closed:
            self.fields["reopen"] = reopen_field(*self.cards.values())
        elif self.closed:
            numbers = ", ".join(self.cards[pk].number for pk in self.closed)
            words = _("Reopen it, if it is one that was closed by hand: %(cards)s")
            self.fields["reopen"] = forms.BooleanField(label=words % {"cards": numbers}, required=False, initial=True)

    @property
    def is_asked_where(self) -> bool:
        """Tell whether there is more than one place for the copy."""
        return isinstance(self.fields["to"].widget, forms.RadioSelect)

    @override
    def clean(self) -> dict[str, Any]:
        given = super().clean()
        to = given.get("to") or (self.card.pk if self.card is not None else None)
        return {**given, "to": given.get("to"), "reopen": to in self.closed and given.get("reopen", False)}


class DetachForm(forms.Form):
    """The card that the document belongs to, or why it has none."""

    to = forms.TypedChoiceField(coerce=int, empty_value=None, required=False)
    reason = forms.CharField(
        label=gettext_lazy("Why it belongs to no card"),
        max_length=200,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(
        self, data: Mapping[str, Any] | None = None, *, choices: list[CardChoice], leaves: bool, asks_reason: bool
    ) -> None:
        super().__init__(data, auto_id="detach-%s", label_suffix="")
        self.must_name_card = not leaves
        self.asks_reason = asks_reason
        field = self.fields["to"]
        assert isinstance(field, forms.TypedChoiceField)  # noqa: S101 - as declared above
        field.choices = [("", ""), *((str(each.pk), each.number) for each in choices if not each.refusal)]
        field.error_messages["invalid_choice"] = _("Choose one of the cards that are shown.")
        if not asks_reason:
            del self.fields["reason"]

    @override
    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if "to" in self.errors or given.get("to") is not None:
            return given
        if self.must_name_card:
            raise ValidationError({"to": _("Choose the card that it belongs to.")})
        if self.asks_reason and not (given.get("reason") or "").strip():
            raise ValidationError({"reason": _("Say why it belongs to no card, or choose its card.")})
        return given
