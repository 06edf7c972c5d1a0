"""Boards and their columns in the admin; the same can be done in the product."""

from collections.abc import Iterable
from typing import Any, override

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from boards import building
from boards.models import Board, Column
from opportunities.admin.base import EffectForm, SetupPage, call
from opportunities.admin.site import site
from opportunities.filters import CardFilter
from opportunities.http import Request
from opportunities.models import OpportunityStage

FIELDS = ("name", "is_default", "filter", "sort", "wip_binding", "completed_days", "lost_days")


def list_of_cards(query: str) -> str:
    """Where cards are listed that a query string selects."""
    return f"{reverse('boards:search')}?{query}"


site.cards_url = list_of_cards


class BoardForm(EffectForm):
    """A board; saving one as the default takes that from the other."""

    class Meta:
        model = Board
        fields = FIELDS

    def _get_validation_exclusions(self) -> set[str]:
        return {*super()._get_validation_exclusions(), "is_default"}  # type: ignore[misc]

    def clean_filter(self) -> str:
        """Keep the query string in its one spelling; what makes no sense is refused in words."""
        given = str(self.cleaned_data["filter"]).strip().lstrip("?")
        found = CardFilter.parse(given, user=self.request.user, today=self.request.today)
        if found.problems:
            raise ValidationError(list(found.problems))
        return found.query

    @override
    def clean(self) -> dict[str, Any] | None:
        board = self.instance
        if self.cleaned_data.get("is_default") and board.owner_id is not None:
            self.add_error(
                "is_default", _("The default board is one that everybody sees: this is a board of your own.")
            )
        if self.turns("is_default", to=False) and board.is_default:
            self.add_error("is_default", _("There is always a default board: tick it on another one instead."))
        return super().clean()

    @override
    def effects(self) -> Iterable[str]:
        board = self.instance
        if self.turns("is_default", to=True):
            yield _("Everybody's first page is this board from now on.")
        if self.turns("filter"):
            yield _("The board shows other cards from now on. No card changes.")
        if self.turns("wip_binding", to=True):
            full = [column.name for column in board.columns.exclude(wip_max=None)]
            if full:
                yield _("On this board no card enters a full column any more: %(columns)s.") % {
                    "columns": ", ".join(full)
                }


class StageBoxes(forms.ModelMultipleChoiceField[OpportunityStage]):
    """Stages to tick; a retired one says so."""

    @override
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.name) if obj.active else _("%(stage)s (retired)") % {"stage": obj.name}


