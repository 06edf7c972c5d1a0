"""The reason lists and the opportunity types."""

from collections.abc import Iterable
from typing import Any, override

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from opportunities import opportunity_types, reasons
from opportunities.admin.base import EffectForm, SetupPage, cards_in_words
from opportunities.admin.site import site
from opportunities.errors import Blocker
from opportunities.http import Request
from opportunities.models import Opportunity, OpportunityType, Reason


class ReasonForm(EffectForm):
    """A reason of one of the two lists."""

    class Meta:
        model = Reason
        fields = reasons.FIELDS

    @override
    def clean(self) -> dict[str, Any] | None:
        row = self.instance
        if not row._state.adding and row.active and (self.turns("active", to=False) or self.turns("list")):
            blocker = reasons.blocker_to_deactivate(row)
            if blocker is not None:
                self.add_error("active" if self.turns("active") else "list", blocker.message)
        return super().clean()

    @override
    def effects(self) -> Iterable[str]:
        used = self.instance.decided_opportunities.count() + self.instance.closed_opportunities.count()
        if not used:
            return
        if self.turns("label"):
            words = ngettext(
                "%(count)s card keeps “%(old)s”, as it was said then.",
                "%(count)s cards keep “%(old)s”, as it was said then.",
                used,
            )
            yield words % {"count": used, "old": self.instance.label}
        if self.turns("active", to=False):
            words = ngettext(
                "%(count)s card keeps this reason. Nobody can choose it any more.",
                "%(count)s cards keep this reason. Nobody can choose it any more.",
                used,
            )
            yield words % {"count": used}


@admin.register(Reason, site=site)
class ReasonPage(SetupPage):
    """Both lists, each in its order."""

    form = ReasonForm
    verbs = reasons
    key_name = "reason_id"
    used_through = "decided_reason"
    filter_key = "reason"
    fields_written = reasons.FIELDS
    ordering = ("list", "sequence", "pk")
    sortable_by = ()
    list_display = ("handle", "label", "sequence", "list", "cards", "use_shown")
    list_display_links = ("label",)
    list_editable = ("sequence",)
    list_filter = ("list", "active")
    search_fields = ("label",)
    fields = ("list", "label", "active", "sequence")

    @override
    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj is not None else ("list", "label", "active")

    @override
    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("list",) if obj is not None and reasons.is_used(obj) else ()

    @override
    def usage(self, row: Any) -> list[str]:
        if not reasons.is_used(row):
            return [_("Nothing was closed with this reason yet.")]
        words = _("%(cards)s were closed with this reason and keep its words. It can be switched off, not deleted.")
        return [words % {"cards": cards_in_words(row.used)}]

    @override
    def delete_blocker(self, row: Any) -> Blocker | None:
        return reasons.blocker_to_delete(row)

    @override
    def delete_effects(self, row: Any) -> list[str]:
        return [_("Nothing was ever closed with this reason: no card changes. This cannot be undone.")]

    @override
    def delete_row(self, row: Any, answer: dict[str, Any], request: Request) -> str:
        self.note_deleted(request, row)
        reasons.delete(reason_id=row.pk, actor=request.user, now=request.now)
        return _("Deleted “%(reason)s”.") % {"reason": row.label}


class TypeForm(EffectForm):
    """A kind of deal."""

    class Meta:
        model = OpportunityType
        fields = ("name", "active")

    @override
    def effects(self) -> Iterable[str]:
        used = Opportunity.objects.filter(type=self.instance).count()
        if not used:
            return
        if self.turns("name"):
            words = ngettext(
                "%(count)s card shows the new name at once.", "%(count)s cards show the new name at once.", used
            )
            yield words % {"count": used}
        if self.turns("active", to=False):
            words = ngettext(
                "%(count)s card keeps this type. Nobody can choose it any more.",
                "%(count)s cards keep this type. Nobody can choose it any more.",
                used,
            )
            yield words % {"count": used}


@admin.register(OpportunityType, site=site)
class TypePage(SetupPage):
    """Types by name. Making and changing one is plain editing."""

    form = TypeForm
    used_through = filter_key = "type"
    sequence_field = ""
    ordering = ("name", "pk")
    list_display = ("name", "cards", "use_shown")
    list_filter = ("active",)
    search_fields = ("name",)
    fields = ("name", "active")

    @override
    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        obj.save()

    @override
    def usage(self, row: Any) -> list[str]:
        if not row.used:
            return [_("No card has this type.")]
        words = _("%(cards)s with this type. A new name shows on all of them; it can be switched off, not deleted.")
        return [words % {"cards": cards_in_words(row.used, row.used_open)}]

    @override
    def delete_blocker(self, row: Any) -> Blocker | None:
        return opportunity_types.blocker_to_delete(row)

    @override
    def delete_effects(self, row: Any) -> list[str]:
        return [_("No card has this type: nothing changes. This cannot be undone.")]

    @override
    def delete_row(self, row: Any, answer: dict[str, Any], request: Request) -> str:
        self.note_deleted(request, row)
        opportunity_types.delete(type_id=row.pk, actor=request.user, now=request.now)
        return _("Deleted “%(type)s”.") % {"type": row.name}


site.describe(12, "endings", Reason, gettext_lazy("Why cards are voided, canceled or lost: two lists to choose from."))
site.describe(3, "pipeline", OpportunityType, gettext_lazy("Kinds of deals to sort and filter by."))
