"""What acts on a recipient ask: whose answer it was, what they said, a corrected name or address."""

from typing import Any, override

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities.document_act_forms import ActForm


class AcceptedForm(ActForm):
    """A yes that a colleague heard; the last one contracts the deal, so the forecast date is asked for."""

    name = forms.CharField(label=gettext_lazy("Accepted by"), max_length=120)

    def __init__(self, *args: Any, contracts: bool = False, **options: Any) -> None:
        self.contracts = contracts
        super().__init__(*args, **options)

    @override
    def arrange(self) -> None:
        if self.contracts:
            self.ask_forecast(None)


class RejectedForm(ActForm):
    """A no that a colleague heard, and what they said."""

    name = forms.CharField(label=gettext_lazy("Rejected by"), max_length=120)
    note = forms.CharField(
        label=gettext_lazy("What they said"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class ReaddressForm(ActForm):
    """A corrected name and address."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        error_messages={"required": gettext_lazy("Give the recipient a name.")},
    )
    email = forms.EmailField(
        label=gettext_lazy("E-mail"),
        required=False,
        help_text=gettext_lazy("They get a new private link. The old one ends."),
        error_messages={"invalid": gettext_lazy("That is no e-mail address.")},
    )

    def __init__(self, *args: Any, mailed: bool = False, **options: Any) -> None:
        self.mailed = mailed
        super().__init__(*args, **options)

    @override
    def arrange(self) -> None:
        if self.mailed:
            self.fields["email"].help_text = _("They are mailed a new private link. The old one ends.")
