"""Acts of the admin on chosen rows: each row by its verb, and said in words which were done and why others were not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import QuerySet
from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from opportunities import closing, documents, lifecycle, offers
from opportunities.admin.base import AdminPage
from opportunities.attached import AnyDocument
from opportunities.errors import NotAllowed, Refused, Stale
from opportunities.http import Request
from opportunities.models import Opportunity, Reason
from opportunities.workflow import ClosedKind

LISTED = 10
"""How many refused rows are told one by one."""

FORETOLD = 50
"""For how many documents the page says beforehand what becomes of their cards."""


class ReasonForm(forms.Form):
    """Which reason of a list the chosen documents get."""

    reason: Any = forms.ModelChoiceField(
        label=gettext_lazy("Reason"),
        queryset=Reason.objects.none(),
        error_messages={"required": gettext_lazy("Choose a reason.")},
    )

    def __init__(self, list_: str, data: Any = None) -> None:
        super().__init__(data)
        field: Any = self.fields["reason"]
        field.queryset = Reason.objects.filter(list=list_, active=True).order_by("sequence", "pk")
        field.empty_label = _("Choose…")


def on_each(
    page: AdminPage, request: Request, rows: QuerySet[Any], verb: Callable[..., Any], done: str, **given: Any
) -> None:
    """Call the verb for each document by itself; say how many it was done to, and why not to the others."""
    count, refused = 0, []
    model = rows.model
    for pk in list(rows.order_by("pk").values_list("pk", flat=True)):
        try:
            verb(**{f"{model.REF}_id": pk}, **given, actor=request.user, now=request.now)
            count += 1
        except (Refused, NotAllowed, Stale, ValidationError, ObjectDoesNotExist) as error:
            refused.append(f"{model.LETTER}-{pk}: {_why(error)}")
    said = {"count": count, "done": done}
    if count:
        words = ngettext("%(count)s document %(done)s.", "%(count)s documents %(done)s.", count)
        page.message_user(request, words % said, messages.SUCCESS)
    if refused:
        words = ngettext("%(count)s refused:", "%(count)s refused:", len(refused)) % {"count": len(refused)}
        more = len(refused) - LISTED
        if more > 0:
            refused = [*refused[:LISTED], _("and %(count)s more") % {"count": more}]
        page.message_user(request, f"{words} {' · '.join(refused)}", messages.WARNING)


def _why(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return " ".join(error.messages)
    return str(error) or _("it is gone.")


@dataclass(frozen=True, slots=True)
class Ending:
    """How documents are ended: for a reason of which list, and the words for it."""

    list_: str
    title: Any
    button: Any
    done: Any


ENDINGS = {
    "void": Ending(
        Reason.List.VOID.value,
        gettext_lazy("Void these documents?"),
        gettext_lazy("Void them"),
        gettext_lazy("voided"),
    ),
    "cancel": Ending(
        Reason.List.CANCEL.value,
        gettext_lazy("Cancel these documents?"),
        gettext_lazy("Cancel them"),
        gettext_lazy("canceled"),
    ),
}


def for_a_reason(
    page: AdminPage, request: Request, rows: QuerySet[Any], *, verb_name: str, verb: Callable[..., Any]
) -> HttpResponse | None:
    """Ask for a reason on a page of its own, which says what each document's card becomes; then do it."""
    ending = ENDINGS[verb_name]
    answered = "reason" in request.POST
    form = ReasonForm(ending.list_, request.POST if answered else None)
    if answered and form.is_valid():
        on_each(page, request, rows, verb, str(ending.done), reason_id=form.cleaned_data["reason"].pk)
        return None
    chosen = list(rows.order_by("pk"))
    context = {
        **page.admin_site.each_context(request),
        "title": ending.title,
        "opts": page.opts,
        "form": form,
        "chosen": [_outlook(each, verb_name, request) for each in chosen[:FORETOLD]],
        "more": max(len(chosen) - FORETOLD, 0),
        "hidden": [("action", verb_name), *((ACTION_CHECKBOX_NAME, each.pk) for each in chosen)],
        "button": ending.button,
    }
    return TemplateResponse(request, "admin/setup/reason.html", context, status=422 if answered else 200)


class CloseForm(ReasonForm):
    """Why the chosen cards are closed, and whether they are put away with it."""

    note = forms.CharField(
        label=gettext_lazy("Note (inside the business only)"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    archive = forms.BooleanField(label=gettext_lazy("Move to archive"), required=False)


def asked_to_close(request: Request, kind: ClosedKind) -> CloseForm:
    """Read what was answered to `ask_to_close`, if it was asked yet."""
    return CloseForm(lifecycle.list_of(kind), request.POST if "reason" in request.POST else None)


def ask_to_close(
    page: AdminPage, request: Request, rows: QuerySet[Opportunity], kind: ClosedKind, form: CloseForm
) -> HttpResponse:
    """Ask why the chosen cards are voided or canceled, on a page that says what stands against each of them."""
    chosen = list(rows.order_by("pk"))
    told = list(closing.foretell([each.pk for each in chosen], kind, reader=request.user, now=request.now))
    is_void, verb = kind is ClosedKind.VOID, lifecycle.right_of(kind)
    context = {
        **page.admin_site.each_context(request),
        "title": _("Void these opportunities?") if is_void else _("Cancel these opportunities?"),
        "opts": page.opts,
        "form": form,
        "chosen": [_told(each) for each in told],
        "more": max(len(chosen) - closing.FORETOLD, 0),
        "hidden": [
            ("action", verb),
            *((ACTION_CHECKBOX_NAME, each.pk) for each in chosen),
            *(("seen", each.seen) for each in told),
        ],
        "button": _("Void them") if is_void else _("Cancel them"),
        "warning": _("There is no way back: a void or canceled card stays so, and so do the documents on it."),
    }
    return TemplateResponse(request, "admin/setup/reason.html", context, status=422 if form.is_bound else 200)


def _told(each: closing.Foretold) -> dict[str, Any]:
    """Say of one card which documents it takes along, or why it will be refused."""
    refusals = [{"message": words} for words in each.refusals]
    return {"document": each.card, "offer": {"consequence": each.along, "refusals": refusals}}


def _outlook(document: AnyDocument, verb: str, request: Request) -> dict[str, Any]:
    """Say of one document what the act makes of its card, or why it will be refused."""
    named: Any = {f"{document.REF}_id": document.pk}
    desk = documents.open_desk(**named, actor=request.user, now=request.now, locked=False)
    here = desk.find(type(document), document.pk)
    offer = offers.one(verb, here, desk=desk, reader=request.user)
    return {"document": here, "offer": offer}