class ColumnForm(forms.ModelForm[Column]):
    """A column with the stages that it stands for."""

    stands_for = StageBoxes(
        label=gettext_lazy("Stages"),
        queryset=OpportunityStage.objects.in_order(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Column
        fields = ("name", "colour", "sequence", "wip_min", "wip_max")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["stands_for"] = [each.stage_id for each in self.instance.mapped.all()]


class ColumnFormSet(forms.BaseInlineFormSet[Column, Board, forms.ModelForm[Column]]):
    """The columns of a board: a stage stands in one of them at most."""

    @override
    def clean(self) -> None:
        super().clean()
        seen: set[int] = set()
        for form in self.forms:
            given = getattr(form, "cleaned_data", {})
            if given.get("DELETE"):
                continue
            for stage in given.get("stands_for") or ():
                if stage.pk in seen:
                    words = _("“%(stage)s” is in another column of the board already.")
                    form.add_error("stands_for", words % {"stage": stage.name})
                seen.add(stage.pk)


class ColumnRows(admin.StackedInline[Column, Board]):
    """The columns on the page of their board."""

    model = Column
    form = ColumnForm
    formset = ColumnFormSet
    extra = 0
    fields = (("name", "sequence"), ("colour", "wip_min", "wip_max"), "stands_for")

    @override
    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("mapped")

    def _is_admin(self, request: HttpRequest) -> bool:
        return site.has_permission(request)

    @override
    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_admin(request)

    @override
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_admin(request)

    @override
    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_admin(request)

    @override
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_admin(request)


@admin.register(Board, site=site)
class BoardPage(SetupPage):
    """The boards that everybody sees, and the admin's own; other people's own boards are theirs."""

    form = BoardForm
    sequence_field = ""
    explains_stages = True
    inlines = (ColumnRows,)
    ordering = ("-is_default", "name", "pk")
    list_display = ("name", "seen_by", "default_shown", "columns_shown", "sort")
    list_filter = ("is_default", "sort")
    search_fields = ("name",)
    readonly_fields = ("seen_by",)
    fieldsets = (
        (None, {"fields": ("name", "seen_by", "is_default")}),
        (gettext_lazy("What it shows"), {"fields": ("filter", "sort", "wip_binding", "completed_days", "lost_days")}),
    )

    @override
    def get_queryset(self, request: HttpRequest) -> Any:
        user: Any = request.user
        return Board.objects.visible_to(user).order_by(*self.ordering).prefetch_related("columns")

    @override
    def view_on_site(self, board: Board) -> str:
        """The board itself."""
        return board.get_absolute_url()

    @admin.display(description=gettext_lazy("seen by"))
    def seen_by(self, board: Board) -> str:
        """Everybody, or just oneself."""
        return _("everybody") if board.owner_id is None else _("you alone")

    @admin.display(description=gettext_lazy("columns"))
    def columns_shown(self, board: Board) -> str | None:
        """The names of its columns."""
        return ", ".join(column.name for column in board.columns.all()) or None

    @override
    def save_model(self, request: Any, obj: Any, form: Any, change: bool) -> None:
        names = form.changed_data if change else FIELDS
        fields = {name: form.cleaned_data[name] for name in names if name in FIELDS}
        key: dict[str, Any] = {"board_id": obj.pk} if change else {"shared": True}
        verb = building.edit_board if change else building.create_board
        saved = call(verb, **key, **fields, actor=request.user, now=request.now)
        obj.__dict__.update(saved.__dict__)

    @override
    def save_formset(self, request: Any, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)  # only says what changed, for the admin's log
        wanted = [
            each for each in formset.forms if each.cleaned_data.get("name") and not each.cleaned_data.get("DELETE")
        ]
        ordered = sorted(wanted, key=lambda each: each.cleaned_data["sequence"] or 0)
        call(
            building.set_columns,
            board_id=form.instance.pk,
            columns=[wish(each) for each in ordered],
            actor=request.user,
            now=request.now,
        )

    @override
    def delete_effects(self, row: Any) -> list[str]:
        columns = row.columns.count()
        words = ngettext(
            "The board goes with its %(count)s column. No card is touched: cards stand in stages, not on boards.",
            "The board goes with its %(count)s columns. No card is touched: cards stand in stages, not on boards.",
            columns,
        )
        effects = [words % {"count": columns}]
        if row.is_default:
            effects.append(_("It is the default: the next shared board by name takes its place."))
        return effects

    @override
    def delete_row(self, row: Any, answer: dict[str, Any], request: Request) -> str:
        self.note_deleted(request, row)
        name = building.delete_board(board_id=row.pk, actor=request.user, now=request.now)
        return _("Deleted “%(board)s”.") % {"board": name}


def wish(form: Any) -> building.ColumnWish:
    """Turn a column's form into what the verb takes. Stages that were there keep their places."""
    given = form.cleaned_data
    present = [each.stage_id for each in form.instance.mapped.all()] if form.instance.pk else []
    chosen = [stage.pk for stage in given["stands_for"]]
    return building.ColumnWish(
        id=form.instance.pk,
        name=given["name"],
        colour=given["colour"],
        stages=tuple(sorted(chosen, key=lambda pk: present.index(pk) if pk in present else len(present))),
        wip_min=given["wip_min"],
        wip_max=given["wip_max"],
    )


site.describe(2, "pipeline", Board, gettext_lazy("Which cards a board shows, and its columns."))
