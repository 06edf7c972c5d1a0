"""The three questions of a new installation."""

from django import forms
from django.utils.translation import gettext_lazy as _

from opportunities import business
from opportunities.models import BusinessSettings


class SetupForm(forms.Form):
    """What the business is called, where its clock hangs, and in what money it reckons."""

    name = forms.CharField(
        label=_("Business name"), max_length=BusinessSettings._meta.get_field("name").max_length or 100
    )
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=60,
        widget=forms.TextInput(attrs={"list": "time-zones", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Type a city to find it. A day ends at midnight of this zone."),
    )
    currency = forms.ChoiceField(
        label=_("Currency"),
        choices=lambda: [(code, f"{code} · {name}") for code, name in business.currencies()],
        help_text=_("It stays, once an opportunity has an amount."),
    )

    def clean_time_zone(self) -> str:
        """Accept a city as well."""
        return business.find_time_zone(self.cleaned_data["time_zone"])
