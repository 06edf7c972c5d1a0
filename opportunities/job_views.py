"""The sheets of what is done to the lines, payments and refunds of a job."""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from opportunities.document_views import acted_on, follow_forecast, look
from opportunities.documents import Desk
from opportunities.errors import NotAllowed, Refused
from opportunities.forms import refuse
from opportunities.http import LARGEST_ID, Request, person
from opportunities.job_acts import ACTS, ROUTES, Subject, foretold, job_of, notes, refusals
from opportunities.job_forms import SubjectForm
from opportunities.models import Job, JobLine
from opportunities.money import format_money
from opportunities.once import once


@require_http_methods(["GET", "POST"])
def act(request: Request, verb: str, pk: int) -> HttpResponse:
    """Ask what an act on a line, payment or refund needs and say what it makes of the card; then do it, once."""
    spec = ACTS[verb]
    subject, job, desk = _look(request, verb, pk)
    about: Any = {"document": job, "desk": desk, "reader": person(request), "subject": subject}
    form = spec.form(request.POST if request.method == "POST" else None, **about)
    if not form.is_bound:
        return _sheet(request, verb, subject, job, desk, form)
    if not form.is_valid():
        return _sheet(request, verb, subject, job, desk, form, status=422)
    try:
        once(
            form.act,
            document=job,
            actor=person(request),
            do=lambda: _run(request, verb, subject, job, form),
        )
    except ValidationError as error:
        refuse(form, error)
        return _sheet(request, verb, subject, job, desk, form, status=422)
    except Refused as refused:
        for blocker in refused.blockers:
            form.add_error(None, blocker.message)
        return _sheet(request, verb, *_look(request, verb, pk), form, status=409)
    return acted_on(request, job, str(spec.said) % {"number": job.number}, before=job)


def _run(request: Request, verb: str, subject: Subject, job: Job, form: SubjectForm) -> None:
    """Do the act, and what was chosen of the card's forecast date along with it."""
    ACTS[verb].run(subject, form.cleaned_data, person(request), request.now)
    follow_forecast(request, job, form)


def _look(request: Request, verb: str, pk: int) -> tuple[Subject, Job, Desk]:
    """Read the subject with its job and everything on the card.

    :raises DoesNotExist: no such row, or its job is not visible to the reader.
    """
    model: Any = ACTS[verb].model
    if pk > LARGEST_ID:
        raise model.DoesNotExist
    rows = model.objects.select_related("payment") if verb == "settle-refund" else model.objects.all()
    subject = rows.get(pk=pk)
    job, desk = look(request, "job", job_of(subject))
    assert isinstance(job, Job)  # noqa: S101 - asked for one
    return subject, job, desk


def _sheet(
    request: Request, verb: str, subject: Subject, job: Job, desk: Desk, form: SubjectForm, *, status: int = 200
) -> HttpResponse:
    spec = ACTS[verb]
    against = refusals(verb, subject, job, desk, person(request))
    if request.method == "POST" and any(each.code == "NOT_ALLOWED" for each in against):
        raise NotAllowed(against[-1].message)
    short, sentence = ("", "") if against else foretold(verb, subject, job, desk)
    on_button = "" if against else foretold(verb, subject, job, desk, amount=form.amount_now())[0]
    context = {
        "document": job,
        "form": form,
        "name": spec.name,
        "about": _about(subject, desk),
        "label": _with(str(spec.name), on_button),
        "grave": spec.grave,
        "choices": [(value, _with(str(name), short if value == "came" else "")) for value, name in spec.choices],
        "consequence": _on_condition(verb, sentence),
        "notes": notes(verb, subject, job, desk),
        "refusals": against,
        "url": reverse(f"opportunities:{ROUTES[verb]}", args=[subject.pk]),
    }
    fragment = "#sheet" if request.htmx else ""
    return render(request, f"documents/job_act.html{fragment}", context, status=status)


def _with(name: str, consequence: str) -> str:
    return _("%(act)s and %(consequence)s") % {"act": name, "consequence": consequence} if consequence else name


def _on_condition(verb: str, sentence: str) -> str:
    """Say on which condition the consequence comes true, where the sheet leaves it open."""
    conditions = {"refund": _("All of it back: %(sentence)s")}
    conditions.update(dict.fromkeys(("settle", "settle-refund"), _("If it came: %(sentence)s")))
    return conditions.get(verb, "%(sentence)s") % {"sentence": sentence} if sentence else ""


def _about(subject: Subject, desk: Desk) -> str:
    if isinstance(subject, JobLine):
        return subject.description
    return format_money(subject.amount, desk.business.currency)
