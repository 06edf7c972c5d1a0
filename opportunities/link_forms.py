"""What a customer types when answering by a private link."""

from django import forms
from django.utils.translation import gettext_lazy

NAME_LENGTH = 120


class AnswerForm(forms.Form):
    """Whose answer it is, and what they saw."""

    name = forms.CharField(
        label=gettext_lazy("Your name"),
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        error_messages={
            "required": gettext_lazy("Type your name, so that we know who answered."),
            "max_length": gettext_lazy("That name is too long: 120 characters at most."),
        },
    )
    seen = forms.CharField(max_length=16, required=False, widget=forms.HiddenInput)

    def clean_name(self) -> str:
        """Read the name without needless space."""
        return " ".join(self.cleaned_data["name"].split())


class LinkAcceptForm(AnswerForm):
    """A yes."""


class LinkDeclineForm(AnswerForm):
    """A no, with what they care to say about it."""

    note = forms.CharField(
        label=gettext_lazy("Would you tell us why?"),
        max_length=2_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
