"""The lists of quotes, jobs and agreements."""

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from opportunities.document_lists import Asked, DocumentList
from opportunities.http import Request, person


@require_GET
def listing(request: Request, ref: str) -> HttpResponse:
    """List the documents of one kind that the reader may see, filtered, searched, sorted, and summed up."""
    asked = Asked.of(request.GET, ref)
    found = DocumentList(ref, asked, reader=person(request), business=request.business, today=request.today)
    context = {"list": found, "asked": asked, "ref": ref, "page": found.page, "heads": heads(request.GET, asked, ref)}
    query = _without(request.GET, "page")
    return render(request, "documents/list.html", {**context, "query": query, "all_query": _without(request.GET, "on")})


def _without(query: QueryDict, *names: str) -> str:
    """The query string without some of its fields and the page."""
    left = query.copy()
    for name in (*names, "page"):
        left.pop(name, None)
    return left.urlencode()


def heads(query: QueryDict, asked: Asked, ref: str) -> list[dict[str, str]]:
    """The heads of the table, each with the link that sorts by it."""
    labels = {
        "number": _("Number"),
        "title": _("Title"),
        "customer": _("Customer"),
        "card": _("Opportunity"),
        "state": _("Status") if ref == "agreement" else _("State"),
        "date": _("Service date") if ref == "job" else _("Valid until"),
        "net": _("Net"),
    }
    found = []
    for name, label in labels.items():
        head = {"name": name, "label": label, "href": "", "sort": ""}
        if name not in {"card", "state"}:
            down = asked.sort == name or (asked.sort.removeprefix("-") != name and name in {"number", "net"})
            rest = _without(query, "sort")
            head["href"] = f"?{rest}{'&' if rest else ''}sort={'-' if down else ''}{name}"
            current = asked.sort.removeprefix("-") == name
            head["sort"] = ("descending" if asked.sort.startswith("-") else "ascending") if current else "none"
        found.append(head)
    return found
