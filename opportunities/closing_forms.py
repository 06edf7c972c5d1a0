"""What the void and cancel sheets ask: a reason of the right list, a note, the archive, and what is cleared first."""

import uuid
from collections.abc import Mapping
from typing import Any, override

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import closing, lifecycle
from opportunities.lifecycle import Consequences, First, ReopenFirst, VoidFirst
from opportunities.models import Agreement, Reason

NOTE_LENGTH = 2_000


def reasons_of(list_: str) -> Any:
    """The reasons that a list offers now, in their order (D24)."""
    return Reason.objects.filter(list=list_, active=True).order_by("sequence", "pk")


def reason_field(list_: str, *, label: Any = None, required: bool = True) -> "forms.ModelChoiceField[Reason]":
    """Make the field that asks for a reason of a list."""
    return forms.ModelChoiceField(
        reasons_of(list_),
        label=label or gettext_lazy("Reason"),
        required=required,
        empty_label=gettext_lazy("Choose a reason"),
        error_messages={
            "required": gettext_lazy("Choose a reason."),
            "invalid_choice": gettext_lazy("That reason is not offered any more. Choose another."),
        },
    )


class CloseForm(forms.Form):
    """Why a card is voided or canceled, and what clears the way for it. The fields of the mail come with Cancel only.

    `token` lets a form that is sent twice close the card once; `seen` names what the person was shown (D32).
    """

    note = forms.CharField(
        label=gettext_lazy("Note (inside the business only)"),
        required=False,
        max_length=NOTE_LENGTH,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    archive = forms.BooleanField(label=gettext_lazy("Move to archive"), required=False)
    seen = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)
    token = forms.UUIDField(required=False, widget=forms.HiddenInput, initial=uuid.uuid4)
    field_order = ("reason", "note", "archive")

    def __init__(self, data: Mapping[str, Any] | None = None, *, found: Consequences) -> None:
        super().__init__(data, auto_id="close-%s", label_suffix="")
        self.found = found
        self.fields["reason"] = reason_field(lifecycle.list_of(found.kind))
        self._clearable = [each for each in found.attached if lifecycle.is_clearable(each, found.desk)]
        for document in self._clearable:
            name = closing.first_name(document)
            is_agreement = isinstance(document, Agreement)
            words = _("Void %(number)s first") if is_agreement else _("Reopen %(number)s first")
            self.fields[name] = forms.BooleanField(label=words % {"number": document.number}, required=False)
            if is_agreement:
                label = _("Why %(number)s is void") % {"number": document.number}
                self.fields[f"{name}_reason"] = reason_field(Reason.List.VOID, label=label, required=False)

    @classmethod
    def to_look_at(cls, given: Mapping[str, Any] | None, *, found: Consequences) -> "CloseForm":
        """Make a form that shows what was typed so far and judges nothing yet."""
        form = cls(None, found=found)
        for name, field in form.fields.items():
            if given is not None:
                field.initial = field.widget.value_from_datadict(given, {}, name)
        return form

    def chosen_reason(self) -> str:
        """Return the label of the reason that is chosen so far, for the preview of the mail."""
        chosen = str(self["reason"].value() or "")
        rows = reasons_of(lifecycle.list_of(self.found.kind))
        return next((row.label for row in rows if str(row.pk) == chosen), "")

    @override
    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        for name in [name for name in self.fields if name.startswith("void_") and name.endswith("_reason")]:
            if given.get(name.removesuffix("_reason")) and given.get(name) is None and name not in self.errors:
                self.add_error(name, _("Choose a reason."))
        return given

    def first(self) -> list[First]:
        """Return what is to be done before the card is closed, as `lifecycle.void` and `cancel` take it."""
        wanted: list[First] = []
        for document in self._clearable:
            name = closing.first_name(document)
            if not self.cleaned_data.get(name):
                continue
            if isinstance(document, Agreement):
                reason = self.cleaned_data.get(f"{name}_reason")
                wanted.append(VoidFirst(document.pk, None if reason is None else reason.pk))
            else:
                wanted.append(ReopenFirst(document.pk))
        return wanted

    def first_fields(self, name: str) -> list[forms.BoundField]:
        """Return the box of this name, and the reason that belongs to it."""
        return [self[each] for each in (name, f"{name}_reason") if each in self.fields]
