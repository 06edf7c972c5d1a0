"""What attaching and detaching ask: reopen the card, its forecast date, the card that a document belongs to."""

from collections.abc import Mapping
from typing import Any, override

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import attach_choices
from opportunities.attach_choices import CardChoice
from opportunities.attached import AnyDocument
from opportunities.document_act_forms import ActForm
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
    ) -> None:
        self.onto = onto
        super().__init__(data, document=document, desk=desk)

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
