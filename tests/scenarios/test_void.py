"""Void and Cancel of a card: the acceptance scenarios of parts D and F, by their numbers (lifecycle.md section 6)."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from opportunities import agreements, attachments, jobs, lifecycle, pipeline, quotes, reasons, sweep
from opportunities.access import Role
from opportunities.errors import NotAllowed, Refused
from opportunities.lifecycle import ReopenFirst, VoidFirst
from opportunities.models import ActionItem, Event, Opportunity
from tests.documents import (
    ADA,
    BEN,
    LABOUR,
    PIPES,
    TODAY,
    YESTERDAY,
    act,
    another_deal_with,
    at,
    cancel_reason,
    card_of,
    deal,
    finish,
    fresh,
    history_of,
    job_of,
    line_of,
    make_agreement,
    make_job,
    make_quote,
    pay,
    pay_back,
    refused,
    shown,
    sign,
    signers,
    state,
    statuses,
    void_reason,
)
from tests.factories import NOW, ReasonFactory, StageFactory, UserFactory, starter_rows

pytestmark = pytest.mark.django_db

VOID, CANCELED = ("void", "lost"), ("canceled", "lost")


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


@pytest.fixture
def duplicate():
    return ReasonFactory(void=True, label="Duplicate")


def void(card, reason=None, **given):
    return act(lifecycle.void, card, reason_id=reason.pk if reason else void_reason(), **given)


def cancel(card, reason=None, **given):
    return act(lifecycle.cancel, card, reason_id=reason.pk if reason else cancel_reason(), **given)


def why(row):
    """The reason that a card or document was closed with, and whether a document ended with its card."""
    row = fresh(row)
    return row.close_reason_label, getattr(row, "closed_with_card", None)


def untouched(card, *documents):
    """Remember how a card, its documents and its history are; call the answer to compare."""
    remembered = [
        (row.version, str(getattr(row, "state", row.__dict__.get("workflow_status"))))
        for row in map(fresh, (card, *documents))
    ]
    events = Event.objects.count()

    def compare():
        now = [
            (row.version, str(getattr(row, "state", row.__dict__.get("workflow_status"))))
            for row in map(fresh, (card, *documents))
        ]
        assert (now, Event.objects.count()) == (remembered, events)

    return compare


def test_a_prospect_is_voided_with_reason_note_person_and_time_ac109(duplicate):
    ann = UserFactory(role="manager")
    card = deal()

    void(card, duplicate, note="Typed twice.", actor=ann)

    card = fresh(card)
    assert statuses(card) == VOID
    assert (card.close_reason, card.close_reason_label, card.close_note) == (duplicate, "Duplicate", "Typed twice.")
    assert (card.closed_by, card.closed_at, card.decided_on, card.decided_by) == (ann, NOW, TODAY, ann)


@pytest.mark.parametrize("verb", [lifecycle.void, lifecycle.cancel])
def test_without_a_reason_nothing_happens_ac110(verb):
    card = deal()
    same = untouched(card)

    with pytest.raises(ValidationError, match="Choose a reason"):
        act(verb, card, reason_id=None)

    same()


def test_both_live_quotes_are_void_with_the_same_reason_who_and_when_ac112(duplicate):
    ann = UserFactory(role="manager")
    card = deal()
    both = [make_quote(card), make_quote(card, "submitted")]

    void(card, duplicate, actor=ann)

    for quote in map(fresh, both):
        assert (str(quote.state), quote.close_reason_label, quote.closed_by, quote.closed_at) == (
            "void",
            "Duplicate",
            ann,
            NOW,
        )
        assert quote.closed_with_card


def test_a_canceled_quote_keeps_its_own_reason_ac113(duplicate):
    card = deal()
    old = make_quote(card, "canceled")
    live = make_quote(card)
    before = why(old)

    void(card, duplicate)

    assert (state(old), why(old)) == ("canceled", before)
    assert (state(live), why(live)) == ("void", ("Duplicate", True))


def test_a_converted_quote_and_its_job_are_void_together_with_the_card_ac115(duplicate):
    card = deal()
    quote = make_quote(card, "converted", lines=[PIPES])

    void(card, duplicate)

    assert statuses(card) == VOID
    assert [state(quote), state(job_of(quote))] == ["void", "void"]
    assert {why(card)[0], why(quote)[0], why(job_of(quote))[0]} == {"Duplicate"}


def test_one_fulfilled_unit_refuses_and_names_job_and_line_ac116():
    card = deal()
    job = make_job(card, lines=[PIPES])
    act(jobs.fulfil, line_of(job), quantity=1)
    same = untouched(card, job)

    with refused("ITEM_FULFILLED") as refusal:
        void(card)

    assert job.number in str(refusal.value)
    assert "1 of 10 “Copper pipe”" in str(refusal.value)
    same()


def test_ticked_labour_does_not_refuse_ac118():
    card = deal()
    job = make_job(card)
    act(jobs.fulfil, line_of(job), quantity=4)

    void(card)

    assert (statuses(card), state(job)) == (VOID, "void")


def test_a_deposit_of_one_refuses_ac119():
    card = deal()
    pay(make_job(card), "1.00")

    with refused("PAYMENT_TAKEN"):
        void(card)

    assert statuses(card) == ("contracted", "won")


def test_money_given_back_in_full_does_not_refuse_ac121():
    card = deal()
    job = make_job(card)
    pay_back(pay(job, "100"), "100")
    assert statuses(card) == ("contracted", "lost")

    void(card)

    assert (statuses(card), state(job)) == (VOID, "void")


def test_a_payment_on_its_way_refuses_until_it_failed_ac122():
    card = deal()
    payment = act(jobs.take_payment, make_job(card), amount=Decimal(10), settled=False)

    with refused("PAYMENT_PENDING"):
        void(card)
    act(jobs.settle_payment, payment, succeeded=False)
    void(card)

    assert statuses(card) == VOID


def test_a_completed_job_refuses_until_it_is_reopened_ac124():
    card = deal()
    job = make_job(card, "completed")

    with refused("JOB_COMPLETED"):
        void(card)
    act(jobs.reopen, job)
    void(card)

    assert (statuses(card), state(job)) == (VOID, "void")


def test_a_submitted_agreement_refuses_and_leads_to_voiding_it_ac125():
    card = deal()
    agreement = make_agreement(card, "submitted")
    same = untouched(card, agreement)

    with refused("AGREEMENT_SUBMITTED") as refusal:
        void(card)

    assert refusal.value.blockers[0].url == f"/agreements/{agreement.pk}/void/"
    same()


@pytest.mark.parametrize("to", ["accepted", "rejected", "expired", "canceled"])
def test_an_agreement_that_was_out_refuses_until_it_is_voided_ac127(to):
    card = deal()
    agreement = make_agreement(card, to)

    with refused(f"AGREEMENT_{to.upper()}"):
        void(card, now=at(1))
    act(agreements.void, agreement, reason_id=void_reason(), now=at(1))
    void(card, now=at(1))

    assert statuses(card) == VOID


def test_a_half_signed_agreement_refuses_ac128():
    card = deal()
    agreement = make_agreement(card, "submitted", recipients=[ADA, BEN])
    sign(signers(agreement)[0])

    with refused("AGREEMENT_SUBMITTED"):
        void(card)


def test_voiding_never_takes_a_card_from_the_archive_ac130():
    card = deal()
    act(lifecycle.archive, card)

    void(card, now=at(1))

    assert (statuses(card), fresh(card).archived_at) == (VOID, NOW)


def test_only_the_ticked_box_archives_ac131():
    put_away, left = deal(), deal()

    void(put_away, archive=True)
    void(left)

    assert (fresh(put_away).archived_at, fresh(left).archived_at) == (NOW, None)


@pytest.mark.parametrize("make", [make_quote, make_job, make_agreement])
@pytest.mark.parametrize("close", [void, cancel])
def test_nothing_is_attached_to_or_detached_from_a_closed_card_ac133(make, close):
    card = deal()
    inside, loose = make(card), make(card, attached=False)
    other = another_deal_with(card)
    elsewhere = make(other)
    close(card)
    named = lambda row: {f"{row.REF}_id": row.pk}  # noqa: E731

    for call in (
        lambda: act(attachments.attach, card, **named(loose)),
        lambda: act(attachments.detach, **named(inside)),
        lambda: act(attachments.detach, **named(inside), to_opportunity_id=other.pk),
        lambda: act(attachments.detach, **named(elsewhere), to_opportunity_id=card.pk),
    ):
        with pytest.raises(Refused) as refusal:
            call()
        assert "CARD_TERMINAL" in refusal.value.codes or refusal.value.codes == ("WRONG_STATE",)

    assert [card_of(each) for each in (inside, loose, elsewhere)] == [card.pk, None, other.pk]


def test_documents_that_were_voided_with_their_card_are_final_ac134():
    card = deal()
    quote = make_quote(card, "converted")
    job = job_of(quote)
    void(card)
    same = untouched(card, quote, job)

    for call in (
        lambda: act(jobs.complete, job),
        lambda: act(jobs.reopen, job),
        lambda: act(jobs.take_payment, job, amount=Decimal(1)),
        lambda: act(quotes.convert, quote),
    ):
        with refused("CARD_TERMINAL"):
            call()

    same()
    assert statuses(card) == VOID


def test_card_and_quotes_keep_the_words_of_a_renamed_and_retired_reason_ac136(duplicate):
    admin = UserFactory(role="admin")
    ReasonFactory(void=True)
    card = deal()
    quote = make_quote(card)
    void(card, duplicate)

    reasons.edit(reason_id=duplicate.pk, label="Dup", actor=admin, now=NOW)
    reasons.deactivate(reason_id=duplicate.pk, actor=admin, now=NOW)

    assert (why(card)[0], why(quote)[0]) == ("Duplicate", "Duplicate")
    with pytest.raises(Refused):
        reasons.delete(reason_id=duplicate.pk, actor=admin, now=NOW)


def test_the_last_active_reason_of_a_list_stays_active_ac137(duplicate):
    with refused("LAST_ACTIVE_ROW"):
        reasons.deactivate(reason_id=duplicate.pk, actor=UserFactory(role="admin"), now=NOW)


def test_a_drag_does_not_disturb_a_void_that_was_shown_before_ac139():
    card = deal()
    make_quote(card)
    seen = lifecycle.consequences(opportunity_id=card.pk, actor=None, now=NOW).fingerprint
    act(pipeline.move, card, stage_id=StageFactory().pk)

    void(card, seen=seen)

    assert statuses(card) == VOID


@pytest.mark.parametrize("meanwhile", ["attached", "paid", "detached", "revised"])
def test_what_is_attached_was_changed_so_nothing_is_voided_unseen_ac140(meanwhile):
    card = deal()
    quote, job = make_quote(card), make_job(card)
    seen = lifecycle.consequences(opportunity_id=card.pk, actor=None, now=NOW).fingerprint
    {
        "attached": lambda: make_quote(card),
        "paid": lambda: pay(job, "5"),
        "detached": lambda: act(attachments.detach, quote),
        "revised": lambda: act(quotes.revise, quote, lines=[{**LABOUR, "quantity": 9}]),
    }[meanwhile]()

    with refused("CHANGED_SINCE_SHOWN"):
        void(card, seen=seen)

    assert fresh(card).closed_kind == ""


def test_who_may_not_see_the_card_finds_none_and_who_may_not_void_is_told_ac142():
    ann, ben = UserFactory(), UserFactory()
    card = deal(actor=ann)
    same = untouched(card)

    with pytest.raises(NotAllowed, match="whose card this is, or a manager"):
        void(card, actor=ben)
    nobody = UserFactory(role=Role.NONE.value)
    with pytest.raises(Opportunity.DoesNotExist):
        void(card, actor=nobody)

    same()


def test_the_only_way_back_is_a_fresh_copy_without_documents_ac143():
    ann = UserFactory(role="manager")
    card = deal(actor=ann, title="Clinic", amount=Decimal(500))
    make_quote(card)
    void(card)

    copy = act(pipeline.duplicate, card, actor=ann)

    assert statuses(copy) == ("prospect", "none")
    assert (copy.title, copy.salesperson, list(copy.customers.all())) == ("Clinic", ann, list(card.customers.all()))
    assert not copy.quotes.exists()
    assert statuses(card) == VOID


def test_a_submitted_agreement_of_another_card_is_moved_there_first_ac145():
    ann, boss = UserFactory(), UserFactory(role="manager")
    wrong = deal(actor=ann)
    right = another_deal_with(wrong, actor=ann)
    agreement = make_agreement(wrong, "submitted")

    with refused("NEEDS_CARD"):
        act(attachments.detach, agreement, actor=ann)
    with refused("NEEDS_CARD"):
        act(attachments.detach, agreement, actor=boss)
    act(attachments.detach, agreement, to_opportunity_id=right.pk, actor=ann)
    void(wrong, actor=ann)

    assert (shown(agreement), card_of(agreement), statuses(wrong)) == ("submitted", right.pk, VOID)


def test_the_sweep_leaves_a_void_card_alone_ac146():
    card = deal(forecast_date=TODAY)
    void(card)

    sweep.run(at(1))

    assert statuses(card) == VOID
    assert [kind for kind, *_ in history_of(card)][-1] == "voided"


def test_open_action_items_are_closed_with_the_card_and_done_ones_stay_ac148():
    card = deal()
    rows = [
        ActionItem.objects.create(opportunity=card, text=f"Call {n}", due_on=TODAY, created_at=NOW) for n in range(4)
    ]
    ActionItem.objects.filter(pk=rows[0].pk).update(state=ActionItem.State.DONE, done_at=at(-1))

    void(card)

    assert [fresh(row).state for row in rows] == ["done", "closed", "closed", "closed"]
    assert fresh(rows[0]).done_at == at(-1)


def test_a_refused_void_leaves_action_items_open_ac149():
    card = deal()
    row = ActionItem.objects.create(opportunity=card, text="Call", due_on=TODAY, created_at=NOW)
    make_agreement(card, "submitted")

    with refused("AGREEMENT_SUBMITTED"):
        void(card)

    assert fresh(row).state == ActionItem.State.OPEN


# F. Cancel


def test_cancel_takes_quote_job_and_draft_agreement_along_ac157():
    price = ReasonFactory(label="Price")
    card = deal()
    quote = make_quote(card, "converted")
    agreement = make_agreement(card)

    cancel(card, price)

    assert statuses(card) == CANCELED
    rows = (quote, job_of(quote), agreement)
    assert [state(each) for each in rows] == ["canceled"] * 3
    assert [why(each) for each in rows] == [("Price", True)] * 3


def test_an_expired_card_is_canceled_and_never_expired_again_ac158():
    card = deal(forecast_date=YESTERDAY)
    assert statuses(card) == ("expired", "none")

    cancel(card)
    sweep.run(at(1))

    assert statuses(card) == CANCELED


@pytest.mark.parametrize(("close", "wrong"), [(void, cancel_reason), (cancel, void_reason)])
def test_a_reason_of_the_other_list_is_refused_ac160(close, wrong):
    card = deal()
    same = untouched(card)
    verb = lifecycle.void if close is void else lifecycle.cancel
    other = wrong()

    with refused("REASON_WRONG_LIST"):
        act(verb, card, reason_id=other)

    same()


def test_a_canceled_card_is_as_final_as_a_void_one_ac161():
    card = deal()
    loose = make_quote(card, attached=False)
    cancel(card)
    same = untouched(card, loose)

    for call in (
        lambda: act(pipeline.edit, card, title="x"),
        lambda: act(attachments.attach, card, quote_id=loose.pk),
        lambda: void(card),
        lambda: cancel(card),
    ):
        with refused("CARD_TERMINAL"):
            call()

    same()


@pytest.mark.parametrize("to", ["rejected", "expired", "canceled"])
def test_an_agreement_is_voided_first_and_the_card_canceled_with_one_status_change_ac184(to):
    wrong, price = ReasonFactory(void=True, label="Wrong customer"), ReasonFactory(label="Price")
    card = deal()
    agreement = make_agreement(card, to)
    ids = set(Event.objects.values_list("pk", flat=True))

    cancel(card, price, first=[VoidFirst(agreement.pk, wrong.pk)], now=at(1))

    assert (shown(agreement), why(agreement)) == ("void", ("Wrong customer", False))
    assert (statuses(card), why(card)[0]) == (CANCELED, "Price")
    events = Event.objects.exclude(pk__in=ids).order_by("pk")
    assert [event.kind for event in events] == ["agreement_voided", "canceled"]
    assert [event.workflow_from != event.workflow_to for event in events] == [False, True]
    assert len({event.act for event in events}) == 1


def test_a_last_day_that_has_passed_unswept_can_be_cleared_too():
    card = deal()
    agreement = make_agreement(card, "submitted", valid_until=TODAY)

    void(card, first=[VoidFirst(agreement.pk, void_reason())], now=at(1))

    assert (shown(agreement), statuses(card)) == ("void", VOID)


def test_a_completed_job_is_reopened_first_and_ends_with_its_card():
    card = deal()
    job = make_job(card, "completed")
    ids = set(Event.objects.values_list("pk", flat=True))

    void(card, first=[ReopenFirst(job.pk)])

    assert (state(job), statuses(card)) == ("void", VOID)
    told = list(Event.objects.exclude(pk__in=ids).order_by("pk").values_list("kind", "workflow_from", "workflow_to"))
    assert told == [
        ("job_reopened", "completed", "completed"),
        ("voided", "completed", "void"),
        ("closed_with_card", "", ""),
    ]


@pytest.mark.parametrize("to", ["draft", "submitted", "accepted", "void"])
def test_only_an_agreement_that_the_customer_has_no_say_in_is_cleared_along(to):
    card = deal()
    agreement = make_agreement(card, to)
    same = untouched(card, agreement)

    with refused("WRONG_STATE"):
        void(card, first=[VoidFirst(agreement.pk, void_reason())])

    same()


def test_a_reopened_job_with_goods_out_still_refuses_and_nothing_is_half_done():
    card = deal()
    job = finish(make_job(card, lines=[PIPES]))
    agreement = make_agreement(card, "rejected")
    same = untouched(card, job, agreement)

    with refused("ITEM_FULFILLED"):
        void(card, first=[VoidFirst(agreement.pk, void_reason()), ReopenFirst(job.pk)])

    same()


def test_clearing_first_needs_a_reason_of_the_void_list():
    card = deal()
    agreement = make_agreement(card, "rejected")

    with refused("REASON_WRONG_LIST"):
        cancel(card, first=[VoidFirst(agreement.pk, cancel_reason())])
    with pytest.raises(ValidationError, match="Choose a reason"):
        cancel(card, first=[VoidFirst(agreement.pk, None)])

    assert shown(agreement) == "rejected"


def test_all_blockers_are_told_at_once_each_leading_to_what_clears_it():
    card = deal()
    first = make_job(card, lines=[PIPES])
    act(jobs.fulfil, line_of(first), quantity=1)
    pay(first, "50")
    act(jobs.take_payment, first, amount=Decimal(5), settled=False)
    done = make_job(card, "completed")
    agreement = make_agreement(card, "rejected")

    found = lifecycle.blockers(opportunity_id=card.pk, actor=None, now=NOW)

    assert [(each.code, each.subject, each.url) for each in found] == [
        ("ITEM_FULFILLED", first.number, f"/jobs/lines/{line_of(first).pk}/return/"),
        ("PAYMENT_TAKEN", first.number, f"/jobs/{first.pk}/#money"),
        ("PAYMENT_PENDING", first.number, f"/jobs/{first.pk}/#money"),
        ("JOB_COMPLETED", done.number, f"/jobs/{done.pk}/reopen/"),
        ("AGREEMENT_REJECTED", agreement.number, f"/agreements/{agreement.pk}/void/"),
    ]
    with refused(*[each.code for each in found]):
        cancel(card)


def test_of_a_closed_card_only_that_is_told_with_who_and_when():
    ann = UserFactory(role="manager", first_name="Ann", last_name="Kowalski")
    card = deal()
    void(card, actor=ann)

    (found,) = lifecycle.blockers(opportunity_id=card.pk, actor=None, now=NOW)

    assert found.code == "CARD_TERMINAL"
    assert "by Ann Kowalski on" in found.message
