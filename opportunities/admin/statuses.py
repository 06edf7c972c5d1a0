"""The status table: how deals end, by the business's own names."""

from collections.abc import Iterable
from typing import Any, override

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from opportunities import replacing, statuses
from opportunities.admin.base import EffectForm, SetupPage, cards_in_words
from opportunities.admin.site import site
from opportunities.errors import Blocker
from opportunities.http import Request
from opportunities.models import OpportunityStatus


class StatusForm(EffectForm):
    """A status row; its verb switches the default over, so that is not judged here."""

    class Meta:
        model = OpportunityStatus
        fields = statuses.FIELDS

    def _get_validation_exclusions(self) -> set[str]:
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]

    @override
    def clean(self) -> dict[str, Any] | None:
        given = self.cleaned_data
        row = self.instance
        if given.get("is_default") and (given.get("closed", row.closed) or given.get("retired", row.retired)):
            self.add_error("is_default", _("The default status is an open one that is not retired."))
        if self.turns("is_default", to=False) and row.is_default:
            self.add_error("is_default", _("There is always one default: tick it on another status instead."))
        if self.turns("retired", to=True):
            blocker = statuses.blocker_to_take_away(row, list(OpportunityStatus.objects.all()))
            if blocker is not None:
                self.add_error("retired", blocker.message)
        return super().clean()

    @override
    def effects(self) -> Iterable[str]:
        row = self.instance
        used = row.opportunities.count()
        if self.turns("is_default", to=True):
            old = OpportunityStatus.objects.exclude(pk=row.pk).filter(is_default=True).first()
            if old is not None:
                words = ngettext(
                    "New cards begin with this status instead of “%(old)s”. "
                    "%(count)s card that has “%(old)s” keeps it.",
                    "New cards begin with this status instead of “%(old)s”. "
                    "%(count)s cards that have “%(old)s” keep it.",
                    old.opportunities.count(),
                )
                yield words % {"old": old.name, "count": old.opportunities.count()}
        if self.turns("retired", to=True):
            words = ngettext(
                "%(count)s card keeps this status. Nobody can choose it any more.",
                "%(count)s cards keep this status. Nobody can choose it any more.",
                used,
            )
            yield words % {"count": used}
        if self.turns("name") and used:
            words = ngettext(
                "%(count)s card shows the new name at once.", "%(count)s cards show the new name at once.", used
            )
            yield words % {"count": used}


class ReplacementForm(forms.Form):
    """Which status the cards of a deleted one get."""

    replacement = forms.ModelChoiceField(
        label=gettext_lazy("Its cards get the status"),
        queryset=OpportunityStatus.objects.none(),
        empty_label=gettext_lazy("Choose…"),
        error_messages={"required": gettext_lazy("Choose the status that the cards get: none may be lost.")},
    )

    def __init__(self, row: OpportunityStatus, data: Any = None) -> None:
        super().__init__(data)
        field: Any = self.fields["replacement"]
        fitting = [each.pk for each in OpportunityStatus.objects.all() if statuses.fits(row, each)]
        field.queryset = OpportunityStatus.objects.filter(pk__in=fitting).in_order()


@admin.register(OpportunityStatus, site=site)
class StatusPage(SetupPage):
    """Statuses in their order, with how many cards each has."""

    form = StatusForm
    verbs = statuses
    key_name = "status_id"
    used_through = filter_key = "status"
    fields_written = statuses.FIELDS
    explains_stages = True
    ordering = ("sequence", "pk")
    sortable_by = ()
    list_display = ("handle", "name", "sequence", "cards", "meaning", "default_shown", "use_shown")
    list_display_links = ("name",)
    list_editable = ("sequence",)
    list_filter = ("retired", "closed", "won", "lost")
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("name",)}),
        (
            gettext_lazy("What it means"),
            {
                "fields": ("closed", "won", "lost", "inactive"),
                "description": gettext_lazy(
                    "Won, lost and inactive statuses are closed ones. Fixed as soon as a card has the status."
                ),
            },
        ),
        (gettext_lazy("Use"), {"fields": ("is_default", "retired", "sequence")}),
    )

    @override
    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return self.fieldsets
        return (*self.fieldsets[:-1], (gettext_lazy("Use"), {"fields": ("is_default",)}))

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return statuses.FLAGS if obj is not None and statuses.in_use(obj) else ()

    @admin.display(description=gettext_lazy("means"))
    def meaning(self, row: OpportunityStatus) -> str:
        """What the flags say, in a word."""
        if row.won:
            return _("won")
        if row.lost:
            return _("lost")
        if row.inactive:
            return _("closed, inactive")
        return _("closed") if row.closed else _("open")

    @override
    def usage(self, row: Any) -> list[str]:
        if not statuses.in_use(row):
            return [_("No card has this status.")]
        words = _("%(cards)s with this status, so what it means is fixed. Deleting asks which status they get instead.")
        return [words % {"cards": cards_in_words(row.used, row.used_open)}]

    @override
    def delete_blocker(self, row: Any) -> Blocker | None:
        table = list(OpportunityStatus.objects.all())
        blocker = statuses.blocker_to_take_away(row, table)
        if blocker is None and statuses.in_use(row) and not any(statuses.fits(row, each) for each in table):
            words = _(
                "“%(status)s” is used by cards, and no other active status says the same of them. "
                "Make such a status first, or retire this one."
            )
            blocker = Blocker("WRONG_REPLACEMENT", words % {"status": row.name}, subject=row.name)
        return blocker

    @override
    def delete_form(self, row: Any, data: Any = None) -> forms.Form:
        return ReplacementForm(row, data) if statuses.in_use(row) else super().delete_form(row, data)

    @override
    def delete_effects(self, row: Any) -> list[str]:
        if not statuses.in_use(row):
            return [_("No card has this status: nothing changes. This cannot be undone.")]
        words = ngettext(
            "%(count)s card gets another status with the same result; dates, reasons and who decided stay.",
            "%(count)s cards get another status with the same result; dates, reasons and who decided stay.",
            row.used,
        )
        effects = [words % {"count": row.used}, _("Each card's history says so. This cannot be undone.")]
        return list(filter(None, [*effects, replacing.holds_others_up(row.used)]))

    @override
    def delete_row(self, row: Any, answer: dict[str, Any], request: Request) -> str:
        to = answer.get("replacement")
        self.note_deleted(request, row)
        key = to.pk if to is not None else None
        moved = statuses.delete(status_id=row.pk, replacement_id=key, actor=request.user, now=request.now)
        return _("Deleted “%(status)s”; cards changed: %(count)s.") % {"status": row.name, "count": moved}


site.describe(
    11, "endings", OpportunityStatus, gettext_lazy("Won, lost and your own words for it; which one new cards have.")
)
