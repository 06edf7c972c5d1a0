"""Voiding and canceling a card over HTTP: the whole consequence beforehand, the act, and why it cannot be done."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from opportunities import access, closing, history, lifecycle
from opportunities.cancel_mail_forms import CancelMailForm
from opportunities.closing_forms import CloseForm
from opportunities.errors import Blocker, Refused
from opportunities.forms import refuse
from opportunities.http import Request, person
from opportunities.lifecycle import Consequences
from opportunities.models import Event, Opportunity
from opportunities.opportunity_views import acted, sheet
from opportunities.workflow import ClosedKind


@require_http_methods(["GET", "POST"])
def void(request: Request, pk: int) -> HttpResponse:
    """Void a card that was made by mistake (6)."""
    return _close(request, pk, ClosedKind.VOID)


@require_http_methods(["GET", "POST"])
def cancel(request: Request, pk: int) -> HttpResponse:
    """Cancel a card because the customer does not go on (C0)."""
    return _close(request, pk, ClosedKind.CANCELED)


@require_GET
def why_not(request: Request, pk: int) -> HttpResponse:
    """Tell every condition of voiding and canceling a card, met or not. It writes nothing, and every reader may ask."""
    found = lifecycle.consequences(opportunity_id=pk, actor=person(request), now=request.now)
    checks = closing.conditions(found, reader=person(request))
    stands = [check for check in checks if not check.passed]
    context = {"card": found.card, "found": found, "checks": checks, "stands": stands}
    return sheet(request, "closing_check", context)


def _close(request: Request, pk: int, kind: ClosedKind) -> HttpResponse:
    """Show what will happen, and do exactly that once it is confirmed."""
    found = _look(request, pk, kind)
    access.require(person(request), lifecycle.right_of(kind), found.card)
    if found.closed is not None:
        return _again(request, found.card, found.closed)
    if request.method == "GET" or "preview" in request.POST:
        return _sheet(request, found, CloseForm.to_look_at(request.POST or None, found=found))
    form, mail = CloseForm(request.POST, found=found), _mail(request, found)
    if not _all_valid(form, mail):
        return _sheet(request, found, form, status=422)
    try:
        card = _do(request, pk, kind, form, mail)
    except ValidationError as error:
        refuse(form, error)
        return _sheet(request, found, form, status=422)
    except Refused as refused:
        fresh = _look(request, pk, kind)
        if fresh.closed is not None:
            return _again(request, fresh.card, fresh.closed)
        return _sheet(request, fresh, CloseForm(request.POST, found=fresh), status=409, refused=refused.blockers)
    return _closed(request, card)


def _look(request: Request, pk: int, kind: ClosedKind) -> Consequences:
    return lifecycle.consequences(opportunity_id=pk, kind=kind, actor=person(request), now=request.now)


def _mail(request: Request, found: Consequences) -> CancelMailForm | None:
    """Make the mail part of the sheet: on Cancel only (AC176)."""
    if found.kind is not ClosedKind.CANCELED:
        return None
    look = request.method == "GET" or "preview" in request.POST
    given = request.POST if request.method == "POST" else None
    return CancelMailForm(given, card=found.card, business=request.business, only_look=look and given is not None)


def _all_valid(*forms: Form | None) -> bool:
    """Tell whether all parts are right, having judged every one of them, so that all errors are seen at once."""
    judged = [form is None or form.is_valid() for form in forms]
    return all(judged)


def _do(request: Request, pk: int, kind: ClosedKind, form: CloseForm, mail: CancelMailForm | None) -> Opportunity:
    given = form.cleaned_data
    wish: dict[str, Any] = {name: given[name] for name in ("note", "archive")}
    wish |= {"reason_id": given["reason"].pk, "seen": given["seen"], "first": form.first()}
    if mail is not None:
        wish["mail"] = mail.arguments()
    wish |= {"opportunity_id": pk, "actor": person(request), "now": request.now}
    with history.acting(act=given["token"] or uuid.uuid4()):
        return lifecycle.void(**wish) if kind is ClosedKind.VOID else lifecycle.cancel(**wish)


def _closed(request: Request, card: Opportunity) -> HttpResponse:
    words = _("%(number)s was voided.") if card.closed_kind == ClosedKind.VOID else _("%(number)s was canceled.")
    return acted(request, card, words % {"number": card.number})


def _again(request: Request, card: Opportunity, closed: Blocker) -> HttpResponse:
    """Answer calmly where this form has closed the card already, such as by a double click; else say who was first.

    :raises Refused: CARD_TERMINAL, with who closed it and when.
    """
    try:
        token = uuid.UUID(request.POST.get("token", ""))
    except ValueError:
        raise Refused(closed) from None
    mine = Event.objects.filter(act=token, actor=person(request), opportunity=card, kind__in=("voided", "canceled"))
    if not mine.exists():
        raise Refused(closed)
    return _closed(request, card)


def _sheet(
    request: Request, found: Consequences, form: CloseForm, *, status: int = 200, refused: Sequence[Blocker] = ()
) -> HttpResponse:
    """Render the sheet; what was changed since it was shown is marked, and has to be confirmed anew (D32)."""
    shown = request.POST.getlist("shown") if request.method == "POST" else []
    own = {blocker.code for blocker in found.blockers}
    view = closing.of(found, reader=person(request), shown=shown)
    boxed = (replace(check, boxes=tuple(form.first_fields(check.first))) for check in view.checks)
    mail = _mail(request, found)
    reason = form.chosen_reason()
    context = {
        "card": found.card,
        "form": form,
        "mail": mail,
        "preview": mail.preview(reason=reason, today=request.today) if mail else None,
        "looked": "preview" in request.POST,
        "view": replace(view, checks=tuple(boxed)),
        "refused": [each for each in refused if each.code not in own],
        "still": [each for each in refused if each.code in own],
    }
    return sheet(request, "close", context, status=status)
