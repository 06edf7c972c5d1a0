"""What the admin pages of all tables share: rights by role, and for setup tables the effect shown before it happens."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, override

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, IntegerField, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from opportunities.admin.site import site
from opportunities.errors import Blocker, Refused
from opportunities.http import Request
from opportunities.models import Opportunity

EFFECTS_SEEN = "_effects_seen"


class AdminPage(admin.ModelAdmin[Any]):
    """A table of the admin: whoever may enter may use it; the verbs ask again."""

    list_per_page = 100
    view_on_site: Any = False
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def _is_admin(self, request: HttpRequest) -> bool:
        return site.has_permission(request)

    @override
    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._is_admin(request)

    @override
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_admin(request)

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._is_admin(request)

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_admin(request)

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_admin(request)

    @override
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    @override
    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        context.update(show_save_and_add_another=False)
        if context.get("original") is not None:
            context.update(title=str(context["original"]), subtitle=capfirst(self.opts.verbose_name))
        return super().render_change_form(request, context, *args, **kwargs)


class ReadOnlyPage(AdminPage):
    """A table to look things up in; what happens to its rows happens elsewhere."""

    @override
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EffectForm(forms.ModelForm[Any]):
    """A form that tells what saving it would do to existing cards, and saves only what was told.

    The sentences come back with the form; sending it again with their fingerprint confirms exactly these.
    """

    request: ClassVar[Request]
    untold: Sequence[str] = ()

    def effects(self) -> Iterable[str]:
        """Say in sentences what the change does to existing cards; nothing where it does nothing."""
        return ()

    @override
    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.instance._state.adding or self.errors:
            return cleaned
        effects = list(self.effects())
        if effects and self.data.get(EFFECTS_SEEN) != fingerprint(effects):
            self.untold = effects
            raise ValidationError(list(effects), code="effects")
        return cleaned

    def before(self, name: str) -> Any:
        """The value that the row has now."""
        return self.initial.get(name)

    def turns(self, name: str, to: Any = None) -> bool:
        """Tell whether the form changes this field (to this value)."""
        return name in self.changed_data and (to is None or self.cleaned_data.get(name) == to)


class OrderForm(forms.ModelForm[Any]):
    """The number that a row of a list has in the order, named for who cannot see the row."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = _("Order of %(row)s") % {"row": self.instance}


def fingerprint(sentences: Sequence[str]) -> str:
    """Return a short value that stands for exactly these sentences."""
    return hashlib.sha256("\n".join(sentences).encode()).hexdigest()[:16]


class DeleteForm(forms.Form):
    """The question of a delete page: nothing more to say, unless a table asks for a replacement."""


