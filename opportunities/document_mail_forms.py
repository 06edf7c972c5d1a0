"""The mail in the sheet of an act on a document: to whom, in which words, and how it will look."""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any, override

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from opportunities import document_mail, mail
from opportunities.document_mail import Offered
from opportunities.link_keys import AnyRecipient
from opportunities.mail import Rendered
from opportunities.models import BusinessSettings


class SomeChoices(forms.RadioSelect):
    """Choices of which some cannot be taken now; a sentence beside them says why."""

    closed: Set[str] = frozenset()

    @override
    def create_option(self, name: str, value: Any, *args: Any, **options: Any) -> dict[str, Any]:
        return _closed(super().create_option(name, value, *args, **options), self.closed)


class SomeBoxes(forms.CheckboxSelectMultiple):
    """Check boxes of which some cannot be ticked now."""

    closed: Set[str] = frozenset()

    @override
    def create_option(self, name: str, value: Any, *args: Any, **options: Any) -> dict[str, Any]:
        return _closed(super().create_option(name, value, *args, **options), self.closed)


def _closed(option: dict[str, Any], closed: Set[str]) -> dict[str, Any]:
    if str(option["value"]) in closed:
        option["attrs"]["disabled"] = True
    return option


class RecipientChoice(forms.MultipleChoiceField):
    """Which recipients get the mail: everybody who has an address, unless somebody is unticked."""

    def __init__(self, people: Iterable[AnyRecipient]) -> None:
        people = list(people)
        super().__init__(
            label=_("To"),
            required=False,
            choices=[(str(each.pk), address_of(each)) for each in people],
            initial=[str(each.pk) for each in people if each.email],
            widget=SomeBoxes,
            error_messages={"invalid_choice": _("The recipients were changed meanwhile. Look at them again.")},
        )
        assert isinstance(self.widget, SomeBoxes)  # noqa: S101 - as given above
        self.widget.closed = {str(each.pk) for each in people if not each.email}


def address_of(recipient: AnyRecipient) -> str:
    """Write to whom a mail goes, or why it cannot."""
    said = {"name": recipient.name, "email": recipient.email}
    return _("%(name)s, %(email)s") % said if recipient.email else _("%(name)s: no e-mail address") % said


def words_fields(document: Offered) -> dict[str, forms.Field]:
    """Make the fields for the words of one mail. They begin with the template, which they leave as it is."""
    subject, body = document_mail.begins_with(document)
    names = ", ".join(f"{{{{{name}}}}}" for name in mail.PLACEHOLDERS[document_mail.key_of(document)])
    return {
        "subject": forms.CharField(
            label=_("Subject"), required=False, max_length=mail.LONGEST_SUBJECT, initial=subject
        ),
        "body": forms.CharField(
            label=_("Text"),
            required=False,
            max_length=mail.LONGEST_BODY,
            initial=body,
            widget=forms.Textarea(attrs={"rows": 10}),
            help_text=_("For this mail only; the template stays as it is. What can stand in braces: %(names)s.")
            % {"names": names},
        ),
    }


@dataclass(frozen=True)
class MailPart:
    """The mail of a form: its fields, and a preview of what the first recipient gets."""

    form: forms.Form
    document: Offered
    recipient: AnyRecipient | None
    business: BusinessSettings

    def fields(self) -> list[forms.BoundField]:
        """The fields, in the order in which they are shown."""
        return [self.form[name] for name in ("to", "subject", "body") if name in self.form.fields]

    @property
    def to(self) -> str:
        """Whose mail the preview shows."""
        return "" if self.recipient is None else address_of(self.recipient)

    @cached_property
    def preview(self) -> Rendered | None:
        """The mail as it would leave now; none where nobody gets it, or the words cannot be filled in."""
        if self.recipient is None:
            return None
        subject, body = (str(self.form[name].value() or "") for name in ("subject", "body"))
        try:
            document_mail.check(self.document, subject, body)
        except ValidationError:
            return None
        common = document_mail.values_of(self.document, business=self.business)
        values = document_mail.values_for(self.recipient, common)
        return mail.render(subject, body, values, document_mail.key_of(self.document))

    @property
    def empty(self) -> str:
        """Name the placeholders that stand for nothing here."""
        return "" if self.preview is None else ", ".join(self.preview.empty)
