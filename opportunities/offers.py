"""What may be done with a document now, by this person, and what each act would make of its card: said beforehand.

The guards are the verbs' own, the consequences the pure rules on changed facts (`foresight`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from opportunities import access, agreements, attachments, documents, foresight, jobs, quotes
from opportunities.access import Person
from opportunities.attached import AnyDocument
from opportunities.documents import Desk
from opportunities.errors import Blocker
from opportunities.foresight import KEPT, Forecast, Outlook
from opportunities.models import Agreement, Job, Opportunity, Quote
from opportunities.models.opportunity import SALES_CHOICES, WORKFLOW_CHOICES
from opportunities.outcome import SalesRule, SalesStatus
from opportunities.workflow import Facts

VERBS: dict[str, tuple[str, ...]] = {
    "quote": (
        "submit",
        "accept",
        "convert",
        "revise",
        "decline",
        "duplicate",
        "attach",
        "detach",
        "archive",
        "unarchive",
        "cancel",
        "void",
    ),
    "job": (
        "confirm",
        "complete",
        "reopen",
        "take_payment",
        "reschedule",
        "revise",
        "attach",
        "detach",
        "cancel",
        "void",
    ),
    "agreement": ("submit", "revise", "replace", "attach", "detach", "withdraw", "void"),
}
"""The acts of each kind of document in the order in which pages show them."""

NAMES: dict[str, Any] = {
    "submit": gettext_lazy("Submit"),
    "accept": gettext_lazy("Accepted by the customer"),
    "convert": gettext_lazy("Convert to a job"),
    "revise": gettext_lazy("Edit"),
    "decline": gettext_lazy("Decline"),
    "duplicate": gettext_lazy("Duplicate"),
    "attach": gettext_lazy("Attach to a card…"),
    "detach": gettext_lazy("Detach"),
    "archive": gettext_lazy("Archive"),
    "unarchive": gettext_lazy("Take from the archive"),
    "cancel": gettext_lazy("Cancel"),
    "void": gettext_lazy("Void"),
    "confirm": gettext_lazy("Confirmed by the customer"),
    "complete": gettext_lazy("Complete"),
    "reopen": gettext_lazy("Reopen"),
    "take_payment": gettext_lazy("Take a payment"),
    "reschedule": gettext_lazy("Reschedule"),
    "fulfil": gettext_lazy("Fulfil"),
    "return_items": gettext_lazy("Return"),
    "refund": gettext_lazy("Refund"),
    "replace": gettext_lazy("Replace"),
    "withdraw": gettext_lazy("Withdraw"),
}

_RIGHTS = {
    "convert": "convert",
    "take_payment": "payment",
    "attach": "attach",
    "detach": "detach",
    "refund": "refund",
}
_OF_KIND = {"quote": "quote", "job": "job", "agreement": "agreement"}
_EXPLAINS: dict[tuple[str, str], Any] = {
    ("quote", "convert"): gettext_lazy("The job takes over the lines and prices of %(number)s."),
    ("agreement", "replace"): gettext_lazy(
        "%(number)s becomes Void and its private links end. A copy is made as a draft; everybody is asked anew."
    ),
    ("agreement", "withdraw"): gettext_lazy(
        "Nobody is asked any more, and the private links end. To correct %(number)s, replace it; void it if it should"
        " never have gone out."
    ),
}
_GRAVE = frozenset({"void", "cancel", "withdraw", "decline"})


@dataclass(frozen=True, slots=True)
class Offer:
    """One act: its name, the whole label with its consequence, and why not, if it is not to be had now."""

    verb: str
    name: str
    label: str
    consequence: str
    refusals: tuple[Blocker, ...]
    url: str
    grave: bool
    detach_first: bool = False
    """Only this quote's death would lose the deal while another one is open: offer to detach it first (AC183)."""
    detach_label: str = ""
    detach_why: str = ""
    explains: str = ""
    """What the act does to the document and its papers, where its name does not tell."""

    @property
    def allowed(self) -> bool:
        """Tell whether nothing stands against it."""
        return not self.refusals


def of(document: AnyDocument, *, desk: Desk, reader: Person) -> dict[str, Offer]:
    """List every act on a document for this reader, by verb. `desk` may be an unlocked one."""
    not_now = "detach" if document.opportunity_id is None else "attach"
    verbs = [verb for verb in VERBS[document.REF] if verb != not_now]
    return {verb: one(verb, document, desk=desk, reader=reader) for verb in verbs}


