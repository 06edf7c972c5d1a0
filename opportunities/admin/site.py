"""The admin site: who gets in, and its front page ordered by what admins do."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, override

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from opportunities import access, history
from opportunities.access import Role, is_at_least
from opportunities.errors import NotAllowed
from opportunities.models import Event

type Text = str | Promise

# The product has its own pages for these; a second way in would be a second set of rules.
LEFT_OUT = frozenset({"login", "logout", "password_change", "password_change_done", "view_on_site", "autocomplete"})


@dataclass(slots=True)
class Entry:
    """A line of the front page: a table, or a page of the product, and what one does there."""

    place: int
    group: str
    words: Text
    model: type[Model] | None = None
    title: Text = ""
    route: str = ""


@dataclass(slots=True)
class Shelf:
    """A group of the front page."""

    title: Text
    lines: list[dict[str, Any]] = field(default_factory=list)


SHELVES: dict[str, Text] = {
    "pipeline": gettext_lazy("How deals move"),
    "endings": gettext_lazy("How deals end"),
    "business": gettext_lazy("The business"),
    "records": gettext_lazy("Look things up"),
}


class StageboardAdmin(admin.AdminSite):
    """The settings of the product, for people of the group Admin (D40)."""

    site_header = gettext_lazy("Settings")
    site_title = gettext_lazy("Stageboard")
    index_title = gettext_lazy("Settings")
    enable_nav_sidebar = False
    index_template = "admin/front.html"

    def __init__(self) -> None:
        super().__init__(name="admin")
        self.entries: list[Entry] = [
            Entry(
                21,
                "business",
                gettext_lazy("Colleagues, their groups, and links to set a password."),
                title=gettext_lazy("People"),
                route="opportunities:people",
            ),
            Entry(
                10,
                "records",
                gettext_lazy("What changes by itself at midnight, what the last runs did, how the jobs fare."),
                title=gettext_lazy("Tonight's run"),
                route="opportunities:tonight",
            ),
            Entry(
                11,
                "records",
                gettext_lazy("Whether every opportunity and document is what its facts say."),
                title=gettext_lazy("Integrity check"),
                route="opportunities:integrity",
            ),
            Entry(
                90,
                "business",
                gettext_lazy("Stage, workflow status and sales status, explained."),
                title=gettext_lazy("Help: stages and statuses"),
                route="opportunities:help-stages",
            ),
        ]
        self.cards_url: Callable[[str], str] = lambda _query: ""
        """Where cards are listed, given a filter's query string; boards say where."""
        self.disable_action("delete_selected")

    @override
    def has_permission(self, request: HttpRequest) -> bool:
        return is_at_least(request.user, Role.ADMIN)

    @override
    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Say who may instead of asking a colleague to log in again; note every act as done here."""

        def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if not self.has_permission(request):
                raise NotAllowed(access.who_may("settings"))
            with history.acting(via=Event.Via.ADMIN):
                return inner(request, *args, **kwargs)

        inner = super().admin_view(view, cacheable)
        asked.__dict__.update(getattr(inner, "__dict__", {}))
        return asked

    @override
    def get_urls(self) -> list[Any]:
        kept = [each for each in super().get_urls() if getattr(each, "name", None) not in LEFT_OUT]
        for each in kept:
            # Django names the admin's own login here, which is left out: LOGIN_URL is the one.
            getattr(each.callback, "__dict__", {}).pop("login_url", None)
        return kept

    def describe(self, place: int, group: str, model: type[Model], words: Text) -> None:
        """Put a table on the front page."""
        self.entries.append(Entry(place, group, words, model=model))

    @override
    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        tabs = [line for shelf in self._shelves(request)[:3] for line in shelf.lines if not line["outside"]]
        return {**super().each_context(request), "setup_tabs": tabs}

    @override
    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        context = {**(extra_context or {}), "shelves": self._shelves(request)}
        return super().index(request, context)

    @override
    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """One front page is enough."""
        return HttpResponseRedirect(reverse(f"{self.name}:index"))

    def _shelves(self, request: HttpRequest) -> list[Shelf]:
        shelves = {key: Shelf(title) for key, title in SHELVES.items()}
        for entry in sorted(self.entries, key=lambda each: each.place):
            line = self._line(entry, request)
            if line is not None:
                shelves[entry.group].lines.append(line)
        return [shelf for shelf in shelves.values() if shelf.lines]

    def _line(self, entry: Entry, request: HttpRequest) -> dict[str, Any] | None:
        try:
            if entry.model is None:
                return self._as_line(entry.title, entry.words, reverse(entry.route), request, outside=True)
            meta = entry.model._meta
            url = reverse(f"{self.name}:{meta.app_label}_{meta.model_name}_changelist")
        except NoReverseMatch:
            return None
        title = meta.verbose_name if meta.db_table.endswith("businesssettings") else meta.verbose_name_plural
        return self._as_line(title or "", entry.words, url, request)

    def _as_line(
        self, title: Text, words: Text, url: str, request: HttpRequest, *, outside: bool = False
    ) -> dict[str, Any]:
        here = not outside and request.path.startswith(url)
        short = str(title).partition(" (")[0]
        return {"title": title, "short": short, "words": words, "url": url, "outside": outside, "here": here}


site = StageboardAdmin()
