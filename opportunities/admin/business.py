"""The one business: its name, clock, money, and what salespeople see."""

from collections.abc import Iterable
from typing import Any, override

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from opportunities import bulk, lost_rule, pictures
from opportunities import business as settings_of_business
from opportunities.access import GROUPS, Role
from opportunities.admin.base import EffectForm, SetupPage
from opportunities.admin.site import site
from opportunities.http import Request
from opportunities.models import BusinessSettings, Opportunity

FIELDS = (
    "name",
    "phone",
    "email",
    "address",
    "tax_number",
    "time_zone",
    "currency",
    "first_day_of_week",
    "auto_archive_days",
    "mail_sender",
    "salespeople_see",
    "lost_when",
    "quote_terms",
    "quote_valid_days",
)


class BusinessForm(EffectForm):
    """The settings, with what a change does to cards and people."""

    time_zone = forms.ChoiceField(label=gettext_lazy("Time zone"))
    currency = forms.ChoiceField(label=gettext_lazy("Currency"))

    class Meta:
        model = BusinessSettings
        fields = FIELDS
        widgets = {
            "address": forms.Textarea(attrs={"rows": 3}),
            "quote_terms": forms.Textarea(attrs={"rows": 5}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = True
        zones = sorted({*settings_of_business.time_zones(), self.instance.time_zone})
        known = dict(settings_of_business.currencies())
        codes = sorted({*known, self.instance.currency})
        self._offer("time_zone", [(name, name.replace("_", " ")) for name in zones])
        self._offer("currency", [(code, f"{code} · {known[code]}" if code in known else code) for code in codes])
        self.fields["time_zone"].help_text = _("Decides when a day ends: cards expire at midnight here.")
        self.fields["currency"].help_text = _(
            "All amounts are in it. It cannot change once a card or document has an amount."
        )

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field: Any = self.fields[name]
        field.choices = choices

    def clean_currency(self) -> str:
        """Refuse another currency where amounts exist."""
        code = str(self.cleaned_data["currency"])
        if code != self.instance.currency and settings_of_business.currency_is_in_use():
            raise ValidationError(settings_of_business.currency_blocker(self.instance.currency).message)
        return code

    @override
    def effects(self) -> Iterable[str]:
        if self.turns("time_zone"):
            yield self._on_dates()
        if self.turns("salespeople_see"):
            yield self._on_people()
        if self.turns("lost_when"):
            yield self._on_outcomes()

    def _on_outcomes(self) -> str:
        business = self.request.business
        turn = lost_rule.turn(self.cleaned_data["lost_when"], business=business, today=business.today(self.request.now))
        if not turn.lost and not turn.back:
            return _("No card turns: by either rule the same cards are lost.")
        words = [
            ngettext("%(count)s card becomes lost", "%(count)s cards become lost", turn.lost) % {"count": turn.lost},
            ngettext("%(count)s lost card is lost no more", "%(count)s lost cards are lost no more", turn.back)
            % {"count": turn.back},
        ]
        when = _("at once") if len(turn.card_ids) <= bulk.AT_ONCE else _("one after the other, within minutes")
        said = {"lost": words[0], "back": words[1], "when": when}
        return _("%(lost)s and %(back)s, %(when)s; each card's history says so.") % said

    def _on_dates(self) -> str:
        changed = BusinessSettings(time_zone=self.cleaned_data["time_zone"])
        today = changed.local_date(self.request.now)
        expire = Opportunity.objects.due_to_expire(today).count()
        revive = Opportunity.objects.due_to_revive(today).count()
        if not expire and not revive:
            return _("No card changes: by either clock the same forecast dates are past.")
        words = _("It is another day there: %(expire)s cards expire and %(revive)s expired ones come back, at once.")
        return words % {"expire": expire, "revive": revive}

    def _on_people(self) -> str:
        people = get_user_model()._default_manager.filter(is_active=True, groups__name=GROUPS[Role.SALESPERSON])
        count = people.distinct().count()
        cards = Opportunity.objects.not_archived()
        see = BusinessSettings.SalespeopleSee
        unassigned, assigned = cards.filter(salesperson=None).count(), cards.exclude(salesperson=None).count()
        words = ngettext(
            "%(count)s salesperson is affected: %(what)s", "%(count)s salespeople are affected: %(what)s", count
        )
        what = {
            see.ALL.value: _("each sees all %(cards)s cards.") % {"cards": assigned + unassigned},
            see.OWN_AND_UNASSIGNED.value: _(
                "each sees their own of %(assigned)s assigned cards, and the %(unassigned)s unassigned ones."
            )
            % {"assigned": assigned, "unassigned": unassigned},
            see.OWN.value: _(
                "each sees only their own of %(assigned)s assigned cards; %(unassigned)s unassigned ones are hidden."
            )
            % {"assigned": assigned, "unassigned": unassigned},
        }[self.cleaned_data["salespeople_see"]]
        return words % {"count": count, "what": what}


class LogoForm(forms.Form):
    """A picture for the logo; judged by what it is, not by what it is called."""

    logo = forms.FileField(
        label=gettext_lazy("Picture"),
        error_messages={"required": gettext_lazy("Choose a picture.")},
        help_text=gettext_lazy("PNG, JPEG or WebP, up to 200 kB."),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )

    @override
    def clean(self) -> dict[str, Any]:
        """Read the picture and find out its kind.

        :raises ValidationError: too large, or no picture that we take.
        """
        cleaned = super().clean() or self.cleaned_data
        given = cleaned.get("logo")
        if given is None:
            return cleaned
        if given.size > pictures.LARGEST:
            raise ValidationError({"logo": _("The picture is too large: 200 kB at most.")})
        content = given.read()
        kind = pictures.kind_of(content)
        if kind is None:
            raise ValidationError({"logo": _("This is no PNG, JPEG or WebP picture.")})
        return {**cleaned, "content": content, "kind": kind}


@admin.register(BusinessSettings, site=site)
class BusinessPage(SetupPage):
    """One row: its list leads straight to it."""

    form = BusinessForm
    sequence_field = ""
    change_form_template = "admin/setup/business.html"
    readonly_fields = ("logo_shown",)
    fieldsets = (
        (None, {"fields": ("name", "logo_shown", "phone", "email", "address", "tax_number")}),
        (gettext_lazy("Time and money"), {"fields": ("time_zone", "first_day_of_week", "currency")}),
        (gettext_lazy("People and mail"), {"fields": ("salespeople_see", "mail_sender")}),
        (gettext_lazy("Quotes and agreements"), {"fields": ("quote_valid_days", "quote_terms", "lost_when")}),
        (gettext_lazy("Housekeeping"), {"fields": ("auto_archive_days",)}),
    )

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        BusinessSettings.objects.get_or_create(pk=1)
        return HttpResponseRedirect(reverse("admin:opportunities_businesssettings_change", args=[1]))

    @admin.display(description=gettext_lazy("logo"))
    def logo_shown(self, business: BusinessSettings) -> SafeString:
        """The logo, and the way to change it."""
        url = reverse("admin:opportunities_businesssettings_logo")
        if not business.logo_type:
            return format_html('<a href="{}">{}</a>', url, _("Add a logo"))
        return format_html(
            '<img class="logo-shown" src="{}" alt="{}"> <a href="{}">{}</a>',
            reverse("opportunities:logo"),
            _("Logo"),
            url,
            _("Change or remove"),
        )

    @override
    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.logo_view))
        return [path("logo/", view, name="opportunities_businesssettings_logo"), *super().get_urls()]

    def logo_view(self, request: Request) -> HttpResponse:
        """Take a new logo, or take the present one away."""
        back = reverse("admin:opportunities_businesssettings_change", args=[1])
        if request.method == "POST" and "remove" in request.POST:
            settings_of_business.edit_settings(logo=b"", logo_type="", actor=request.user, now=request.now)
            self.message_user(request, _("The logo was removed."), messages.SUCCESS)
            return HttpResponseRedirect(back)
        form = LogoForm(request.POST, request.FILES) if request.method == "POST" else LogoForm()
        if form.is_valid():
            given = form.cleaned_data
            settings_of_business.edit_settings(
                logo=given["content"], logo_type=given["kind"], actor=request.user, now=request.now
            )
            self.message_user(request, _("The logo was saved."), messages.SUCCESS)
            return HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Logo"),
            "opts": self.opts,
            "form": form,
            "has_logo": bool(request.business.logo_type),
            "back": back,
        }
        return TemplateResponse(request, "admin/setup/logo.html", context, status=422 if form.is_bound else 200)

    @override
    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        fields = {name: form.cleaned_data[name] for name in form.changed_data}
        settings_of_business.edit_settings(**fields, actor=request.user, now=request.now)


site.describe(
    20,
    "business",
    BusinessSettings,
    gettext_lazy("Name, logo, address, time zone, currency, terms of quotes, when a card is lost."),
)
