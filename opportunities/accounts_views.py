"""Accounts: logging in and out, one's password, one's own name. Django's views in our look."""

from ipaddress import ip_address
from typing import Any, override

from axes.utils import reset as forget_failed_logins
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from opportunities import feeds, notices, password_links, people, sample
from opportunities.access import Person
from opportunities.http import Request, done
from opportunities.models import PersonPhone
from opportunities.people_forms import NoticeChoicesForm, PasswordResetForm, ProfileForm


class LoginView(views.LoginView):
    """Log in. Says how to begin where nobody can log in yet, and who can where the sample business is tried out."""

    redirect_authenticated_user = True

    @override
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context["nobody_yet"] = not people.admins().exists()
        context["demo_logins"] = demo_logins(self.request)
        return context

    @override
    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class PasswordChangeView(views.PasswordChangeView):
    """Change one's own password."""

    success_url = reverse_lazy("opportunities:profile")
    template_name = "registration/password_change.html"

    @override
    def form_valid(self, form: Any) -> HttpResponse:
        super().form_valid(form)
        return done(self.request, _("Your password is changed."), to=str(self.success_url))

    @override
    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class PasswordResetView(views.PasswordResetView):
    """Ask for a link by mail. The answer never tells whether anybody has that address."""

    form_class = PasswordResetForm
    template_name = "registration/password_reset.html"

    @override
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"mail_is_set_up": password_links.mail_is_set_up()}

    @override
    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class PasswordResetDoneView(views.PasswordResetDoneView):
    """What comes next, in the same words for everybody."""

    template_name = "registration/password_reset_sent.html"

    @override
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"mail_is_set_up": password_links.mail_is_set_up()}


class PasswordResetConfirmView(views.PasswordResetConfirmView):
    """Set a password by a link. A link of somebody who was deactivated is dead."""

    template_name = "registration/password_set.html"

    @override
    def get_user(self, uidb64: str) -> Person | None:
        person: Person | None = super().get_user(uidb64)
        return person if person is not None and person.is_active else None

    @override
    def form_valid(self, form: Any) -> HttpResponse:
        answer = super().form_valid(form)
        forget_failed_logins(username=form.user.get_username())  # the link proves who they are better than the limit
        return answer

    @override
    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class PasswordResetCompleteView(views.PasswordResetCompleteView):
    """The password is set: on to the login."""

    template_name = "registration/password_set_done.html"


@require_http_methods(["GET", "POST"])
def profile(request: Request) -> HttpResponse:
    """One's own name, address and phone."""
    person = request.user
    held = {"first_name": person.first_name, "last_name": person.last_name, "email": person.email}
    held["phone"] = PersonPhone.of(person.pk)
    form = ProfileForm(request.POST or None, initial=held)
    if request.method == "POST" and form.is_valid():
        try:
            people.edit_own(**form.cleaned_data, actor=person, now=request.now)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return done(request, _("Saved."), to=request.path)
    status = 422 if form.errors else 200
    ways = {subject.value: way.value for subject, way in notices.choices_of(person).items()}
    feed = feeds.of(person)
    context = {
        "form": form,
        "choices": NoticeChoicesForm(initial=ways, auto_id="told-%s", label_suffix=""),
        "feed": feed,
        "feed_address": feeds.address(feed) if feed else "",
    }
    return render(request, "opportunities/profile.html", context, status=status)


def demo_logins(request: HttpRequest) -> list[tuple[str, str, str]]:
    """Return the demo logins of the sample business, for people at this very machine only."""
    return sample.demo_logins() if is_on_this_machine(request) else []


def is_on_this_machine(request: HttpRequest) -> bool:
    """Tell whether server, browser and the typed address are all this machine: behind a proxy, one of them is not."""
    host = request.get_host().rpartition(":")[0] or request.get_host()
    places = (host, request.META.get("SERVER_NAME", ""), request.META.get("REMOTE_ADDR", ""))
    return all(_is_loopback(place.strip("[]")) for place in places)


def _is_loopback(place: str) -> bool:
    try:
        return place == "localhost" or ip_address(place).is_loopback
    except ValueError:
        return False
