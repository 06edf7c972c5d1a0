"""The first page of a new installation: what the business is called, its time zone and its currency."""

from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.http import require_http_methods

from opportunities import access, business, people
from opportunities.access import Role
from opportunities.errors import Refused
from opportunities.http import Request, done
from opportunities.setup_forms import SetupForm


@require_http_methods(["GET", "POST"])
def setup(request: Request) -> HttpResponse:
    """Ask an admin the three questions; tell everybody else whom to ask."""
    if access.role_of(request.user) is Role.NONE:
        return render(request, "opportunities/no_role.html", {"admins": people.admins()}, status=403)
    if not access.may(request.user, "settings"):
        if request.business.is_set_up:
            return HttpResponseRedirect("/")
        return render(request, "opportunities/setup_waiting.html", {"admins": people.admins()}, status=403)
    form = SetupForm(request.POST or None, initial=_guess(request))
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            business.edit_settings(**form.cleaned_data, actor=request.user, now=request.now)
        except ValidationError as error:
            form.add_error(None, error)
        except Refused as refused:
            form.add_error("currency", str(refused))
            status = 409
        else:
            return done(request, _("Your business is set up."), to="/")
    context = {"form": form, "time_zones": business.time_zones()}
    if form.errors and status == 200:
        status = 422
    return render(request, "opportunities/setup.html", context, status=status)


def _guess(request: Request) -> dict[str, str]:
    """What the form shows first: what is known, and a currency guessed from the browser's language."""
    known = request.business
    if known.is_set_up:
        return {"name": known.name, "time_zone": known.time_zone, "currency": known.currency}
    return {"time_zone": known.time_zone, "currency": _guess_currency(request) or known.currency}


def _guess_currency(request: Request) -> str | None:
    for language, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")):
        country = language.partition("-")[2]
        if len(country) == 2:
            return business.currency_of_country(country)
    return None
