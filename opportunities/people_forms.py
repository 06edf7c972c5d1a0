"""What can be typed about people: their own accounts, and the page "People"."""

from typing import TYPE_CHECKING, Any, override

from django import forms
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import PasswordResetForm as DjangoPasswordResetForm
from django.contrib.auth.forms import UsernameField
from django.utils.translation import gettext_lazy as _

from opportunities import access, password_links, people
from opportunities.access import Person, Role
from opportunities.models import Subject, Way

if TYPE_CHECKING:
    from collections.abc import Iterable

ROLE_CHOICES = (
    (Role.SALESPERSON.value, _("Salesperson: works on cards")),
    (Role.MANAGER.value, _("Manager: also reassigns and decides on anybody's card")),
    (Role.ADMIN.value, _("Admin: also keeps the settings and the people")),
)


class ProfileForm(forms.Form):
    """One's own name, address and phone."""

    first_name = forms.CharField(label=_("First name"), max_length=150, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=150, required=False)
    email = forms.EmailField(label=_("E-mail"), max_length=254, required=False)
    phone = forms.CharField(
        label=_("Phone"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"type": "tel"}),
        help_text=_("Mails to customers can name it as the salesperson's."),
    )

    @override
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        hints = {"first_name": "given-name", "last_name": "family-name", "email": "email", "phone": "tel"}
        for name, hint in hints.items():
            self.fields[name].widget.attrs["autocomplete"] = hint


class NoticeChoicesForm(forms.Form):
    """How one wants to be told of what: a choice for each subject."""

    @override
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for subject in Subject:
            self.fields[subject.value] = forms.ChoiceField(label=subject.label, choices=Way.choices)


class PersonForm(ProfileForm):
    """What an admin says about a colleague."""

    username = UsernameField(
        label=_("Username"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("What they log in with."),
    )
    role = forms.ChoiceField(
        label=_("Group"), choices=ROLE_CHOICES, widget=forms.RadioSelect, initial=Role.SALESPERSON.value
    )
    field_order = ("first_name", "last_name", "email", "phone", "username", "role")

    @override
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("first_name", "last_name", "email", "phone"):
            self.fields[name].widget.attrs["autocomplete"] = "off"
        for field in self.fields.values():
            field.show_hidden_initial = bool(self.initial)

    def changed(self) -> dict[str, Any]:
        """What differs from what the page showed, or was not shown: nobody else's change is written over unseen."""
        unseen = {name for name in self.fields if self[name].html_initial_name not in self.data}
        return {name: self.cleaned_data[name] for name in self.fields if name in unseen or name in self.changed_data}

    def clean_role(self) -> Role:
        """The group as the verbs call it."""
        return Role(self.cleaned_data["role"])


class ColleagueField(forms.ModelChoiceField["Person"]):
    """A choice of people, each called by name."""

    @override
    def label_from_instance(self, obj: Person) -> str:
        return people.name_of(obj)


class HandOverForm(forms.Form):
    """Who takes the cards of a colleague."""

    @override
    def __init__(self, *args: Any, giver: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        colleagues = access.may_take_cards().exclude(pk=giver.pk)
        self.fields["to"] = ColleagueField(queryset=colleagues, label=_("To"), empty_label=_("Choose a colleague"))


class PasswordResetForm(DjangoPasswordResetForm):
    """Asks for an address and mails a link to whoever has it; the answer is the same if nobody does."""

    @override
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("E-mail")

    @override
    def get_users(self, email: str) -> "Iterable[Person]":
        """Everybody active with that address, also those who have not set their first password yet."""
        return get_user_model()._default_manager.filter(email__iexact=email, is_active=True)

    @override
    def save(self, *args: Any, **kwargs: Any) -> None:
        """Mail the links, each to the address that we have, never to the one that was typed."""
        for person in self.get_users(self.cleaned_data["email"]):
            password_links.mail(person)
