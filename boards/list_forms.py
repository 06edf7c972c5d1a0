"""The shape of what people send from the list: the filter's boxes, acts on many cards. Verbs decide what is allowed."""

from collections.abc import Callable
from typing import Any, override

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from boards.listing import Group, group
from boards.models import Board
from opportunities.access import may_take_cards
from opportunities.filter_keys import ARCHIVED_ONLY, ARCHIVED_WITH, FORECAST_PRESETS, ME, NONE
from opportunities.filter_words import document_labels, lost_labels, rule_label
from opportunities.filters import CardFilter
from opportunities.models import OpportunityStage, OpportunityStatus, OpportunityType, Reason
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES
from opportunities.outcome import SalesRule

LARGEST_ID = 2**62
RULES = tuple(rule for rule in SalesRule if rule is not SalesRule.P9)
"""By which rules a card is won or lost."""


def name_of(person: Any) -> str:
    """What a colleague is called."""
    return str(person.get_full_name() or person.get_username())


def filter_groups(given: CardFilter, *, board: Board | None) -> tuple[Group, ...]:
    """Lay out the boxes of the filter's form, ticked as the filter stands."""
    several = {key: given.several.get(key, ()) for key in ("salesperson", "stage", "type", "status", "reason")}
    people = [(ME, _("Me")), (NONE, _("Nobody"))]
    people += [(str(each.pk), name_of(each)) for each in may_take_cards() if each.pk != given.user.pk]
    stages = [(NONE, _("No stage"), "")]
    stages += [(str(each.pk), each.name, each.colour) for each in OpportunityStage.objects.in_order()]
    types = [(NONE, _("No type")), *((str(each.pk), each.name) for each in OpportunityType.objects.all())]
    statuses = [(str(each.pk), each.name) for each in OpportunityStatus.objects.in_order()]
    reasons = [(str(each.pk), each.label) for each in Reason.objects.filter(list=Reason.List.CANCEL)]
    archived = [("", _("Leave out")), (ARCHIVED_WITH, _("Show, too")), (ARCHIVED_ONLY, _("Only archived"))]
    groups = [
        group("salesperson", _("Salesperson"), people, several["salesperson"]),
        group("stage", _("Stage"), stages, several["stage"]),
        group("type", _("Type"), types, several["type"]),
        group("workflow", _("Workflow status"), WORKFLOW_CHOICES, given.several.get("workflow", ())),
        group("sales", _("Sales status"), SALES_CHOICES, given.several.get("sales", ())),
        group("status", _("Status as the business calls it"), statuses, several["status"]),
        group("rule", _("Won or lost by"), [(r.value, rule_label(r)) for r in RULES], given.several.get("rule", ())),
        group("reason", _("Reason given"), reasons, several["reason"]),
        group("lost", _("Lost because"), lost_labels().items(), given.several.get("lost", ())),
        group("offer", _("Lost, but still open"), [("1", _("An offer is still open"))], ("1",) if given.offer else ()),
        group("has", _("Has a document"), document_labels().items(), given.several.get("has", ())),
        group("archived", _("Archived cards"), archived, (given.archived,) if given.archived else (), one=True),
    ]
    if board is not None:
        groups.append(
            group("tray", _("Columns"), [("1", _("In no column of this board"))], ("1",) if given.tray else ())
        )
    return tuple(each for each in groups if each.options)


def forecast_group(given: CardFilter) -> Group:
    """Lay out the spans of the forecast date."""
    spans = [("", _("Any")), *((code, str(label).capitalize()) for code, label in FORECAST_PRESETS.items())]
    chosen = given.single.get("forecast", "")
    return group("forecast", _("Forecast date"), spans, (chosen,) if chosen else (), one=True)


def ids_in(post: QueryDict) -> list[int]:
    """Read the cards that were ticked; what is no number is nobody's card."""
    given = (text for text in post.getlist("card") if text.isascii() and text.isdigit() and len(text) < 20)
    return [number for number in dict.fromkeys(map(int, given)) if number < LARGEST_ID]


