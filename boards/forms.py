"""The shape of what people send from the board page. What is allowed, the verbs decide."""

import uuid
from typing import Any, override

from django import forms
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from opportunities.forms import MoneyField
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
    """A new card in two or three words, at the foot of a column."""

    title = forms.CharField(
        label=_("Title"),
        max_length=200,
        widget=forms.TextInput(attrs={"autofocus": True, "autocomplete": "off"}),
        error_messages={"required": _("Give the opportunity a title.")},
    )
    customer = forms.CharField(
        label=_("Customer"), max_length=200, required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    amount = MoneyField(label=_("Amount"), required=False)
    token = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, column_id: int, currency: str) -> None:
        super().__init__(data, initial={"token": uuid.uuid4()}, auto_id=f"add-{column_id}-%s", label_suffix="")
        self.fields["amount"].currency = currency  # type: ignore[attr-defined]
        self.names_id = f"add-{column_id}-names"
        self.fields["customer"].widget.attrs |= {
            "list": self.names_id,
            "hx-get": reverse("opportunities:customer-suggest"),
            "hx-trigger": "input changed delay:200ms",
            "hx-target": f"#{self.names_id}",
            "hx-swap": "innerHTML",
            "hx-sync": "this:replace",
        }


ZONES = {
    "won": {"won": True},
    "lost": {"lost": True},
    "closed": {"closed": True, "won": False, "lost": False},
}
"""The rows of the status table that each drop zone stands for."""


class StatusChoice(forms.ModelChoiceField[OpportunityStatus]):
    """A status row by its name."""

    @override
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.name)


class ReasonChoice(forms.ModelChoiceField[Reason]):
    """A reason by its label."""

    @override
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.label)


class OutcomeForm(forms.Form):
    """How a deal ended, chosen by hand; a lost one says why."""

    def __init__(self, data: Any = None, *, zone: str = "") -> None:
        super().__init__(data, auto_id="outcome-%s", label_suffix="")
        rows = OpportunityStatus.objects.active().filter(**ZONES.get(zone, {})).in_order()
        reasons = Reason.objects.filter(list=Reason.List.CANCEL, active=True).order_by("sequence", "pk")
        self.rows = list(rows)
        self.asks_reason = any(row.closed and not row.won for row in self.rows)
        self.needs_reason = bool(self.rows) and all(row.lost for row in self.rows)
        status = StatusChoice(queryset=rows, label=_("Status"), widget=forms.RadioSelect, empty_label=None)
        reason = ReasonChoice(
            queryset=reasons,
            label=_("Reason"),
            required=self.needs_reason,
            empty_label=_("Choose a reason"),
            error_messages={"required": _("Say why the deal was lost.")},
        )
        self.fields |= {"status": status, "reason": reason}

    @property
    def only_row(self) -> OpportunityStatus | None:
        """The one row that can be chosen and asks for nothing more, if it is so."""
        return self.rows[0] if len(self.rows) == 1 and not self.asks_reason else None