class SetupPage(AdminPage):
    """A setup table: usage counts, order by dragging or typing, effects told beforehand, safe deletion."""

    change_form_template = "admin/setup/change_form.html"
    change_list_template = "admin/setup/change_list.html"
    form = EffectForm
    sequence_field = "sequence"
    used_through = ""
    filter_key = ""
    verbs: Any = None
    key_name = ""
    fields_written: Sequence[str] = ()
    explains_stages = False
    show_full_result_count = True

    # What it is used by

    @override
    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        if not self.used_through:
            return rows
        return rows.annotate(used=self._count({}), used_open=self._count({"archived_at": None, "decided_on": None}))

    def _count(self, conditions: dict[str, Any]) -> Coalesce:
        cards = Opportunity.objects.filter(**{self.used_through: OuterRef("pk")}, **conditions).order_by()
        count = cards.values(self.used_through).annotate(count=Count("pk")).values("count")
        return Coalesce(Subquery(count, output_field=IntegerField()), 0)

    @admin.display(description=gettext_lazy("cards"), ordering="used")
    def cards(self, row: Any) -> str | SafeString:
        """How many cards use the row, leading to them."""
        words = cards_in_words(row.used, row.used_open)
        url = site.cards_url(f"{self.filter_key}={row.pk}&archived=with") if row.used else ""
        return format_html('<a href="{}">{}</a>', url, words) if url else words

    def usage(self, row: Any) -> list[str]:
        """Say on the row's own page what its cards have to do with it."""
        return []

    @admin.display(description=gettext_lazy("default"))
    def default_shown(self, row: Any) -> str | SafeString:
        """A mark on the one row that new cards begin with."""
        return format_html('<span class="badge info">{}</span>', _("default")) if row.is_default else ""

    @admin.display(description=gettext_lazy("use"))
    def use_shown(self, row: Any) -> str | SafeString:
        """Whether the row is offered, in a word."""
        active = not row.retired if hasattr(row, "retired") else row.active
        tone, word = ("good", _("active")) if active else ("quiet", _("retired"))
        return format_html('<span class="badge {}">{}</span>', tone, word)

    # Order

    @admin.display(description=gettext_lazy("drag"))
    def handle(self, row: Any) -> SafeString:
        """The grip by which a row is dragged."""
        return format_html(
            '<span class="drag-handle" data-row="{}" data-group="{}" aria-hidden="true"></span>',
            row.pk,
            getattr(row, "list", ""),
        )

    @override
    def get_urls(self) -> list[Any]:
        if not self.sequence_field:
            return super().get_urls()
        name = f"{self.opts.app_label}_{self.opts.model_name}_reorder"
        own = path("reorder/", self.admin_site.admin_view(require_POST(self.reorder_view)), name=name)
        return [own, *super().get_urls()]

    def reorder_view(self, request: Request) -> HttpResponse:
        """Keep the order in which the rows were dropped."""
        ids = [int(pk) for pk in request.POST.getlist("row") if pk.isdecimal() and len(pk) < 19]
        self.verbs.reorder(ids=ids, actor=request.user, now=request.now)
        rows = self.model._default_manager.values_list("pk", self.sequence_field)
        return JsonResponse({"order": {str(pk): place for pk, place in rows}})

    @override
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        # Dragging means something only while the whole table stands in its own order.
        plain = not (set(request.GET) - {"list__exact", "_facets"})
        reorder = f"admin:{self.opts.app_label}_{self.opts.model_name}_reorder"
        url = reverse(reorder) if self.sequence_field and plain else ""
        context = {"reorder_url": url, "explains_stages": self.explains_stages, **(extra_context or {})}
        return super().changelist_view(request, context)

    # Writing

    @override
    def get_form(self, request: Any, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.request = request
        return form

    @override
    def get_changelist_form(self, request: Any, **kwargs: Any) -> Any:
        """Typing the order needs none of the big form's questions."""
        return super().get_changelist_form(request, **{**kwargs, "form": OrderForm})

    @override
    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        names = form.changed_data if change else form.cleaned_data
        fields = {name: form.cleaned_data[name] for name in names if name in self.fields_written}
        key = {self.key_name: obj.pk} if change else {}
        verb = self.verbs.edit if change else self.verbs.create
        saved = call(verb, **key, **fields, actor=request.user, now=request.now)
        obj.__dict__.update(saved.__dict__)

    @override
    def render_change_form(self, request: Any, context: Any, *args: Any, **kwargs: Any) -> Any:
        form = context["adminform"].form
        untold = getattr(form, "untold", ())
        if untold:
            context.update(errors=None, effects=untold, effects_seen=fingerprint(untold))
        row = context.get("original")
        context.update(
            usage=self.usage(row) if row is not None else (),
            explains_stages=self.explains_stages,
            show_delete_link=self.has_delete_permission(request, row),
        )
        return super().render_change_form(request, context, *args, **kwargs)

    # Deleting

    def delete_blocker(self, row: Any) -> Blocker | None:
        """Say why the row cannot be deleted; None where it can."""
        return None

    def delete_form(self, row: Any, data: Any = None) -> forms.Form:
        """The question that the delete page asks."""
        return DeleteForm(data)

    def delete_effects(self, row: Any) -> list[str]:
        """Say what deleting the row does."""
        return []

    def delete_row(self, row: Any, answer: dict[str, Any], request: Request) -> str:
        """Delete the row by its verb; answers what was done, in words."""
        raise NotImplementedError

    @override
    def delete_view(self, request: Any, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None or not self.has_delete_permission(request, row):
            raise Http404
        form = self.delete_form(row, request.POST or None)
        blocker = self.delete_blocker(row)
        if request.method == "POST" and blocker is None and form.is_valid():
            words = self.delete_row(row, form.cleaned_data, request)
            self.message_user(request, words, messages.SUCCESS)
            return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Delete “%(row)s”?") % {"row": row},
            "opts": self.opts,
            "original": row,
            "form": form,
            "blocker": blocker,
            "effects": self.delete_effects(row),
            "explains_stages": self.explains_stages,
        }
        status = 409 if blocker and request.method == "POST" else 422 if form.is_bound and form.errors else 200
        return TemplateResponse(request, "admin/setup/delete.html", context, status=status)

    def note_deleted(self, request: Request, row: Model) -> None:
        """Keep in the admin's own log that the row was deleted; to be called while it is there."""
        self.log_deletions(request, row._meta.model._default_manager.filter(pk=row.pk))


def call(verb: Callable[..., Any], **arguments: Any) -> Any:
    """Call a verb. The form has judged the fields; what the verb still finds is answered like every refusal.

    :raises Refused: whatever the verb refuses, and what it finds wrong with a field.
    """
    try:
        return verb(**arguments)
    except ValidationError as error:
        raise Refused([Blocker("INVALID", str(message)) for message in error.messages]) from error


def cards_in_words(count: int, still_open: int | None = None) -> str:
    """Say how many cards: "37 cards, 30 open"."""
    if not count:
        return _("none")
    words = ngettext("%(count)s card", "%(count)s cards", count) % {"count": count}
    if still_open is None:
        return words
    return _("%(cards)s, %(open)s open") % {"cards": words, "open": still_open}


def open_cards(**conditions: Any) -> QuerySet[Opportunity]:
    """The cards that heads count: open and not put away."""
    return Opportunity.objects.open().not_archived().filter(**conditions)