class BulkForm(forms.Form):
    """What shall happen to the chosen cards: one button's value, and a day or a reason where it needs one.

    After `is_valid()`, `verb` and `arguments` are what `bulk.start` takes.
    """

    do = forms.CharField(max_length=40)
    token = forms.UUIDField(required=False)
    day = forms.DateField(required=False, label=gettext_lazy("Forecast date"))
    reason = forms.ModelChoiceField(
        Reason.objects.filter(list=Reason.List.CANCEL, active=True), required=False, label=gettext_lazy("Reason")
    )
    void_reason = forms.ModelChoiceField(
        Reason.objects.filter(list=Reason.List.VOID, active=True).order_by("sequence", "pk"),
        required=False,
        label=gettext_lazy("Reason"),
        empty_label=gettext_lazy("Choose a reason"),
    )
    note = forms.CharField(
        required=False,
        max_length=2_000,
        label=gettext_lazy("Note (inside the business only)"),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    archive = forms.BooleanField(required=False, label=gettext_lazy("Move to archive"))
    verb = ""
    arguments: dict[str, Any]

    @override
    def clean(self) -> dict[str, Any]:
        """Read the button. :raises ValidationError: it is none of ours, or lacks what it needs."""
        given = self.cleaned_data
        self.verb, _colon, value = str(given.get("do", "")).partition(":")
        readers: dict[str, Callable[[str], dict[str, Any]]] = {
            "stage": self._stage,
            "salesperson": self._salesperson,
            "postpone": self._postpone,
            "forecast_date": self._forecast_date,
            "status": self._status,
            "archive": lambda _value: {},
            "unarchive": lambda _value: {},
            "void": lambda _value: self._closing("void_reason"),
            "cancel": lambda _value: self._closing("reason"),
        }
        if self.verb not in readers:
            raise ValidationError(_("Choose what shall happen to the cards."))
        self.arguments = readers[self.verb](value)
        return given

    def _stage(self, value: str) -> dict[str, Any]:
        return {"stage_id": self._id_of(value, OpportunityStage.objects.active())}

    def _salesperson(self, value: str) -> dict[str, Any]:
        return {"salesperson_id": self._id_of(value, may_take_cards())}

    def _postpone(self, value: str) -> dict[str, Any]:
        spans: dict[str, dict[str, Any]] = {"week": {"weeks": 1}, "month": {"months": 1}}
        if value not in spans:
            raise ValidationError(_("Choose what shall happen to the cards."))
        return spans[value]

    def _forecast_date(self, value: str) -> dict[str, Any]:
        if value == NONE:
            return {"forecast_date": None}
        day = self.cleaned_data.get("day")
        if day is None and "day" not in self.errors:
            self.add_error("day", _("Choose a day."))
        return {"forecast_date": day.isoformat() if day else None}

    def _status(self, value: str) -> dict[str, Any]:
        row = OpportunityStatus.objects.filter(pk=self._id_of(value, OpportunityStatus.objects.active()) or 0).first()
        reason = self.cleaned_data.get("reason")
        if row is None:
            raise ValidationError(_("Choose what shall happen to the cards."))
        if row.lost and reason is None and "reason" not in self.errors:
            self.add_error("reason", _("Say why the deals were lost."))
        return {"status_id": row.pk, "reason_id": reason.pk if reason and row.lost else None}

    def _closing(self, field: str) -> dict[str, Any]:
        given = self.cleaned_data
        reason = given.get(field)
        if reason is None and field not in self.errors:
            self.add_error(field, _("Choose a reason."))
        found = {"reason_id": reason.pk if reason else None, "note": given.get("note", "")}
        return {**found, "archive": bool(given.get("archive"))}

    def _id_of(self, value: str, rows: "QuerySet[Any]") -> int | None:
        if value == NONE:
            return None
        known = value.isascii() and value.isdigit() and len(value) < 19
        if not known or not rows.filter(pk=int(value)).exists():
            raise ValidationError(_("That choice is not there any more: choose another one."))
        return int(value)


class SaveBoardForm(forms.Form):
    """The name of a board that is made of the filter in force."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=60, widget=forms.TextInput(attrs={"autofocus": True}))
