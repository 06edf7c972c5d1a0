"""What acts on documents ask: a reason, how it was sent, what becomes of the forecast date."""

import uuid
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, override

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import access, days, document_mail, offers
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.document_mail import Message
from opportunities.document_mail_forms import MailPart, RecipientChoice, SomeChoices, words_fields
from opportunities.documents import Desk
from opportunities.foresight import KEPT, Forecast
from opportunities.forms import DayField
from opportunities.models import Job, Opportunity, Quote, Reason
from opportunities.offers import Offer
from opportunities.states import QuoteState

AFTER_SERVICE = timedelta(days=14)
"""How long after the service date a contracted deal is expected to be done."""

KEEP, NEW, CLEAR = "keep", "new", "clear"


class ActForm(forms.Form):
    """An act that asks nothing. What it is about is given, so that a form can ask what fits."""

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        document: AnyDocument,
        desk: Desk,
        reader: Person,
        **options: Any,
    ) -> None:
        super().__init__(data, auto_id="act-%s", label_suffix="", **options)
        self.document, self.desk, self.reader = document, desk, reader
        self.arrange()

    def arrange(self) -> None:
        """Fit the fields to the document."""

    def foretold_by(self) -> dict[str, Any]:
        """What `foresight.after` needs of what is typed, or of what the form proposes."""
        return {}

    def foretold_forecast(self) -> Forecast:
        """What becomes of the card's forecast date if the form is sent as it stands."""
        if "forecast" not in self.fields:
            return KEPT
        if self.is_bound:
            wrong = {"forecast", "forecast_date", "service_date"} & set(self.errors)
            return KEPT if wrong else self.forecast()
        choice = self.fields["forecast"].initial
        return choice in {NEW, CLEAR}, self.fields["forecast_date"].initial if choice == NEW else None

    @property
    def foretells(self) -> bool:
        """Tell whether what it makes of the card depends on what is chosen of the forecast date."""
        return "forecast" in self.fields

    def worded(self, offer: Offer) -> Offer:
        """Say on which condition the consequence comes true, where the form leaves it open."""
        return offer

    @property
    def card(self) -> Opportunity | None:
        """The card that the document is on."""
        card: Opportunity | None = self.document.opportunity
        return card

    MAIL_FIELDS: tuple[str, ...] = ()
    """Fields that are shown together, with a preview of the mail."""

    def asked(self) -> list[forms.BoundField]:
        """The fields that stand alone."""
        return [self[name] for name in self.fields if name not in self.MAIL_FIELDS]

    def mail(self) -> MailPart | None:
        """The words of a mail that goes along with the act, and how its first recipient sees it."""
        return None

    def ask_reopen(self) -> None:
        """Ask whether a card that was closed by hand is open again by this (D41, AC181)."""
        if self.card is not None and offers.asks_reopen(self.card, self.reader):
            self.fields["reopen"] = reopen_field(self.card)

    def ask_forecast(self, service_date: date | None) -> None:
        """Say that a contracted card still expires when its date passes, and offer another (D13)."""
        card = self.card
        if card is None or card.forecast_date is None:
            return
        self.fields["forecast"], self.fields["forecast_date"] = forecast_fields(card, service_date, self.desk.today)

    @override
    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("forecast") == NEW and given.get("forecast_date") is None and "forecast_date" not in self.errors:
            self.add_error("forecast_date", ValidationError(_("Give the new date."), code="required"))
        return given

    def forecast(self) -> tuple[bool, date | None]:
        """Tell whether the forecast date changes, and to what."""
        choice = self.cleaned_data.get("forecast", KEEP)
        return choice in {NEW, CLEAR}, self.cleaned_data.get("forecast_date") if choice == NEW else None


class TokenForm(ActForm):
    """An act that adds up if it is done twice. Its token lets a form do it once, however often it is sent."""

    token = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(data, initial={"token": str(uuid.uuid4())}, **options)

    @property
    def act(self) -> uuid.UUID:
        """The act that history keeps; what is no token counts as a form without one."""
        try:
            return uuid.UUID(self.cleaned_data.get("token", ""))
        except ValueError:
            return uuid.uuid4()

    @override
    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if "token" in given:
            given["act"] = self.act
        return given


