"""The page "People": who works here, for admins. Each act is one view; what it may do is asked by the verb."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from opportunities import access, password_links, people
from opportunities.access import Person
from opportunities.errors import Refused
from opportunities.http import Request, done
from opportunities.models import BulkAct, PersonPhone
from opportunities.people_forms import HandOverForm, PersonForm

type View[**P] = Callable[Concatenate[Request, P], HttpResponse]


def for_admins[**P](view: View[P]) -> View[P]:
    """Keep a page about people from everybody else; acts are judged by their verbs as well."""

    @wraps(view)
    def guarded(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        access.require(request.user, "people")
        return view(request, *args, **kwargs)

    return guarded


@require_GET
@for_admins
def people_list(request: Request) -> HttpResponse:
    """Everybody with an account, and how many open cards each has."""
    rows = [(person, people.group_role(person)) for person in people.colleagues()]
    return render(request, "opportunities/people/list.html", {"rows": rows})


@require_http_methods(["GET", "POST"])
@for_admins
def new(request: Request) -> HttpResponse:
    """Add a colleague; then comes the link that they set their password by."""
    form = PersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            person = people.invite(**form.cleaned_data, actor=request.user, now=request.now)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            sentence = _("%(name)s is added.") % {"name": people.name_of(person)}
            return done(request, sentence, to=reverse("opportunities:person-link", args=[person.pk]))
    context = {"form": form, "mail_is_set_up": password_links.mail_is_set_up()}
    return render(request, "opportunities/people/form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@for_admins
def edit(request: Request, pk: int) -> HttpResponse:
    """Change a colleague's name, address or group; and the other things that can be done about them."""
    person = people.colleagues().get(pk=pk)
    form = PersonForm(request.POST or None, initial=_held(person))
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            people.edit(person_id=pk, **form.changed(), actor=request.user, now=request.now)
        except ValidationError as error:
            form.add_error(None, error)
        except Refused as refused:
            form.add_error("role", str(refused))
            status = 409
        else:
            return done(request, _("Saved."), to=reverse("opportunities:people"))
    if form.errors and status == 200:
        status = 422
    return render(request, "opportunities/people/form.html", {"form": form, "person": person}, status=status)


def _held(person: Person) -> dict[str, Any]:
    names = ("username", "first_name", "last_name", "email")
    held = {name: getattr(person, name) for name in names}
    return {**held, "phone": PersonPhone.of(person.pk), "role": people.group_role(person).value}


@never_cache
@require_http_methods(["GET", "POST"])
@for_admins
def link(request: Request, pk: int) -> HttpResponse:
    """Show a link by which a colleague sets the password, to pass on; a POST mails it."""
    if request.method == "POST":
        person = people.mail_password_link(person_id=pk, actor=request.user, now=request.now)
        return done(request, _("A link is on its way to %(address)s.") % {"address": person.email}, to=request.path)
    person = get_user_model()._default_manager.get(pk=pk)
    context = {
        "person": person,
        "link": people.password_link(person_id=pk, actor=request.user, now=request.now),
        "mailed": bool(person.email) and password_links.mail_is_set_up(),
    }
    return render(request, "opportunities/people/link.html", context)


@require_http_methods(["GET", "POST"])
@for_admins
def deactivate(request: Request, pk: int) -> HttpResponse:
    """End a colleague's access: asked first, with what becomes of their cards."""
    if request.method == "POST":
        person = people.deactivate(person_id=pk, actor=request.user, now=request.now)
        sentence = _("%(name)s can no longer log in.") % {"name": people.name_of(person)}
        return done(request, sentence, to=reverse("opportunities:person-edit", args=[pk]))
    person = people.colleagues().get(pk=pk)
    return render(request, "opportunities/people/deactivate.html", {"person": person})


@require_POST
def reactivate(request: Request, pk: int) -> HttpResponse:
    """Let a colleague in again."""
    person = people.reactivate(person_id=pk, actor=request.user, now=request.now)
    sentence = _("%(name)s can log in again.") % {"name": people.name_of(person)}
    return done(request, sentence, to=reverse("opportunities:person-edit", args=[pk]))


@require_http_methods(["GET", "POST"])
@for_admins
def hand_over(request: Request, pk: int) -> HttpResponse:
    """Give a colleague's open cards to another."""
    person = people.colleagues().get(pk=pk)
    form = HandOverForm(request.POST or None, giver=person)
    if request.method == "POST" and form.is_valid():
        to_id = form.cleaned_data["to"].pk
        try:
            act = people.hand_over(person_id=pk, to_id=to_id, actor=request.user, now=request.now)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _handed_over(request, act, pk)
    context = {"form": form, "person": person}
    return render(request, "opportunities/people/hand_over.html", context, status=422 if form.errors else 200)


def _handed_over(request: Request, act: BulkAct, person_id: int) -> HttpResponse:
    """Show how the act went, with its undo; that page belongs to boards, which need not be installed."""
    try:
        return HttpResponseRedirect(reverse("boards:bulk-act", args=[act.pk]))
    except NoReverseMatch:
        sentence = _("The cards are handed over.") if act.is_done else _("The cards are on their way.")
        return done(request, sentence, to=reverse("opportunities:person-edit", args=[person_id]))
