"""Why a card has its two statuses, in words, naming the documents that decide: pure over the same facts as the rules.

An explanation names only what is attached, and always what the rule looked at (S0.2, D19, D41).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from opportunities import days, outcome, workflow
from opportunities.foresight import without
from opportunities.outcome import SalesRule, SalesStatus
from opportunities.states import REFUSED, AgreementStatus, JobState, QuoteState
from opportunities.workflow import AgreementFacts, Facts, JobFacts, LostWhen, QuoteFacts, WorkflowStatus

NAMED = 3
"""So many documents are named; the rest are counted."""

type Signatures = Mapping[str, tuple[int, int]]
"""By number of an agreement: how many of its signers accepted, and how many there are."""


@dataclass(frozen=True, slots=True)
class Why:
    """A status explained. `detach` names the documents without which it would not be so (D19)."""

    text: str
    detach: tuple[str, ...] = ()


# The workflow status (section 3)


def workflow_reason(facts: Facts, *, signed: Signatures | None = None, closed_for: str = "") -> Why:
    """Say why the card has its workflow status. `closed_for` is the reason that a person gave for closing it."""
    status = workflow.workflow_status(facts)
    words: dict[WorkflowStatus, Callable[[], str]] = {
        WorkflowStatus.VOID: lambda: _closed(_("Void by hand"), closed_for),
        WorkflowStatus.CANCELED: lambda: _closed(_("Canceled by hand"), closed_for),
        WorkflowStatus.COMPLETED: lambda: _completed(facts),
        WorkflowStatus.EXPIRED: lambda: _expired(facts, signed or {}),
        WorkflowStatus.CONTRACTED: lambda: _contracted(facts),
        WorkflowStatus.AGREEMENT: lambda: _("Agreement: %(what)s.") % {"what": _waiting(facts, signed or {})},
        WorkflowStatus.NEGOTIATION: lambda: _negotiation(facts),
        WorkflowStatus.PROSPECT: lambda: _prospect(facts),
    }
    return Why(words[status]())


def _closed(status: str, reason: str) -> str:
    if not reason:
        return _("%(status)s.") % {"status": status}
    return _("%(status)s, reason: %(reason)s.") % {"status": status, "reason": reason}


def _completed(facts: Facts) -> str:
    jobs = facts.live_jobs
    words = ngettext("Completed: %(jobs)s is completed.", "Completed: all of %(jobs)s are completed.", len(jobs))
    return words % {"jobs": _numbers(jobs)}


def _expired(facts: Facts, signed: Signatures) -> str:
    sentences = [_("Expired: its forecast date, %(day)s, has passed.") % {"day": _forecast(facts)}]
    standing = workflow.base(facts)
    if standing is WorkflowStatus.CONTRACTED:
        jobs = _open_jobs(facts)
        if jobs:
            words = ngettext("%(what)s is open all the same.", "%(what)s are open all the same.", len(jobs))
            sentences.append(words % {"what": _numbers(jobs)})
        else:
            accepted = _accepted(facts)
            words = ngettext("%(what)s is signed all the same.", "%(what)s are signed all the same.", len(accepted))
            sentences.append(words % {"what": _numbers(accepted)})
    elif standing is WorkflowStatus.AGREEMENT:
        sentences.append(_("All the same, %(what)s.") % {"what": _waiting(facts, signed)})
    elif standing is WorkflowStatus.NEGOTIATION:
        sentences.append(_("All the same, %(what)s.") % {"what": _sent(facts)})
    return " ".join(sentences)


def _contracted(facts: Facts) -> str:
    jobs = _open_jobs(facts)
    done = [job for job in facts.live_jobs if job.state is JobState.COMPLETED]
    if jobs and done:
        said = {"open": _numbers(jobs), "done": _numbers(done)}
        words = ngettext(
            "Contracted: %(open)s is not completed yet, beside %(done)s.",
            "Contracted: %(open)s are not completed yet, beside %(done)s.",
            len(jobs),
        )
    elif jobs:
        said = {"jobs": _numbers(jobs)}
        words = ngettext("Contracted: %(jobs)s is attached.", "Contracted: %(jobs)s are attached.", len(jobs))
    else:
        accepted = _accepted(facts)
        said = {"agreements": _numbers(accepted)}
        words = ngettext(
            "Contracted: everybody has signed %(agreements)s.",
            "Contracted: everybody has signed %(agreements)s.",
            len(accepted),
        )
    sentence = words % said
    if facts.forecast_date is not None and facts.forecast_date < facts.today:
        waived = _("Its forecast date of %(day)s has passed, and the contract waived it.") % {"day": _forecast(facts)}
        return f"{sentence} {waived}"
    return sentence


def _waiting(facts: Facts, signed: Signatures) -> str:
    """Say what is out for signature, without a full stop."""
    out = [each for each in facts.attached_agreements if each.status is AgreementStatus.SUBMITTED]
    counted = signed.get(out[0].number) if len(out) == 1 else None
    if counted is not None:
        so_far, all_of_them = counted
        words = ngettext(
            "%(number)s waits for %(left)s of %(all)s signature",
            "%(number)s waits for %(left)s of %(all)s signatures",
            all_of_them,
        )
        return words % {"number": out[0].number, "left": all_of_them - so_far, "all": all_of_them}
    words = ngettext("%(numbers)s waits for signatures", "%(numbers)s wait for signatures", len(out))
    return words % {"numbers": _numbers(out)}


def _negotiation(facts: Facts) -> str:
    sentence = _("Negotiation: %(what)s.") % {"what": _sent(facts)}
    return _with_refusals(sentence, facts)


def _sent(facts: Facts) -> str:
    """Say which offers are with the customer, without a full stop."""
    sent = [quote for quote in facts.live_quotes if quote.submit_count > 0]
    if len(sent) > 1:
        return _("%(numbers)s were submitted") % {"numbers": _numbers(sent)}
    said = {"number": sent[0].number}
    if sent[0].expired:
        return _("%(number)s was submitted and has expired since") % said
    if sent[0].state is QuoteState.ACCEPTED:
        return _("%(number)s was accepted, and no job has been made of it yet") % said
    if sent[0].state is QuoteState.MODIFIED:
        return _("%(number)s was submitted, and changed since") % said
    return _("%(number)s was submitted") % said


def _prospect(facts: Facts) -> str:
    drafts: list[QuoteFacts | AgreementFacts] = list(facts.live_quotes)
    unsent = {AgreementStatus.DRAFT, AgreementStatus.INCOMPLETE}
    drafts += [each for each in facts.attached_agreements if each.status in unsent]
    if drafts:
        words = ngettext(
            "Prospect: %(numbers)s is attached, not yet submitted.",
            "Prospect: %(numbers)s are attached, not yet submitted.",
            len(drafts),
        )
        return _with_refusals(words % {"numbers": _numbers(drafts)}, facts)
    gone = _fates(facts)
    if gone:
        return _("Prospect: nothing that is attached is alive: %(gone)s.") % {"gone": _listed(gone)}
    if facts.quotes or facts.agreements:
        rest: list[QuoteFacts | AgreementFacts] = [*facts.quotes, *facts.agreements]
        return _("Prospect: nothing that is attached is alive: %(gone)s.") % {"gone": _numbers(rest)}
    return _("Prospect: no quote, job or agreement is attached.")


def _with_refusals(sentence: str, facts: Facts) -> str:
    """Add which agreements ended without being signed: they hold nothing up any more (T7, D8)."""
    ended = [_ended(each) for each in facts.attached_agreements if each.status in REFUSED]
    return f"{sentence} {_('%(what)s.') % {'what': _listed(ended)}}" if ended else sentence


# The sales status (section 4)


def sales_reason(facts: Facts) -> Why:
    """Say why the card is won or lost by what is attached, or why nothing decides it (P1 to P9)."""
    found = outcome.evidence(facts)
    words: dict[SalesRule, Callable[[Facts], str]] = {
        SalesRule.P1: _card_closed,
        SalesRule.P2: _money_back,
        SalesRule.P3: _lapsed,
        SalesRule.P4: _job,
        SalesRule.P5: _signed,
        SalesRule.P6: _refused,
        SalesRule.P7: _dead,
        SalesRule.P8: _lapsed,
        SalesRule.P9: _undecided,
    }
    because = words[found.rule](facts)
    if found.status is None:
        return Why(because)
    frame = _("Won, because %(why)s.") if found.status is SalesStatus.WON else _("Lost, because %(why)s.")
    return Why(frame % {"why": because}, _worth_detaching(facts) if found.rule is SalesRule.P7 else ())


def _card_closed(facts: Facts) -> str:
    void = workflow.workflow_status(facts) is WorkflowStatus.VOID
    return _("the card is void") if void else _("the card is canceled")


def _money_back(facts: Facts) -> str:
    return _("all the money for %(jobs)s was paid back") % {"jobs": _numbers(facts.live_jobs)}


def _lapsed(facts: Facts) -> str:
    offers: list[JobFacts | QuoteFacts] = [*facts.live_jobs, *facts.live_quotes]
    words = ngettext(
        "%(offers)s has expired and the forecast date, %(day)s, has passed",
        "%(offers)s have expired and the forecast date, %(day)s, has passed",
        len(offers),
    )
    return words % {"offers": _numbers(offers), "day": _forecast(facts)}


def _job(facts: Facts) -> str:
    jobs = facts.live_jobs
    if len(jobs) == 1:
        words = _("job %(job)s is attached")
        if jobs[0].state is JobState.SUBMITTED:
            words = _("job %(job)s is attached (the customer has not confirmed it)")
        because = words % {"job": jobs[0].number}
    else:
        because = _("jobs %(jobs)s are attached") % {"jobs": _numbers(jobs)}
    outweighed = [_ended(each) for each in facts.attached_agreements if each.status in REFUSED] + _deaths(facts)
    if outweighed:
        return _("%(why)s, though %(but)s") % {"why": because, "but": _listed(outweighed)}
    return because


def _signed(facts: Facts) -> str:
    return _("everybody has signed %(agreements)s") % {"agreements": _numbers(_accepted(facts))}


def _refused(facts: Facts) -> str:
    governing = outcome.governing_agreement(facts)
    return "" if governing is None else _ended(governing)


def _dead(facts: Facts) -> str:
    deaths = _listed(_deaths(facts))
    alive = [quote for quote in facts.live_quotes if not quote.expired]
    if alive:
        words = ngettext(
            "%(deaths)s, though %(alive)s is still open", "%(deaths)s, though %(alive)s are still open", len(alive)
        )
        return words % {"deaths": deaths, "alive": _numbers(alive)}
    if facts.lost_when is LostWhen.NO_LIVE_QUOTE:
        return _("%(deaths)s and no live quote is left") % {"deaths": deaths}
    return deaths


def _worth_detaching(facts: Facts) -> tuple[str, ...]:
    """Name the dead documents, if without them the deal would not be lost (D19)."""
    dead = [quote.number for quote in facts.quotes if quote.dead] + [job.number for job in facts.jobs if not job.live]
    left = outcome.evidence(without(facts, set(dead)))
    return () if left.status is SalesStatus.LOST else tuple(dead)


def _undecided(facts: Facts) -> str:
    """Say why nothing attached decides the outcome, where something looks as if it should (D16, D19, D21)."""
    deaths = _deaths(facts)
    agreements = facts.attached_agreements
    if deaths and agreements:
        words = _("Open: %(deaths)s, but with %(agreements)s attached the agreement decides.")
        return words % {"deaths": _listed(deaths), "agreements": _numbers(agreements)}
    if deaths:
        words = _("Open: %(deaths)s, but %(alive)s can still be taken up.")
        return words % {"deaths": _listed(deaths), "alive": _numbers(facts.live_quotes)}
    if outcome.nothing_is_open(facts):
        said = {"offers": _numbers(facts.live_quotes)}
        words = _("Open: %(offers)s expired, but the forecast date has not passed, so it is not lost.")
        if facts.forecast_date is None:
            words = _("Open: %(offers)s expired, but without a forecast date that does not lose the deal.")
        return words % said
    waiting = [each for each in agreements if each.status is AgreementStatus.SUBMITTED]
    offers: Sequence[AgreementFacts | QuoteFacts] = waiting or facts.live_quotes or agreements
    if offers:
        return _("Open: nothing attached decides it yet (%(offers)s).") % {"offers": _numbers(offers)}
    return _("Open: nobody has marked it as won or lost, and nothing attached to it says so.")


# Words for documents


def _forecast(facts: Facts) -> str:
    return "" if facts.forecast_date is None else days.short(facts.forecast_date, facts.today)


def _open_jobs(facts: Facts) -> list[JobFacts]:
    return [job for job in facts.live_jobs if job.state is not JobState.COMPLETED]


def _accepted(facts: Facts) -> list[AgreementFacts]:
    return [each for each in facts.attached_agreements if each.status is AgreementStatus.ACCEPTED]


def _numbers(documents: Sequence[QuoteFacts | JobFacts | AgreementFacts]) -> str:
    return _listed([document.number for document in documents])


def _listed(words: Iterable[str]) -> str:
    """Join words with commas and an "and"; too many are counted."""
    found = list(words)
    if len(found) > NAMED + 1:
        rest = len(found) - NAMED
        found = [*found[:NAMED], ngettext("%(count)s more", "%(count)s more", rest) % {"count": rest}]
    return str(get_text_list(found, _("and")))


def _fates(facts: Facts) -> list[str]:
    """Say of everything that ended how it did."""
    agreements = [_ended(each) for each in facts.agreements if each.status in {*REFUSED, AgreementStatus.VOID}]
    return _deaths(facts) + agreements


def _deaths(facts: Facts) -> list[str]:
    """Say of every quote and job that is dead what became of it."""
    found = [_quote_death(quote) for quote in facts.quotes if quote.dead]
    for job in facts.jobs:
        if not job.live:
            words = _("job %(number)s was voided") if job.state is JobState.VOID else _("job %(number)s was canceled")
            found.append(words % {"number": job.number})
    return found


def _quote_death(quote: QuoteFacts) -> str:
    words = _("quote %(number)s was archived")
    if quote.state is QuoteState.VOID:
        words = _("quote %(number)s was voided")
    elif quote.state is QuoteState.CANCELED:
        words = _("quote %(number)s was canceled")
        if quote.declined:
            words = _("quote %(number)s was declined")
    return words % {"number": quote.number}


def _ended(agreement: AgreementFacts) -> str:
    words = {
        AgreementStatus.REJECTED: _("%(number)s was rejected"),
        AgreementStatus.EXPIRED: _("%(number)s expired before everybody had signed"),
        AgreementStatus.CANCELED: _("%(number)s was withdrawn"),
        AgreementStatus.VOID: _("%(number)s was voided"),
    }
    return words[agreement.status] % {"number": agreement.number}