def reopen_field(card: Opportunity) -> forms.BooleanField:
    """Make the field that asks whether a card that was closed by hand is open again; yes is preselected (D41)."""
    words = _("Reopen %(card)s, which was marked “%(status)s” by hand")
    label = words % {"card": card.number, "status": card.status.name}
    return forms.BooleanField(label=label, required=False, initial=True)


def forecast_fields(card: Opportunity, service_date: date | None, today: date) -> tuple[forms.Field, forms.Field]:
    """Make the two fields that ask what becomes of a card's forecast date when it is contracted or rescheduled."""
    present = card.forecast_date or today
    later = max(service_date or today, today) + AFTER_SERVICE
    choice = forms.ChoiceField(
        label=_("Forecast date"),
        choices=[
            (KEEP, _("Keep %(day)s") % {"day": days.full(present)}),
            (NEW, _("Change it")),
            (CLEAR, _("Clear it: the card never expires")),
        ],
        initial=KEEP if present > later else NEW,
        widget=forms.RadioSelect,
        help_text=_("A contracted card still expires when its forecast date passes before the work is done."),
    )
    return choice, DayField(label=_("New forecast date"), required=False, initial=later)


class ReasonForm(ActForm):
    """Why a document is voided or canceled."""

    LIST = Reason.List.VOID

    reason = forms.ModelChoiceField(
        Reason.objects.none(),
        label=gettext_lazy("Reason"),
        empty_label=gettext_lazy("Choose a reason"),
        error_messages={
            "required": gettext_lazy("Choose a reason."),
            "invalid_choice": gettext_lazy("That reason is not offered any more. Choose another."),
        },
    )

    @override
    def arrange(self) -> None:
        reason = self.fields["reason"]
        assert isinstance(reason, forms.ModelChoiceField)  # noqa: S101 - as declared above
        reason.queryset = Reason.objects.filter(list=self.LIST, active=True).order_by("sequence", "pk")


class VoidForm(ReasonForm):
    """A reason of the void list."""


class CancelForm(ReasonForm):
    """A reason of the cancel list."""

    LIST = Reason.List.CANCEL


