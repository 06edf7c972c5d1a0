"""The page "My day", and putting an action item off."""

from datetime import date

from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from opportunities import access, activity, days, history, my_day, overview
from opportunities.access import Person, Role
from opportunities.errors import NotAllowed
from opportunities.forms import SnoozeForm
from opportunities.http import LARGEST_ID, Request, person
from opportunities.models import ActionItem
from opportunities.opportunity_views import acted, sheet


@require_GET
@vary_on_headers("HX-Request")
def page(request: Request) -> HttpResponse:
    """Show one's own day; managers may look at a colleague's."""
    reader = person(request)
    shown = _whose(request, reader)
    day = my_day.of(shown, reader=reader, business=request.business, today=request.today, now=request.now)
    context = {"day": day, "name": history.label(shown)}
    if request.htmx:
        return render(request, "opportunities/my_day.html#day", context)
    context["colleagues"] = list(access.may_take_cards()) if access.is_at_least(reader, Role.MANAGER) else []
    return render(request, "opportunities/my_day.html", context)


def _whose(request: Request, reader: Person) -> Person:
    wanted = request.GET.get("person", "")
    if not wanted or wanted == str(reader.pk):
        return reader
    if not access.is_at_least(reader, Role.MANAGER):
        raise NotAllowed(_("Only a manager may look at somebody else's day."))
    pk = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else 0
    return get_user_model()._default_manager.get(pk=min(pk, LARGEST_ID))


@require_http_methods(["GET", "POST"])
def snooze(request: Request, pk: int) -> HttpResponse:
    """Put an action item off: to tomorrow, in three days, next week, or a date; its reminder comes along."""
    item = ActionItem.objects.get(pk=pk)
    card = overview.one(item.opportunity_id, person(request))
    access.require(person(request), "action", card)
    # The buttons send the day that they name, so that a double click puts off no further; so does the Undo.
    sent = request.POST.get("to", request.POST.get("due_on", request.GET.get("to")))
    form = SnoozeForm({"due_on": sent} if request.method == "POST" else None, initial={"due_on": item.due_on})
    if not form.is_valid():
        choices = [(day.isoformat(), words) for day, words in my_day.snoozes(request.today)]
        context = {"form": form, "card": card, "item": item, "choices": choices}
        return sheet(request, "snooze", context, status=422 if form.is_bound else 200)
    day: date = form.cleaned_data["due_on"]
    activity.snooze_action(action_id=pk, due_on=day, actor=person(request), now=request.now)
    said = _("Put off to %(day)s: %(action)s") % {"day": days.short(day, request.today), "action": item.text}
    return acted(request, card, said, undo_url=f"{request.path}?to={item.due_on.isoformat()}")
