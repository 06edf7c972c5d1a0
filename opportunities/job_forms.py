"""What the acts on a job ask: how much was done or came back, how much money, which day, what was really used."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, override

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import days, jobs, once
from opportunities.document_act_forms import AFTER_SERVICE, CLEAR, KEEP, ActForm, TokenForm
from opportunities.documents import plain
from opportunities.forms import DayField, MoneyField
from opportunities.models import Job, JobLine, Payment, PaymentState
from opportunities.money import format_money, write_plain
from opportunities.offers import Offer
from opportunities.states import JobState

AFTER = "after"


class SubjectForm(TokenForm):
    """An act on a line, payment or refund of a job."""

    def __init__(self, data: Mapping[str, Any] | None = None, *, subject: Any = None, **options: Any) -> None:
        self.subject = subject
        super().__init__(data, **options)

    def amount_now(self) -> Decimal | None:
        """How much money the form moves as it stands; None where it leaves that open."""
        return None


class QuantityForm(SubjectForm):
    """How much of a line: a number, or all that is left."""

    quantity = forms.DecimalField(
        label=gettext_lazy("Quantity"),
        required=False,
        max_digits=12,
        decimal_places=3,
        localize=True,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"invalid": gettext_lazy("That is no quantity. Write a number, such as 2.5.")},
    )
    everything = forms.BooleanField(required=False)

    subject: JobLine

    @property
    def most(self) -> Decimal:
        """What is left to fulfil."""
        return self.subject.quantity - self.subject.fulfilled_quantity

    def all_label(self) -> str:
        """Name the choice of all that is left."""
        return _("All of the rest: %(left)s") % {"left": plain(self.most)}

    @override
    def arrange(self) -> None:
        self.fields["everything"].label = self.all_label()
        self.initial["quantity"] = self.most

    @override
    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if given.get("everything"):
            given["quantity"] = self.most
            self.errors.pop("quantity", None)
        elif given.get("quantity") is None and "quantity" not in self.errors:
            self.add_error("quantity", ValidationError(_("Give a quantity, or tick that it is all of it.")))
        return given


class ReturnForm(QuantityForm):
    """How much came back."""

    @property
    @override
    def most(self) -> Decimal:
        return self.subject.fulfilled_quantity

    @override
    def all_label(self) -> str:
        return _("All of it: %(done)s") % {"done": plain(self.most)}

    @override
    def arrange(self) -> None:
        super().arrange()
        job = self.document
        if isinstance(job, Job) and str(job.state) == JobState.COMPLETED:
            self.ask_forecast(job.service_date)


class MoneyForm(SubjectForm):
    """An amount, whether it moved already, and a note."""

    SETTLED: tuple[tuple[str, Any], ...] = ()

    amount = MoneyField(label=gettext_lazy("Amount"), error_messages={"required": gettext_lazy("Give an amount.")})
    settled = forms.ChoiceField(label=gettext_lazy("Where is the money?"), widget=forms.RadioSelect, initial="yes")
    note = forms.CharField(label=gettext_lazy("Note"), required=False, max_length=200)

    @override
    def arrange(self) -> None:
        amount, settled = self.fields["amount"], self.fields["settled"]
        assert isinstance(amount, MoneyField) and isinstance(settled, forms.ChoiceField)  # noqa: S101, PT018
        amount.currency = self.desk.business.currency
        settled.choices = list(self.SETTLED)
        amount.initial = write_plain(self.suggested()) if self.suggested() > 0 else ""

    def suggested(self) -> Decimal:
        """The amount that is most likely meant."""
        raise NotImplementedError

    def named_amount(self) -> Decimal:
        """The amount that is typed, or else the one that is proposed; nothing while neither is an amount."""
        amount = getattr(self, "cleaned_data", {}).get("amount") if self.is_bound else self.suggested()
        return max(amount or Decimal(0), Decimal(0))

    @property
    def is_settled(self) -> bool:
        """Tell whether the form says that the money has moved."""
        return str(self["settled"].value()) == "yes"

    @override
    def clean(self) -> dict[str, Any]:
        given = super().clean()
        given["settled"] = given.get("settled") == "yes"
        return given


class PaymentForm(MoneyForm):
    """Money of the customer. More than is due may be taken, but is asked about first: it is often a slip (5.4)."""

    SETTLED = (("yes", gettext_lazy("Received")), ("no", gettext_lazy("On its way: to be settled when it comes")))

    @override
    def suggested(self) -> Decimal:
        job = self.document
        assert isinstance(job, Job)  # noqa: S101 - payments are taken on jobs only
        on_their_way = [each.amount for each in job.payments.all() if str(each.state) == PaymentState.PENDING]
        return job.total - job.held - sum(on_their_way)

    @override
    def clean(self) -> dict[str, Any]:
        given = super().clean()
        over = (given.get("amount") or Decimal(0)) - max(self.suggested(), Decimal(0))
        if over > 0 and not once.is_done(self.act, self.document):
            self._ask_about(over)
        return given

    def _ask_about(self, over: Decimal) -> None:
        """Ask whether so much more than is due is meant; a yes to another amount is no yes to this one."""
        agreed = self.data.get("over") == str(over)
        tick = forms.CheckboxInput(attrs={"value": str(over)}, check_test=lambda _value: agreed)
        self.fields["over"] = forms.BooleanField(label=_("Take it all the same"), required=False, widget=tick)
        if not agreed:
            words = _("That is %(over)s more than is due. Take it all the same?")
            said = words % {"over": format_money(over, self.desk.business.currency)}
            self.add_error("over", ValidationError(said, code="over"))

    @override
    def foretold_by(self) -> dict[str, Any]:
        return {"amount": self.named_amount()}

    @override
    def worded(self, offer: Offer) -> Offer:
        if not offer.consequence:
            return offer
        sentence = _("If it is received: %(sentence)s") % {"sentence": offer.consequence}
        return replace(offer, consequence=sentence, label=offer.label if self.is_settled else offer.name)


class RefundForm(MoneyForm):
    """Money back to the customer."""

    SETTLED = (
        ("yes", gettext_lazy("The customer has it back")),
        ("no", gettext_lazy("On its way: to be settled when it arrives")),
    )

    subject: Payment

    @override
    def suggested(self) -> Decimal:
        return jobs.refundable(self.subject)

    @override
    def amount_now(self) -> Decimal:
        return self.named_amount() if self.is_settled else Decimal(0)


class SettleForm(SubjectForm):
    """What became of money on its way."""

    outcome = forms.ChoiceField(
        choices=(("came", ""), ("failed", "")),
        error_messages={"required": gettext_lazy("Say whether it came or failed.")},
    )


class CompleteForm(ActForm):
    """What became of goods that are not fulfilled, asked line by line in the same act (5.2)."""

    @override
    def arrange(self) -> None:
        for line in self.open_lines():
            words = _("“%(line)s”: %(done)s of %(all)s fulfilled")
            said = {"line": line.description, "done": plain(line.fulfilled_quantity), "all": plain(line.quantity)}
            worth = format_money(line.quantity * line.unit_price, self.desk.business.currency)
            used = format_money(line.fulfilled_quantity * line.unit_price, self.desk.business.currency)
            self.fields[f"line-{line.pk}"] = forms.ChoiceField(
                label=words % said,
                choices=(
                    (jobs.FULL, _("Fulfilled in full: %(all)s, %(worth)s") % {**said, "worth": worth}),
                    (jobs.USED, _("Set the quantity to what was used: %(done)s, %(used)s") % {**said, "used": used}),
                ),
                widget=forms.RadioSelect,
                error_messages={"required": _("Say what became of it.")},
            )

    def open_lines(self) -> Iterable[JobLine]:
        """The goods of which something is left."""
        assert isinstance(self.document, Job)  # noqa: S101 - only jobs are completed
        return jobs.unfulfilled(self.document)

    @override
    def clean(self) -> dict[str, Any]:
        given = super().clean()
        answers = {int(name.removeprefix("line-")): how for name, how in given.items() if name.startswith("line-")}
        return {**given, "settle": answers}


class RescheduleForm(ActForm):
    """Another service date, and what becomes of the card's forecast date (D13)."""

    service_date = DayField(label=gettext_lazy("Service date"), required=False)

    @override
    def arrange(self) -> None:
        card = self.card
        self.fields["service_date"].initial = getattr(self.document, "service_date", None)
        self.fields["service_date"].help_text = _("Left empty, the job has no day yet and does not expire.")
        if card is None or card.forecast_date is None:
            return
        self.fields["forecast"] = forms.ChoiceField(
            label=_("Forecast date of %(card)s") % {"card": card.number},
            choices=[
                (KEEP, _("Keep %(day)s") % {"day": days.full(card.forecast_date)}),
                (AFTER, _("%(days)s days after the new service date") % {"days": AFTER_SERVICE.days}),
                (CLEAR, _("Clear it: the card never expires")),
            ],
            initial=KEEP,
            widget=forms.RadioSelect,
            help_text=_("A contracted card still expires when its forecast date passes before the work is done."),
        )

    @override
    def clean(self) -> dict[str, Any]:
        given = super().clean()
        if given.get("forecast") == AFTER and not given.get("service_date") and "service_date" not in self.errors:
            self.add_error("service_date", ValidationError(_("Give the service date that the forecast follows.")))
        return given

    @override
    def foretold_by(self) -> dict[str, Any]:
        if not self.is_bound or "service_date" in self.errors:
            return {}
        return {"service_date": self.cleaned_data.get("service_date")}

    @override
    def forecast(self) -> tuple[bool, date | None]:
        choice, day = self.cleaned_data.get("forecast", KEEP), self.cleaned_data.get("service_date")
        return choice in {AFTER, CLEAR}, day + AFTER_SERVICE if choice == AFTER and day else None