def one(
    verb: str, document: AnyDocument, *, desk: Desk, reader: Person, forecast: Forecast = KEPT, **given: Any
) -> Offer:
    """Judge one act on a document for this reader. `given` goes to `foresight.after`.

    `forecast` is what becomes of the card's forecast date on the same sheet.
    """
    refusals = refusals_of(verb, document, desk=desk, reader=reader)
    short, sentence = "", ""
    detach_first = False
    detach_why = ""
    card = document.opportunity
    if card is not None and not refusals:
        before = desk.facts_of(card.pk)
        following = changed(verb, document, before, desk=desk, **given)
        then = _outlook(verb, document, card, before, following, reader, forecast)
        short, sentence = in_words(card, foresight.present(card, before), then)
        if verb == "reschedule" and not given:
            # It depends on the day, which is not known yet.
            short, sentence = "", by_day(verb, document, card, desk=desk, name="service_date", asks_forecast=True)
        if _may_turn(verb, document, card, following, then) and access.may(reader, "detach", card):
            left = foresight.foresee(card, before, changed("detach", document, before, desk=desk))
            detach_first = left.sales is not SalesStatus.LOST
            detach_why = _why_detach(document, card, following, left) if detach_first else ""
    again = verb == "submit" and str(document.state) == "submitted"
    name = _("Submit again") if again else str(NAMES[verb])
    label = f"{name} {document.number}" if verb in _GRAVE | {"archive", "detach", "replace"} else name
    return Offer(
        verb=verb,
        name=name,
        label=_("%(act)s and %(consequence)s") % {"act": label, "consequence": short} if short else label,
        consequence=sentence,
        refusals=refusals,
        url=_address(verb, document),
        grave=verb in _GRAVE,
        detach_first=detach_first,
        detach_label=str(_DETACH_THEN[verb]) % {"number": document.number} if detach_first else "",
        detach_why=detach_why,
        explains=str(_EXPLAINS.get((document.REF, verb), "")) % {"number": document.number},
    )


def asks_reopen(card: Opportunity, reader: Person) -> bool:
    """Tell whether this reader is asked to reopen a card: a person closed it by hand, and they may do so too (D41)."""
    return card.sales_rule == SalesRule.MANUAL and card.status.closed and access.may(reader, "set_status", card)


_REOPENING = frozenset({("quote", "submit"), ("quote", "convert"), ("quote", "duplicate"), ("agreement", "submit")})
"""The acts whose form asks whether a card closed by hand is open again; yes is preselected."""


def _outlook(
    verb: str,
    document: AnyDocument,
    card: Opportunity,
    before: Facts,
    following: Facts,
    reader: Person,
    forecast: Forecast,
) -> Outlook:
    """Tell where the card will stand if the form of the act is sent as it is shown."""
    reopens = (document.REF, verb) in _REOPENING and asks_reopen(card, reader)
    return (foresight.reopened if reopens else foresight.foresee)(card, before, following, forecast=forecast)


def _address(verb: str, document: AnyDocument) -> str:
    """Lead to the sheet of an act; editing has a page of its own."""
    if verb == "revise":
        return reverse(f"opportunities:{document.REF}-edit", args=[document.pk])
    return reverse(f"opportunities:{document.REF}-act", args=[document.pk, verb])


def told(card: Opportunity, before: Facts, following: Facts) -> tuple[str, str]:
    """Say what an act that makes these facts of those makes of the card: for its button, and as a sentence."""
    return in_words(card, foresight.present(card, before), foresight.foresee(card, before, following))


def changed(verb: str, document: AnyDocument, facts: Facts, *, desk: Desk, **given: Any) -> Facts:
    """Return the facts of its card as this act would leave them; detaching takes the document's family along."""
    if verb == "duplicate":
        return foresight.with_new("quote", facts)
    if verb == "detach":
        return foresight.without(facts, {each.number for each in attachments.family(document, desk)})
    return foresight.after(verb, document, facts, **given)


def refusals_of(verb: str, document: AnyDocument, *, desk: Desk, reader: Person | None) -> tuple[Blocker, ...]:
    """List what stands against an act: the rules, then the rights."""
    found = list(_rule_blockers(verb, document, desk))
    right = _RIGHTS.get(verb, _OF_KIND[document.REF])
    if verb == "void" and isinstance(document, Agreement) and document.status == "accepted":
        right = "void_accepted"
    if not access.may_with_document(reader, right, document):
        found.append(Blocker("NOT_ALLOWED", access.who_may(right, document.opportunity), subject=document.number))
    return tuple(found)


def _rule_blockers(verb: str, document: AnyDocument, desk: Desk) -> Iterable[Blocker]:
    if verb == "detach":
        blockers = attachments.detach_blockers(document, desk, target=None, reason="x", actor=None)
        return [blocker for blocker in blockers if blocker is not None]
    if verb == "attach":
        return _attach_blockers(document)
    if verb == "duplicate":
        return []
    if isinstance(document, Quote):
        if verb in {"archive", "unarchive"} and document.is_archived is (verb == "archive"):
            return [Blocker("WRONG_STATE", _("It is so already."), subject=document.number)]
        return quotes.blockers(verb, document, desk)
    if isinstance(document, Job):
        return jobs.blockers(verb, document, desk)
    return agreements.blockers(verb, document, desk)