class DeclineForm(ActForm):
    """What the customer said, if they said why."""

    note = forms.CharField(
        label=gettext_lazy("What they said"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class SubmitForm(TokenForm):
    """How the document reaches the customer: by mail from here, for that is what submitting is taken for, or otherwise.

    Sent twice, it counts as sent once. Whoever posts no mail mails none.
    """

    MAIL_FIELDS = ("to", "subject", "body")
    HOW = (
        ("mail", gettext_lazy("Mail it from here, to each person their own private link")),
        ("link", gettext_lazy("Copy the private link, and send it myself")),
        ("by_hand", gettext_lazy("I handed it over myself")),
    )

    how = forms.ChoiceField(
        label=gettext_lazy("How does it reach the customer?"), choices=HOW, widget=SomeChoices, initial="link"
    )

    @override
    def arrange(self) -> None:
        self.ask_reopen()
        document, how = self.document, self.fields["how"]
        assert not isinstance(document, Job) and isinstance(how, forms.ChoiceField)  # noqa: S101, PT018 - no job is sent
        self.people = list(document.recipients.all())
        if not self.people:
            how.choices, how.initial = self.HOW[2:], "by_hand"
            words = _("Nobody is named who would get a link. Edit %(number)s and add a recipient to send it by link.")
            how.help_text = words % {"number": document.number}
        elif not any(each.email for each in self.people):
            assert isinstance(how.widget, SomeChoices)  # noqa: S101 - as declared above
            how.widget.closed = {"mail"}
            words = _("No recipient has an e-mail address. Edit %(number)s and give them one to mail it.")
            how.help_text = words % {"number": document.number}
        else:
            how.initial = "mail"
            how.help_text = _("It is mailed as soon as it is submitted, unless you choose otherwise.")
            self.fields |= {"to": RecipientChoice(self.people), **words_fields(document)}

    @override
    def mail(self) -> MailPart | None:
        if "to" not in self.fields:
            return None
        assert not isinstance(self.document, Job)  # noqa: S101 - no job is sent
        ticked = {str(each) for each in self["to"].value() or ()}
        first = next((each for each in self.people if str(each.pk) in ticked and each.email), None)
        return MailPart(self, self.document, first, self.desk.business)

    @override
    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if given.get("how") != "mail":
            return given
        if "to" not in self.fields:
            self.add_error("how", _("No recipient has an e-mail address, so it cannot be mailed."))
        elif not self.errors:
            given["mail"] = self._message(given)
        return given

    def _message(self, given: Mapping[str, Any]) -> Message | None:
        """Read what is to be mailed; the verb would refuse the same, but here it is said at the field."""
        assert not isinstance(self.document, Job)  # noqa: S101 - no job is sent
        message = Message(given["subject"], given["body"], frozenset(map(int, given["to"])))
        try:
            document_mail.compose(self.document, message, desk=self.desk)
        except ValidationError as error:
            self.add_error(None, error)
            return None
        return message


class MailForm(TokenForm):
    """The words of a mail to one recipient of a document that is out."""

    MAIL_FIELDS = ("subject", "body")

    def __init__(self, *args: Any, recipient: Any, **options: Any) -> None:
        self.recipient = recipient
        super().__init__(*args, **options)

    @override
    def arrange(self) -> None:
        assert not isinstance(self.document, Job)  # noqa: S101 - no job is sent
        self.fields |= words_fields(self.document)

    @override
    def mail(self) -> MailPart | None:
        assert not isinstance(self.document, Job)  # noqa: S101 - no job is sent
        return MailPart(self, self.document, self.recipient, self.desk.business)

    @override
    def clean(self) -> dict[str, Any]:
        given = super().clean()
        assert not isinstance(self.document, Job)  # noqa: S101 - no job is sent
        try:
            document_mail.check(self.document, given.get("subject", ""), given.get("body", ""))
        except ValidationError as error:
            self.add_error(None, error)
        return given


class OthersForm(ActForm):
    """Whether the other offers stay on the card."""

    def ask_others(self) -> None:
        """Offer to take the other live quotes off the card, to whom may do that."""
        if self.card is None or not access.may(self.reader, "detach", self.card):
            return
        others = self.others()
        if not others:
            return
        label = _("Detach the other quotes: %(quotes)s") % {"quotes": ", ".join(others)}
        help_text = _("They stay what they are, on no card. Left here, ending one of them later may lose the deal.")
        self.fields["detach_others"] = forms.BooleanField(label=label, required=False, help_text=help_text)

    def others(self) -> list[str]:
        """The numbers of the other live quotes of the card."""
        return [
            quote.number
            for quote in self.desk.documents_of(self.document.opportunity_id).quotes
            if self.document.opportunity_id is not None
            and quote.pk != self.document.pk
            and not quote.is_dead
            and not quote.is_archived
            and str(quote.state) != QuoteState.CONVERTED
        ]


class AcceptForm(OthersForm):
    """Who said yes, if that is known, and what becomes of the other offers."""

    name = forms.CharField(
        label=gettext_lazy("Accepted by"),
        required=False,
        max_length=150,
        help_text=gettext_lazy("The printed quote names them. Left empty, it only says when it was accepted."),
    )

    @override
    def arrange(self) -> None:
        self.fields["name"].initial = self._whom()
        self.ask_others()

    def _whom(self) -> str:
        """The only one who was asked; nobody where there are several to choose from."""
        assert isinstance(self.document, Quote)  # noqa: S101 - only quotes are accepted as a whole
        names = [recipient.name for recipient in self.document.recipients.all()] or [self.document.customer.name]
        return names[0] if len(names) == 1 else ""


class ConvertForm(OthersForm):
    """What becomes of the other offers, of the forecast date, and of a card that was closed by hand."""

    @override
    def arrange(self) -> None:
        self.ask_others()
        self.ask_reopen()
        self.ask_forecast(getattr(self.document, "service_date", None))


class ForecastOnlyForm(ActForm):
    """What becomes of the forecast date."""

    @override
    def arrange(self) -> None:
        self.ask_forecast(getattr(self.document, "service_date", None))
