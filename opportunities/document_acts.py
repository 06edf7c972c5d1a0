"""Which form each act on a document asks, which verb it calls, and what is said afterwards. One row an act."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy

from opportunities import agreements, jobs, quotes
from opportunities.access import Person
from opportunities.attach_forms import DuplicateForm
from opportunities.attached import AnyDocument
from opportunities.document_act_forms import (
    AcceptForm,
    ActForm,
    CancelForm,
    ConvertForm,
    DeclineForm,
    ForecastOnlyForm,
    SubmitForm,
    VoidForm,
)
from opportunities.job_forms import CompleteForm, PaymentForm, RescheduleForm
from opportunities.once import once, once_made

type Given = Mapping[str, Any]
type Run = Callable[[AnyDocument, Given, Person, datetime], AnyDocument]


@dataclass(frozen=True, slots=True)
class Act:
    """One act: what it asks, what it calls (answers the document to show), and its sentence, with %(number)s."""

    run: Run
    said: Any
    form: type[ActForm] = ActForm


def _named(document: AnyDocument) -> dict[str, int]:
    return {f"{document.REF}_id": document.pk}


def _with(verb: Callable[..., Any], *names: str) -> Run:
    """Call the verb with the fields of the form that it knows."""

    def run(document: AnyDocument, given: Given, actor: Person, now: datetime) -> AnyDocument:
        arguments = {name: given[name] for name in names if name in given}
        found: AnyDocument = verb(**_named(document), **arguments, actor=actor, now=now)
        return found

    return run


def _submit(verb: Callable[..., Any]) -> Run:
    """Submit, once for each form: a double click must not count as sent twice."""

    def run(document: AnyDocument, given: Given, actor: Person, now: datetime) -> AnyDocument:
        facts = {name: given[name] for name in ("how", "mail", "reopen") if name in given}
        once(
            given["act"],
            document=document,
            actor=actor,
            do=lambda: verb(**_named(document), **facts, actor=actor, now=now),
        )
        return document

    return run


def _duplicate(quote: AnyDocument, given: Given, actor: Person, now: datetime) -> AnyDocument:
    """Make a copy, one for each form."""
    to, reopen = given["to"], given["reopen"]
    made: AnyDocument = once_made(
        given["act"],
        "quote_created",
        ref="quote",
        actor=actor,
        make=lambda: quotes.duplicate(quote_id=quote.pk, opportunity_id=to, reopen=reopen, actor=actor, now=now),
    )
    return made


def _for_reason(verb: Callable[..., Any], *names: str) -> Run:
    def run(document: AnyDocument, given: Given, actor: Person, now: datetime) -> AnyDocument:
        arguments = {name: given[name] for name in names if name in given}
        found: AnyDocument = verb(**_named(document), reason_id=given["reason"].pk, **arguments, actor=actor, now=now)
        return found

    return run


def _take_payment(job: AnyDocument, given: Given, actor: Person, now: datetime) -> AnyDocument:
    """Take a payment, once for each form."""
    facts = {name: given[name] for name in ("amount", "settled", "note")}
    once(
        given["act"],
        document=job,
        actor=actor,
        do=lambda: jobs.take_payment(job_id=job.pk, **facts, actor=actor, now=now),
    )
    return job


ACTS: dict[tuple[str, str], Act] = {
    ("quote", "submit"): Act(_submit(quotes.submit), gettext_lazy("%(number)s was submitted."), SubmitForm),
    ("quote", "accept"): Act(
        _with(quotes.accept, "name", "detach_others"), gettext_lazy("%(number)s was accepted."), AcceptForm
    ),
    ("quote", "decline"): Act(
        _with(quotes.decline, "note", "detach"), gettext_lazy("%(number)s was declined."), DeclineForm
    ),
    ("quote", "convert"): Act(
        _with(quotes.convert, "detach_others", "reopen"), gettext_lazy("%(number)s was made."), ConvertForm
    ),
    ("quote", "duplicate"): Act(_duplicate, gettext_lazy("%(number)s was made as a copy."), DuplicateForm),
    ("quote", "archive"): Act(_with(quotes.archive, "detach"), gettext_lazy("%(number)s was archived.")),
    ("quote", "unarchive"): Act(_with(quotes.unarchive), gettext_lazy("%(number)s is back from the archive.")),
    ("quote", "void"): Act(_for_reason(quotes.void, "detach"), gettext_lazy("%(number)s was voided."), VoidForm),
    ("quote", "cancel"): Act(
        _for_reason(quotes.cancel, "detach"), gettext_lazy("%(number)s was canceled."), CancelForm
    ),
    ("job", "confirm"): Act(_with(jobs.confirm), gettext_lazy("%(number)s is confirmed.")),
    ("job", "complete"): Act(_with(jobs.complete, "settle"), gettext_lazy("%(number)s is completed."), CompleteForm),
    ("job", "take_payment"): Act(_take_payment, gettext_lazy("A payment for %(number)s was noted."), PaymentForm),
    ("job", "reschedule"): Act(
        _with(jobs.revise, "service_date"), gettext_lazy("%(number)s has another service date."), RescheduleForm
    ),
    ("job", "reopen"): Act(_with(jobs.reopen), gettext_lazy("%(number)s is open again."), ForecastOnlyForm),
    ("job", "void"): Act(_for_reason(jobs.void), gettext_lazy("%(number)s was voided."), VoidForm),
    ("job", "cancel"): Act(_for_reason(jobs.cancel), gettext_lazy("%(number)s was canceled."), CancelForm),
    ("agreement", "submit"): Act(_submit(agreements.submit), gettext_lazy("%(number)s was submitted."), SubmitForm),
    ("agreement", "withdraw"): Act(_with(agreements.withdraw), gettext_lazy("%(number)s was withdrawn.")),
    ("agreement", "replace"): Act(_with(agreements.replace), gettext_lazy("%(number)s takes its place.")),
    ("agreement", "void"): Act(_for_reason(agreements.void), gettext_lazy("%(number)s was voided."), VoidForm),
}
"""By kind of document and verb, as the addresses name them."""