def _attach_blockers(document: AnyDocument) -> Iterable[Blocker]:
    """Say why a loose document can go on no card, whichever it is."""
    if document.is_dead:
        yield documents.wrong_state(document, _("%(number)s is %(state)s, so it cannot be attached."))
    archived = documents.archived(document)
    if archived is not None:
        yield archived


def _may_turn(verb: str, document: AnyDocument, card: Opportunity, facts: Facts, then: Outlook) -> bool:
    """Tell whether the deal would be lost by a dead quote, though another one is open."""
    if not isinstance(document, Quote) or verb not in {"void", "cancel", "decline", "archive"}:
        return False
    return then.rule is SalesRule.P7 and bool(facts.live_quotes) and not card.is_closed


_DETACH_THEN: dict[str, Any] = {
    "void": gettext_lazy("Detach %(number)s, then void it"),
    "cancel": gettext_lazy("Detach %(number)s, then cancel it"),
    "decline": gettext_lazy("Detach %(number)s, then note that it was declined"),
    "archive": gettext_lazy("Detach %(number)s, then archive it"),
}


def _why_detach(document: AnyDocument, card: Opportunity, facts: Facts, left: Outlook) -> str:
    """Say why detaching a quote before it dies keeps the deal (D19)."""
    others = ", ".join(quote.number for quote in facts.live_quotes)
    words = _(
        "A card is lost when any quote on it is void, canceled or archived, even while %(others)s is still open. "
        "Detached first, %(number)s does not count any more, and %(card)s is %(workflow)s and %(sales)s."
    )
    return words % {
        "others": others,
        "number": document.number,
        "card": card.number,
        "workflow": dict(WORKFLOW_CHOICES)[left.workflow.value],
        "sales": dict(SALES_CHOICES)[left.sales.value],
    }


def open_quotes(opportunity_id: int) -> list[Quote]:
    """Return the quotes of a card that could become a job, newest first: who marks it as won is asked."""
    over = ("converted", "void", "canceled", "incomplete")
    return list(
        Quote.objects.filter(opportunity=opportunity_id, archived_at=None).exclude(state__in=over).order_by("-pk")
    )


def by_day(
    verb: str, document: AnyDocument, card: Opportunity, *, desk: Desk, name: str, asks_forecast: bool = False
) -> str:
    """Say what another day makes of a card while none is typed: `name` is its field, and it may be past or not.

    `asks_forecast`: the same sheet asks what becomes of the forecast date; it is said where that makes a difference.
    """
    before, said = desk.facts_of(card.pk), []
    now = foresight.present(card, before)
    moved = _("If the new day is not past, and the forecast date is moved on or cleared: %(sentence)s")
    cleared = _("If the new day is past, and the forecast date is cleared: %(sentence)s")
    ways = (
        (desk.today, _("If the new day is not past: %(sentence)s"), moved),
        (desk.today - timedelta(days=1), _("If the new day is past: %(sentence)s"), cleared),
    )
    for day, words, along in ways:
        following = foresight.after(verb, document, before, **{name: day})
        sentence = told(card, before, following)[1]
        if sentence:
            said.append(words % {"sentence": sentence})
        other = in_words(card, now, foresight.foresee(card, before, following, forecast=(True, None)))[1]
        if asks_forecast and card.forecast_date is not None and other and other != sentence:
            said.append(along % {"sentence": other})
    return " ".join(said)


def in_words(card: Opportunity, now: Outlook, then: Outlook) -> tuple[str, str]:
    """Say what an act makes of a card: shortly for its button, and as a sentence; empty where nothing changes."""
    said = {"card": card.number, "workflow": dict(WORKFLOW_CHOICES)[then.workflow.value]}
    said["sales"] = dict(SALES_CHOICES)[then.sales.value]
    if now.sales is not then.sales:
        short = {
            SalesStatus.WON: _("mark %(card)s won"),
            SalesStatus.LOST: _("mark %(card)s lost"),
            SalesStatus.NONE: _("mark %(card)s open again"),
        }[then.sales] % said
        if now.workflow is then.workflow:
            return short, _("%(card)s becomes %(sales)s and stays %(workflow)s.") % said
        return short, _("%(card)s becomes %(workflow)s and %(sales)s.") % said
    if now.workflow is not then.workflow:
        return _("make %(card)s %(workflow)s") % said, _("%(card)s becomes %(workflow)s.") % said
    return "", ""
