"""The tax rates that lines of quotes, jobs and agreements can carry."""

from collections.abc import Iterable
from typing import Any, override

from django.contrib import admin
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from opportunities import tax_rates
from opportunities.admin.base import EffectForm, SetupPage
from opportunities.admin.site import site
from opportunities.documents import plain
from opportunities.errors import Blocker
from opportunities.http import Request
from opportunities.models import TaxRate


class TaxRateForm(EffectForm):
    """A rate; its verb switches the default over, so that is not judged here."""

    class Meta:
        model = TaxRate
        fields = tax_rates.FIELDS

    def _get_validation_exclusions(self) -> set[str]:
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]

    @override
    def clean(self) -> dict[str, Any] | None:
        given = self.cleaned_data
        if given.get("is_default") and not given.get("active") and "is_default" in self.changed_data:
            self.add_error("is_default", _("A retired tax rate cannot be the default."))
        return super().clean()

    @override
    def effects(self) -> Iterable[str]:
        lines = tax_rates.lines_with(self.instance)
        if lines and self.turns("percent"):
            words = ngettext(
                "%(count)s line keeps the %(old)s %% that it was made with. New lines get the new rate.",
                "%(count)s lines keep the %(old)s %% that they were made with. New lines get the new rate.",
                lines,
            )
            yield words % {"count": lines, "old": plain(self.before("percent"))}
        if lines and self.turns("name"):
            words = ngettext(
                "%(count)s line shows the new name at once.", "%(count)s lines show the new name at once.", lines
            )
            yield words % {"count": lines}
        if lines and self.turns("active", to=False):
            words = ngettext(
                "%(count)s line keeps this rate. Nobody can choose it any more.",
                "%(count)s lines keep this rate. Nobody can choose it any more.",
                lines,
            )
            yield words % {"count": lines}
        yield from self._on_new_lines()

    def _on_new_lines(self) -> Iterable[str]:
        rate = self.instance
        present = TaxRate.objects.filter(is_default=True).exclude(pk=rate.pk).first()
        if self.turns("is_default", to=True) and present is not None:
            words = _("New lines begin with this rate instead of “%(rate)s”. No existing line changes.")
            yield words % {"rate": present.name}
        elif self.before("is_default") and (self.turns("is_default", to=False) or self.turns("active", to=False)):
            yield _("New lines begin without tax until another rate is the default.")


@admin.register(TaxRate, site=site)
class TaxRatePage(SetupPage):
    """Rates, the lowest first."""

    form = TaxRateForm
    verbs = tax_rates
    key_name = "rate_id"
    fields_written = tax_rates.FIELDS
    sequence_field = ""
    ordering = ("percent", "pk")
    list_display = ("name", "percent_shown", "default_shown", "use_shown")
    list_filter = ("active",)
    search_fields = ("name",)
    fields = ("name", "percent", "active", "is_default")

    @admin.display(description=gettext_lazy("percent"), ordering="percent")
    def percent_shown(self, rate: TaxRate) -> str:
        """The rate as people write it."""
        return f"{plain(rate.percent)} %"

    @override
    def usage(self, row: Any) -> list[str]:
        lines = tax_rates.lines_with(row)
        if not lines:
            return [_("No line carries this rate.")]
        words = ngettext(
            "%(count)s line carries this rate. It can be retired, not deleted.",
            "%(count)s lines carry this rate. It can be retired, not deleted.",
            lines,
        )
        return [words % {"count": lines}]

    @override
    def delete_blocker(self, row: Any) -> Blocker | None:
        return tax_rates.blocker_to_delete(row)

    @override
    def delete_effects(self, row: Any) -> list[str]:
        effects = [_("No line carries this rate: no document changes. This cannot be undone.")]
        if row.is_default:
            effects.append(_("New lines begin without tax until another rate is the default."))
        return effects

    @override
    def delete_row(self, row: Any, answer: dict[str, Any], request: Request) -> str:
        self.note_deleted(request, row)
        tax_rates.delete(rate_id=row.pk, actor=request.user, now=request.now)
        return _("Deleted “%(rate)s”.") % {"rate": row.name}


site.describe(22, "business", TaxRate, gettext_lazy("What lines of quotes, jobs and agreements are taxed with."))
