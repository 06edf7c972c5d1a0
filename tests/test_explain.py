"""Why a card stands where it stands: the words name what is attached, and what decided."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportunities import explain, outcome, workflow
from opportunities.foresight import without
from opportunities.outcome import SalesRule
from opportunities.states import AgreementStatus, JobState, QuoteState
from opportunities.workflow import AgreementFacts, ClosedKind, Facts, JobFacts, LostWhen, QuoteFacts, WorkflowStatus

TODAY = date(2025, 6, 20)
PAST = date(2025, 6, 9)
LATER = date(2025, 7, 9)
HUNDRED = Decimal(100)


def facts(*documents, forecast=None, waived=None, **given):
    kinds = {QuoteFacts: [], JobFacts: [], AgreementFacts: []}
    for document in documents:
        kinds[type(document)].append(document)
    return Facts(
        today=TODAY,
        forecast_date=forecast,
        expiry_waived_for=waived,
        quotes=tuple(kinds[QuoteFacts]),
        jobs=tuple(kinds[JobFacts]),
        agreements=tuple(kinds[AgreementFacts]),
        **given,
    )


def quote(number, state="submitted", **given):
    sent = {"submitted", "modified", "accepted", "converted"}
    return QuoteFacts(QuoteState(state), submit_count=1 if state in sent else 0, number=f"Q-{number}", **given)


def job(number, state="accepted", **given):
    return JobFacts(JobState(state), number=f"J-{number}", **given)


def agreement(number, status="submitted", order=1):
    unsent = status in {"draft", "incomplete"}
    return AgreementFacts(AgreementStatus(status), None if unsent else order, f"A-{number}")


# The workflow status


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (facts(), "Prospect: no quote, job or agreement is attached."),
        (facts(quote(12, "draft")), "Prospect: Q-12 is attached, not yet submitted."),
        (
            facts(quote(12, "draft"), agreement(3, "rejected")),
            "Prospect: Q-12 is attached, not yet submitted. A-3 was rejected.",
        ),
        (facts(quote(12, "void")), "Prospect: nothing that is attached is alive: quote Q-12 was voided."),
        (facts(quote(12)), "Negotiation: Q-12 was submitted."),
        (facts(quote(12), quote(13)), "Negotiation: Q-12 and Q-13 were submitted."),
        (facts(quote(12, expired=True)), "Negotiation: Q-12 was submitted and has expired since."),
        (facts(quote(12, "accepted")), "Negotiation: Q-12 was accepted, and no job has been made of it yet."),
        (
            facts(quote(12), agreement(3, "expired")),
            "Negotiation: Q-12 was submitted. A-3 expired before everybody had signed.",
        ),
        (facts(agreement(31)), "Agreement: A-31 waits for 1 of 2 signatures."),
        (facts(job(77)), "Contracted: J-77 is attached."),
        (facts(job(77), job(78, "completed")), "Contracted: J-77 is not completed yet, beside J-78."),
        (facts(agreement(31, "accepted")), "Contracted: everybody has signed A-31."),
        (
            facts(job(77), forecast=PAST, waived=PAST),
            "Contracted: J-77 is attached. Its forecast date of 9 Jun has passed, and the contract waived it.",
        ),
        (facts(job(77, "completed"), forecast=PAST), "Completed: J-77 is completed."),
        (facts(job(77, "completed"), job(78, "completed")), "Completed: all of J-77 and J-78 are completed."),
        (facts(forecast=PAST), "Expired: its forecast date, 9 Jun, has passed."),
        (
            facts(job(3), forecast=PAST),
            "Expired: its forecast date, 9 Jun, has passed. J-3 is open all the same.",
        ),
        (
            facts(agreement(31), forecast=PAST),
            "Expired: its forecast date, 9 Jun, has passed. All the same, A-31 waits for 1 of 2 signatures.",
        ),
        (
            facts(quote(12), forecast=PAST),
            "Expired: its forecast date, 9 Jun, has passed. All the same, Q-12 was submitted.",
        ),
        (
            facts(agreement(31, "accepted"), forecast=PAST),
            "Expired: its forecast date, 9 Jun, has passed. A-31 is signed all the same.",
        ),
    ],
)
def test_the_workflow_status_is_explained_by_the_documents_that_decide_it(known, said):
    assert explain.workflow_reason(known, signed={"A-31": (1, 2)}).text == said


def test_a_closed_card_says_that_it_was_closed_by_hand_and_why():
    closed = facts(quote(12, "void"), closed_kind=ClosedKind.VOID)

    assert explain.workflow_reason(closed, closed_for="Duplicate").text == "Void by hand, reason: Duplicate."
    assert explain.sales_reason(closed).text == "Lost, because the card is void."


# The sales status


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (facts(job(77, paid=HUNDRED, refunded=HUNDRED)), "Lost, because all the money for J-77 was paid back."),
        (
            facts(job(3, expired=True), forecast=PAST),
            "Lost, because J-3 has expired and the forecast date, 9 Jun, has passed.",
        ),
        (facts(job(77)), "Won, because job J-77 is attached."),
        (
            facts(job(77, "submitted")),
            "Won, because job J-77 is attached (the customer has not confirmed it).",
        ),
        (facts(job(77), job(78)), "Won, because jobs J-77 and J-78 are attached."),
        (
            facts(job(77), agreement(31, "rejected")),
            "Won, because job J-77 is attached, though A-31 was rejected.",
        ),
        (facts(agreement(31, "accepted")), "Won, because everybody has signed A-31."),
        (facts(agreement(31, "rejected")), "Lost, because A-31 was rejected."),
        (facts(agreement(31, "expired")), "Lost, because A-31 expired before everybody had signed."),
        (
            facts(agreement(30, "rejected", 1), agreement(31, "canceled", 2)),
            "Lost, because A-31 was withdrawn.",
        ),
        (facts(quote(12, "void")), "Lost, because quote Q-12 was voided."),
        (facts(quote(12, "canceled", declined=True)), "Lost, because quote Q-12 was declined."),
        (facts(quote(12, archived=True)), "Lost, because quote Q-12 was archived."),
        (facts(job(77, "canceled")), "Lost, because job J-77 was canceled."),
        (facts(quote(2, "void"), quote(3)), "Lost, because quote Q-2 was voided, though Q-3 is still open."),
        (
            facts(quote(2, "void"), lost_when=LostWhen.NO_LIVE_QUOTE),
            "Lost, because quote Q-2 was voided and no live quote is left.",
        ),
        (
            facts(quote(12, expired=True), forecast=PAST),
            "Lost, because Q-12 has expired and the forecast date, 9 Jun, has passed.",
        ),
    ],
)
def test_won_or_lost_is_explained_by_the_documents_that_decide_it(known, said):
    assert explain.sales_reason(known).text == said


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (facts(), "Open: nobody has marked it as won or lost, and nothing attached to it says so."),
        (facts(quote(12)), "Open: nothing attached decides it yet (Q-12)."),
        (
            facts(quote(2, "void"), agreement(31, "draft")),
            "Open: quote Q-2 was voided, but with A-31 attached the agreement decides.",
        ),
        (
            facts(quote(2, "void"), quote(3), lost_when=LostWhen.NO_LIVE_QUOTE),
            "Open: quote Q-2 was voided, but Q-3 can still be taken up.",
        ),
        (
            facts(quote(12, expired=True), forecast=LATER),
            "Open: Q-12 expired, but the forecast date has not passed, so it is not lost.",
        ),
        (
            facts(quote(12, expired=True)),
            "Open: Q-12 expired, but without a forecast date that does not lose the deal.",
        ),
    ],
)
def test_where_nothing_decides_it_says_what_might_look_so(known, said):
    assert explain.sales_reason(known).text == said


def test_detaching_is_offered_where_it_would_clear_the_loss():
    assert explain.sales_reason(facts(quote(2, "void"), quote(3))).detach == ("Q-2",)


def test_detaching_is_not_offered_where_the_deal_stays_lost():
    lost_anyway = facts(quote(2, "void"), quote(3, expired=True), forecast=PAST)

    assert explain.sales_reason(lost_anyway).detach == ()


def test_many_documents_are_counted():
    many = facts(*(job(number) for number in range(1, 8)))

    assert explain.sales_reason(many).text == "Won, because jobs J-1, J-2, J-3 and 4 more are attached."


# For all cards

numbers = st.integers(1, 9)
booleans = st.booleans()
quotes = st.builds(
    quote,
    numbers,
    st.sampled_from([state.value for state in QuoteState]),
    archived=booleans,
    expired=booleans,
    declined=booleans,
)
jobs = st.builds(
    job,
    numbers,
    st.sampled_from([state.value for state in JobState]),
    expired=booleans,
    paid=st.just(HUNDRED),
    refunded=st.sampled_from([Decimal(0), HUNDRED]),
)
agreements = st.builds(agreement, numbers, st.sampled_from([each.value for each in AgreementStatus]), st.integers(1, 9))
dates = st.none() | st.sampled_from([PAST, LATER, TODAY])


def one_each(of):
    return st.lists(of, max_size=3, unique_by=lambda each: each.number).map(tuple)


all_facts = st.builds(
    Facts,
    today=st.just(TODAY),
    closed_kind=st.none() | st.sampled_from(ClosedKind),
    forecast_date=dates,
    expiry_waived_for=dates,
    quotes=one_each(quotes),
    jobs=one_each(jobs),
    agreements=one_each(agreements),
    lost_when=st.sampled_from(LostWhen),
)


for_all_cards = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def named_in(text):
    return set(re.findall(r"\b[QJA]-\d+", text))


def attached_numbers(known):
    return {each.number for each in (*known.quotes, *known.jobs, *known.agreements)}


def deciding_sales(known):
    """What each rule of section 4.1 looks at; one of them is to be named."""
    live_jobs = {each.number for each in known.live_jobs}
    governing = outcome.governing_agreement(known)
    return {
        SalesRule.P2: live_jobs,
        SalesRule.P3: live_jobs,
        SalesRule.P4: live_jobs,
        SalesRule.P5: {each.number for each in known.agreements if each.status == "accepted"},
        SalesRule.P6: {governing.number} if governing else set(),
        SalesRule.P7: {each.number for each in known.quotes if each.dead}
        | {each.number for each in known.jobs if not each.live},
        SalesRule.P8: {each.number for each in known.live_quotes},
    }.get(outcome.evidence(known).rule, set())


def deciding_workflow(known):
    """What justifies each status of section 3.1; all of them are few enough here to be named."""
    live = known.live_jobs
    opened = {each.number for each in live if each.state != "completed"}
    signed = {each.number for each in known.agreements if each.status == "accepted"}
    base = {
        WorkflowStatus.COMPLETED: {each.number for each in live},
        WorkflowStatus.CONTRACTED: opened or signed,
        WorkflowStatus.AGREEMENT: {each.number for each in known.agreements if each.status == "submitted"},
        WorkflowStatus.NEGOTIATION: {each.number for each in known.live_quotes if each.submit_count},
        WorkflowStatus.PROSPECT: {each.number for each in known.live_quotes},
    }
    status = workflow.workflow_status(known)
    if status is WorkflowStatus.EXPIRED:
        justified = workflow.base(known)
        return set() if justified is WorkflowStatus.PROSPECT else base[justified]
    return base.get(status, set())


@for_all_cards
@given(all_facts)
def test_an_explanation_never_names_what_is_not_attached(known):
    for why in (explain.workflow_reason(known), explain.sales_reason(known)):
        assert named_in(why.text) <= attached_numbers(known)
        assert set(why.detach) <= attached_numbers(known)
        assert "  " not in why.text
        assert why.text.endswith(".")


@for_all_cards
@given(all_facts)
def test_an_explanation_always_names_what_decided(known):
    assert deciding_workflow(known) <= named_in(explain.workflow_reason(known).text)

    deciding = deciding_sales(known)
    named = named_in(explain.sales_reason(known).text)
    assert not deciding or deciding & named


@for_all_cards
@given(all_facts)
def test_detaching_what_is_offered_clears_the_loss(known):
    detach = explain.sales_reason(known).detach
    if detach:
        assert outcome.evidence(known).status == "lost"
        assert outcome.evidence(without(known, set(detach))).status != "lost"


def test_a_day_that_passed_yesterday_is_said_so():
    late = facts(forecast=TODAY - timedelta(days=1))

    assert explain.workflow_reason(late).text == "Expired: its forecast date, yesterday, has passed."
