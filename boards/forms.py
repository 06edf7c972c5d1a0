"""The shape of what people send from the board page. What is allowed, the verbs decide."""

from typing import Any, override

from django import forms
from django.utils.translation import gettext_lazy as _

from opportunities.models import OpportunityStatus, Reason


class MoveForm(forms.Form):
    """Where a card shall go: a column or one of its stages, beside a neighbour or to an end."""

    column = forms.IntegerField(required=False, min_value=1)
    stage = forms.IntegerField(required=False, min_value=1)
    after = forms.IntegerField(required=False, min_value=1)
    before = forms.IntegerField(required=False, min_value=1)
    to = forms.ChoiceField(required=False, choices=[("", ""), ("top", "top"), ("bottom", "bottom")])
    version = forms.IntegerField(required=False, min_value=0)
    first = forms.BooleanField(required=False)


class AddForm(forms.Form):
    """A new card in two or three words."""

    title = forms.CharField(label=_("Title"), max_length=200, widget=forms.TextInput(attrs={"autofocus": True}))
    customer = forms.CharField(
        label=_("Customer"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"list": "customer-names", "autocomplete": "off"}),
    )
    amount = forms.DecimalField(
        label=_("Amount"),
        required=False,
        min_value=0,
        max_digits=14,
        decimal_places=2,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


ZONES = {
    "won": {"won": True},
    "lost": {"lost": True},
    "closed": {"closed": True, "won": False, "lost": False},
}
"""The rows of the status table that each drop zone stands for."""


class StatusChoice(forms.ModelChoiceField):
    """A status row by its name."""

    @override
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.name)


class ReasonChoice(forms.ModelChoiceField):
    """A reason by its label."""

    @override
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.label)


class OutcomeForm(forms.Form):
    """How a deal ended, chosen by hand; a lost one says why."""

    status = StatusChoice(
        label=_("Status"), queryset=OpportunityStatus.objects.none(), widget=forms.RadioSelect, empty_label=None
    )
    reason = ReasonChoice(
        label=_("Reason"), queryset=Reason.objects.none(), required=False, empty_label=_("Choose a reason")
    )

    def __init__(self, *args: Any, zone: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = OpportunityStatus.objects.active().filter(**ZONES.get(zone, {})).in_order()
        reasons = Reason.objects.filter(list=Reason.List.CANCEL, active=True).order_by("sequence", "pk")
        self.rows = list(rows)
        self.asks_reason = any(row.closed and not row.won for row in self.rows)
        self.needs_reason = bool(self.rows) and all(row.lost for row in self.rows)
        status, reason = self.fields["status"], self.fields["reason"]
        assert isinstance(status, forms.ModelChoiceField)
        assert isinstance(reason, forms.ModelChoiceField)
        status.queryset, reason.queryset = rows, reasons
        status.initial = self.rows[0] if self.rows else None
        reason.required = self.needs_reason
        reason.error_messages["required"] = _("Say why the deal was lost.")

    @property
    def only_row(self) -> OpportunityStatus | None:
        """The one row that can be chosen and asks for nothing more, if it is so."""
        return self.rows[0] if len(self.rows) == 1 and not self.asks_reason else None
