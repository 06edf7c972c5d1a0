"""The stage table: the columns that people move deals through."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, override

from django import forms
from django.contrib import admin
from django.db.models import Sum
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from opportunities import replacing, stages
from opportunities.admin.base import EffectForm, SetupPage, cards_in_words, open_cards
from opportunities.admin.site import site
from opportunities.http import Request
from opportunities.models import Opportunity, OpportunityStage
from opportunities.money import format_money

REQUIREMENT_NAMES = {
    "requires_amount": gettext_lazy("amount"),
    "requires_forecast_date": gettext_lazy("forecast date"),
    "requires_contact": gettext_lazy("contact"),
    "requires_next_action": gettext_lazy("next action"),
    "requires_quote_submitted": gettext_lazy("a quote submitted"),
    "requires_quote_accepted": gettext_lazy("a quote accepted or converted"),
    "requires_agreement_submitted": gettext_lazy("an agreement submitted"),
    "requires_agreement_accepted": gettext_lazy("an agreement accepted"),
}
REQUIREMENTS = tuple(REQUIREMENT_NAMES)
NO_STAGE = "none"


class StageForm(EffectForm):
    """A stage; its verb switches the default over, so that is not judged here."""

    class Meta:
        model = OpportunityStage
        fields = stages.FIELDS
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}

    def _get_validation_exclusions(self) -> set[str]:
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]

    @override
    def clean(self) -> dict[str, Any] | None:
        given = self.cleaned_data
        if given.get("is_default") and not given.get("active") and "is_default" in self.changed_data:
            self.add_error("is_default", _("A retired stage cannot be the default for new cards."))
        return super().clean()

    @override
    def effects(self) -> Iterable[str]:
        stage = self.instance
        here = Opportunity.objects.filter(stage=stage).count()
        if here:
            yield from self._on_cards(stage, here)
        yield from self._on_new_cards(stage)

    def _on_cards(self, stage: OpportunityStage, here: int) -> Iterable[str]:
        still_open = open_cards(stage=stage).count()
        if self.turns("active", to=False):
            words = ngettext(
                "%(count)s card stays in this stage (%(open)s open). No card can enter it any more.",
                "%(count)s cards stay in this stage (%(open)s open). No card can enter it any more.",
                here,
            )
            yield words % {"count": here, "open": still_open}
        if self.turns("name"):
            words = ngettext(
                "%(count)s card shows the new name at once.", "%(count)s cards show the new name at once.", here
            )
            yield words % {"count": here}
        if self.turns("probability"):
            yield from self._on_weights(stage)
        if self.turns("stale_after_days"):
            yield from self._on_staleness(stage)
        if any(self.turns(name, to=True) for name in REQUIREMENTS):
            words = ngettext(
                "%(count)s card is in this stage already and stays, whatever it lacks. Cards that enter are asked.",
                "%(count)s cards are in this stage already and stay, whatever they lack. Cards that enter are asked.",
                here,
            )
            yield words % {"count": here}

    def _on_weights(self, stage: OpportunityStage) -> Iterable[str]:
        weighed = open_cards(stage=stage, probability=None, amount__isnull=False)
        amount = weighed.aggregate(total=Sum("amount"))["total"]
        if amount is None:
            return
        count = weighed.count()
        currency = self.request.business.currency
        words = ngettext(
            "The weighted sum of this stage changes from %(old)s to %(new)s: "
            "%(count)s open card has no probability of its own.",
            "The weighted sum of this stage changes from %(old)s to %(new)s: "
            "%(count)s open cards have no probability of their own.",
            count,
        )
        yield words % {
            "old": format_money(weighted(amount, self.before("probability")), currency, short=True),
            "new": format_money(weighted(amount, self.cleaned_data["probability"]), currency, short=True),
            "count": count,
        }

    def _on_staleness(self, stage: OpportunityStage) -> Iterable[str]:
        old = self._stale(stage, self.before("stale_after_days"))
        new = self._stale(stage, self.cleaned_data["stale_after_days"])
        if old != new:
            words = _("Up to %(new)s open cards are marked as stale, instead of %(old)s: those with no planned action.")
            yield words % {"new": new, "old": old}

    def _stale(self, stage: OpportunityStage, days: int | None) -> int:
        if days is None:
            return 0
        since = self.request.now - timedelta(days=days + 1)
        return open_cards(stage=stage, stage_entered_at__lte=since).exclude(face__has_key="next").count()

    def _on_new_cards(self, stage: OpportunityStage) -> Iterable[str]:
        present = OpportunityStage.objects.filter(is_default=True).exclude(pk=stage.pk).first()
        if self.turns("is_default", to=True) and present is not None:
            words = _("New cards begin in this stage instead of “%(stage)s”. No existing card moves.")
            yield words % {"stage": present.name}
        elif stage.is_default and (self.turns("is_default", to=False) or self.turns("active", to=False)):
            yield _("New cards begin in no stage until another stage is the default.")


def weighted(amount: Decimal, percent: int) -> Decimal:
    """Weigh a sum by a probability."""
    return (Decimal(amount) * percent / 100).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


class ReplacementForm(forms.Form):
    """Where the cards of a deleted stage go."""

    replacement = forms.ChoiceField(
        label=gettext_lazy("Its cards go to"),
        error_messages={"required": gettext_lazy("Choose where the cards go: none may be lost.")},
    )

    def __init__(self, stage: OpportunityStage, data: Any = None) -> None:
        super().__init__(data)
        others = OpportunityStage.objects.active().exclude(pk=stage.pk).in_order()
        field: Any = self.fields["replacement"]
        field.choices = [
            ("", _("Choose…")),
            *((str(other.pk), other.name) for other in others),
            (NO_STAGE, _("No stage (they wait in the tray of each board)")),
        ]


@admin.register(OpportunityStage, site=site)
class StagePage(SetupPage):
    """Stages in their order, with how many cards each has."""

    form = StageForm
    verbs = stages
    key_name = "stage_id"
    used_through = filter_key = "stage"
    fields_written = stages.FIELDS
    explains_stages = True
    ordering = ("sequence", "pk")
    sortable_by = ()
    list_display = ("handle", "titled", "sequence", "probability_shown", "cards", "asks", "default_shown", "use_shown")
    list_display_links = ("titled",)
    list_editable = ("sequence",)
    list_filter = ("active",)
    search_fields = ("name", "description")
    fieldsets = (
        (None, {"fields": ("name", "colour", "probability", "description")}),
        (
            gettext_lazy("What a card needs to enter"),
            {
                "fields": REQUIREMENTS,
                "description": gettext_lazy(
                    "Binds every way in: dragging, menus, bulk acts. Cards that are here already stay."
                ),
            },
        ),
        (gettext_lazy("How long it should take"), {"fields": ("stale_after_days",)}),
        (gettext_lazy("Use"), {"fields": ("active", "is_default", "sequence")}),
    )

    @override
    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return self.fieldsets
        return (*self.fieldsets[:-1], (gettext_lazy("Use"), {"fields": ("active", "is_default")}))

    @admin.display(description=gettext_lazy("name"))
    def titled(self, stage: OpportunityStage) -> SafeString:
        """The name with its colour."""
        return format_html('<span class="dot colour-{}"></span> {}', stage.colour, stage.name)

    @admin.display(description=gettext_lazy("probability"))
    def probability_shown(self, stage: OpportunityStage) -> str:
        """The default probability."""
        return f"{stage.probability} %"

    @admin.display(description=gettext_lazy("needs to enter"))
    def asks(self, stage: OpportunityStage) -> str | None:
        """What a card needs to enter."""
        asked = [str(label) for name, label in REQUIREMENT_NAMES.items() if getattr(stage, name)]
        return ", ".join(asked) or None

    @override
    def usage(self, row: Any) -> list[str]:
        if not row.used:
            return [_("No card is in this stage.")]
        words = _("%(cards)s in this stage. A new name shows on all of them; deleting asks where they go.")
        return [words % {"cards": cards_in_words(row.used, row.used_open)}]

    @override
    def delete_form(self, row: Any, data: Any = None) -> forms.Form:
        return ReplacementForm(row, data) if row.used else super().delete_form(row, data)

    @override
    def delete_effects(self, row: Any) -> list[str]:
        effects = []
        if row.used:
            words = ngettext(
                "%(count)s card moves, archived and decided ones too. No status changes; its history says so.",
                "%(count)s cards move, archived and decided ones too. No status changes; each card's history says so.",
                row.used,
            )
            effects.append(words % {"count": row.used})
            effects.append(_("What the new stage asks of cards that enter does not stop this move."))
        else:
            effects.append(_("No card is in this stage: nothing moves."))
        if row.is_default:
            effects.append(_("New cards begin in no stage until another stage is the default."))
        effects.append(_("Boards lose the stage from its column; the column stays. This cannot be undone."))
        return list(filter(None, [*effects, replacing.holds_others_up(row.used)]))

    @override
    def delete_row(self, row: Any, answer: dict[str, Any], request: Request) -> str:
        chosen = answer.get("replacement")
        where = {} if chosen is None else {"replacement_id": None if chosen == NO_STAGE else int(chosen)}
        self.note_deleted(request, row)
        moved = stages.delete(stage_id=row.pk, **where, actor=request.user, now=request.now)
        return _("Deleted “%(stage)s”; cards moved: %(count)s.") % {"stage": row.name, "count": moved}


site.describe(1, "pipeline", OpportunityStage, gettext_lazy("The steps of your sale: names, order, what each asks."))
