"""The mail part of the cancel sheet: whether, to whom, in which words; with a look at it beforehand (section 7)."""

from collections.abc import Mapping
from typing import Any, override

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import cancel_mail, mail
from opportunities.cancel_mail import Address, Prefill
from opportunities.mail import Rendered
from opportunities.models import BusinessSettings, Opportunity


class CancelMailForm(forms.Form):
    """Whether customers are told by mail; unticked, because a mail cannot be taken back.

    What was proposed can be taken off, and further addresses typed; the words are those of the template until they are
    changed, for this one mail. Unless the box is ticked nothing else counts.
    """

    send = forms.BooleanField(label=gettext_lazy("Tell the customer by mail"), required=False)
    to = forms.MultipleChoiceField(label=gettext_lazy("To"), required=False, widget=forms.CheckboxSelectMultiple)
    cc = forms.MultipleChoiceField(label=gettext_lazy("Copy to"), required=False, widget=forms.CheckboxSelectMultiple)
    extra = forms.CharField(
        label=gettext_lazy("Further addresses"),
        required=False,
        max_length=6_000,
        help_text=gettext_lazy("They get a copy. Commas, semicolons or new lines between them; 20 at most."),
        widget=forms.Textarea(attrs={"rows": 1, "data-enables": "mail-send"}),
    )
    subject = forms.CharField(label=gettext_lazy("Subject"), required=False, max_length=mail.LONGEST_SUBJECT)
    body = forms.CharField(
        label=gettext_lazy("Text"),
        required=False,
        max_length=mail.LONGEST_BODY,
        widget=forms.Textarea(attrs={"rows": 9}),
    )

    def __init__(
        self, data: Any = None, *, card: Opportunity, business: BusinessSettings, only_look: bool = False
    ) -> None:
        """Begin as the template and the card say; with `only_look`, as typed, and nothing is judged yet."""
        super().__init__(None if only_look else data, auto_id="%s", prefix="mail", label_suffix="")
        self.card, self.business = card, business
        self.filled: Prefill = cancel_mail.prefill(card, business=business)
        for name, proposed in (("to", self.filled.to), ("cc", self.filled.cc)):
            field = self.fields[name]
            field.choices = [(each.email, _shown(each)) for each in proposed]  # type: ignore[attr-defined]
            field.initial = [each.email for each in proposed]
        self.fields["subject"].initial, self.fields["body"].initial = self.filled.subject, self.filled.body
        if only_look:
            self._keep(data)
        self.words = str(self["subject"].value() or ""), str(self["body"].value() or "")
        box = self.fields["send"].widget
        if self.why_not:
            box.attrs["disabled"] = True

    def _keep(self, data: Mapping[str, Any]) -> None:
        for name, field in self.fields.items():
            field.initial = field.widget.value_from_datadict(data, {}, self.add_prefix(name))

    @property
    def error(self) -> str:
        """Why these words cannot be a mail: they name what nobody knows (AC172)."""
        names = mail.unknown("\n".join(self.words), mail.CANCELED)
        return mail.unknown_words(names, mail.CANCELED) if names else ""

    @property
    def why_not(self) -> str:
        """Why the box cannot be ticked now (AC167, AC172)."""
        if self.error:
            return _("No mail can be sent with these words.")
        if self.filled.nobody and not str(self["extra"].value() or "").strip():
            return _(
                "No customer of this opportunity has an e-mail address. Type one below to send a mail all the same."
            )
        return ""

    def preview(self, *, reason: str, today: Any) -> Rendered | None:
        """Return the mail as it would leave."""
        subject, body = self.words
        return cancel_mail.preview(self.filled, subject=subject, body=body, reason=reason, today=today)

    @property
    def is_open(self) -> bool:
        """Tell whether the details are to be shown: something was chosen or is wrong."""
        return bool(self["send"].value()) or bool(self.error) or (self.is_bound and not self.is_valid())

    @override
    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not given.get("send"):
            self.errors.clear()
            return given
        for name in ("subject", "body"):
            if names := mail.unknown(str(given.get(name) or ""), mail.CANCELED):
                self.add_error(name, mail.unknown_words(names, mail.CANCELED))
        try:
            cancel_mail.read(self.card, self._arguments(given), business=self.business)
        except ValidationError as error:
            for name, messages in error.message_dict.items():
                if name not in self.errors:
                    self.add_error(name, messages)
        return given

    def _arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {name: given.get(name, "") for name in ("to", "cc", "extra", "subject", "body")}

    def arguments(self) -> dict[str, Any] | None:
        """Return the mail as `lifecycle.cancel` takes it; None for none."""
        return self._arguments(self.cleaned_data) if self.cleaned_data.get("send") else None


def _shown(address: Address) -> str:
    return f"{address.name} · {address.email}" if address.name else address.email
