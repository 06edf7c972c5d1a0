"""Acts on many cards: each judged by itself, partial results, undo, and large ones that the job loop works off."""

import uuid
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, OperationalError, transaction

from opportunities import bulk, lifecycle, pipeline, tasks
from opportunities.errors import Refused
from opportunities.models import BulkAct, BusinessSettings, Event, Opportunity
from tests.factories import NOW, ReasonFactory, StageFactory, UserFactory, make_card, starter_rows

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def breathless(monkeypatch):
    """Nobody else waits for the write lock of a test."""
    monkeypatch.setattr(bulk, "BREATH", 0)


@pytest.fixture
def manager():
    starter_rows()
    return UserFactory(role="manager")


@pytest.fixture
def salesperson():
    starter_rows()
    return UserFactory()


def start(verb, cards, actor, now=NOW, **arguments):
    return bulk.start(verb=verb, arguments=arguments, opportunity_ids=[card.pk for card in cards], actor=actor, now=now)


def cards_of(actor, count=3, **fields):
    return [make_card(actor=actor, **fields) for _ in range(count)]


def large(monkeypatch, at_once=2, chunk=2):
    """Let a handful of cards count as many."""
    monkeypatch.setattr(bulk, "AT_ONCE", at_once)
    monkeypatch.setattr(bulk, "CHUNK", chunk)


# What is done, and what is refused


def test_all_cards_move_and_the_answer_counts_them(manager):
    stage = StageFactory()
    cards = cards_of(manager)

    act = start("stage", cards, manager, stage_id=stage.pk)

    assert (act.is_done, act.changed, act.refused_count, act.unchanged) == (True, 3, 0, 0)
    assert set(Opportunity.objects.values_list("stage", flat=True)) == {stage.pk}


def test_a_refused_card_says_why_and_does_not_stop_the_others(manager):
    stage = StageFactory(requires_amount=True, name="Proposal")
    worth = make_card(actor=manager, amount=100)
    worthless = make_card(actor=manager)

    act = start("stage", [worthless, worth], manager, stage_id=stage.pk)

    assert act.changed == 1
    assert act.refused == [{"id": worthless.pk, "why": ["“Proposal” needs an amount."]}]


def test_a_card_that_is_there_already_counts_as_unchanged(manager):
    stage = StageFactory()
    there = make_card(actor=manager, stage_id=stage.pk)

    act = start("stage", [there, *cards_of(manager, 1)], manager, stage_id=stage.pk)

    assert (act.changed, act.refused_count, act.unchanged) == (1, 0, 1)


def test_the_same_card_named_twice_is_changed_once(manager):
    card = make_card(actor=manager, forecast_date=date(2025, 6, 20))

    act = start("postpone", [card, card], manager, weeks=1)

    assert (act.total, act.changed) == (1, 1)
    assert Opportunity.objects.get().forecast_date == date(2025, 6, 27)


def test_cards_that_the_person_may_not_see_are_left_out_without_being_named(manager, salesperson):
    BusinessSettings.objects.update(salespeople_see="own")
    own = make_card(actor=salesperson)
    foreign = cards_of(manager, 2)

    act = start("archive", [own, *foreign], salesperson)

    assert (act.changed, act.refused_count) == (1, 2)
    assert act.refused == [{"id": None, "count": 2, "why": [act.refused[0]["why"][0]]}]
    assert not Opportunity.objects.filter(pk__in=[card.pk for card in foreign], archived_at__isnull=False).exists()


def test_a_card_of_a_colleague_is_refused_with_who_may(manager, salesperson):
    card = make_card(actor=manager)

    act = start("archive", [card], salesperson)

    assert act.refused == [
        {"id": card.pk, "why": [f"Only {manager.get_full_name()}, whose card this is, or a manager may do that."]}
    ]


def test_a_salesperson_cannot_give_cards_to_a_colleague(manager, salesperson):
    card = make_card(actor=salesperson)

    act = start("salesperson", [card], salesperson, salesperson_id=manager.pk)

    assert act.refused[0]["why"] == ["Only a manager may do that."]


def test_a_salesperson_takes_the_unassigned_cards(salesperson):
    cards = cards_of(None, 2)

    act = start("salesperson", cards, salesperson, salesperson_id=salesperson.pk)

    assert act.changed == 2


def test_cards_are_not_given_to_a_colleague_who_left(manager):
    gone = UserFactory(is_active=False)

    act = start("salesperson", cards_of(manager, 1), manager, salesperson_id=gone.pk)

    assert act.refused[0]["why"] == ["This colleague is not here any more, or is in no group."]


def test_a_stage_that_was_deleted_meanwhile_refuses_in_words(manager):
    act = start("stage", cards_of(manager, 1), manager, stage_id=999)

    assert act.refused[0]["why"] == ["What it should be changed to was deleted meanwhile."]


def test_lost_needs_a_reason_and_takes_it(manager):
    lost = starter_rows()["Lost"]
    cards = cards_of(manager, 2)

    without = start("status", cards, manager, status_id=lost.pk)
    given = start("status", cards, manager, status_id=lost.pk, reason_id=ReasonFactory(label="Price").pk)

    assert without.refused[0]["why"] == ["Say why the deal was lost."]
    assert given.changed == 2
    assert set(Opportunity.objects.values_list("decided_reason_label", flat=True)) == {"Price"}


def test_archived_cards_come_back(manager):
    cards = cards_of(manager, 2)
    start("archive", cards, manager)

    act = start("unarchive", cards, manager)

    assert act.changed == 2
    assert Opportunity.objects.not_archived().count() == 2


def test_an_act_that_nobody_knows_is_a_mistake_of_the_program(manager):
    with pytest.raises(KeyError):
        start("explode", [], manager)


def test_no_cards_are_done_at_once(manager):
    assert start("archive", [], manager).is_done


# Moving the forecast date on


def test_a_week_is_added_to_each_card_by_itself(manager):
    near = make_card(actor=manager, forecast_date=date(2025, 6, 12))
    far = make_card(actor=manager, forecast_date=date(2025, 12, 1))

    start("postpone", [near, far], manager, weeks=1)

    assert pipeline.Opportunity.objects.get(pk=near.pk).forecast_date == date(2025, 6, 19)
    assert pipeline.Opportunity.objects.get(pk=far.pk).forecast_date == date(2025, 12, 8)


def test_a_date_that_has_passed_counts_from_today_and_the_card_lives_again(manager):
    card = make_card(actor=manager, forecast_date=date(2025, 3, 1))

    start("postpone", [card], manager, months=1)

    moved = Opportunity.objects.get()
    assert moved.forecast_date == date(2025, 7, 10)
    assert not moved.is_expired


def test_a_month_after_the_last_of_january_is_the_last_of_february(manager):
    card = make_card(actor=manager, forecast_date=date(2026, 1, 31))

    start("postpone", [card], manager, months=1)

    assert Opportunity.objects.get(pk=card.pk).forecast_date == date(2026, 2, 28)


def test_a_card_without_a_date_cannot_be_moved_on(manager):
    card = make_card(actor=manager)

    act = start("postpone", [card], manager, weeks=1)

    assert act.refused[0]["why"] == [f"{card.number} has no forecast date that could be moved on."]


def test_a_date_at_the_end_of_time_is_refused_in_words(manager):
    card = make_card(actor=manager, forecast_date=date(9999, 12, 31))

    act = start("postpone", [card], manager, months=1)

    assert act.refused[0]["why"] == ["This date is too far away."]


# Undo


def test_the_whole_act_is_taken_back(manager):
    before, after = StageFactory(), StageFactory()
    cards = cards_of(manager, stage_id=before.pk)
    act = start("stage", cards, manager, stage_id=after.pk)

    undone = bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)

    assert (undone.is_done, undone.changed, undone.refused_count) == (True, 3, 0)
    assert set(Opportunity.objects.values_list("stage", flat=True)) == {before.pk}


def test_what_was_changed_since_is_left_alone_and_listed(manager):
    first, second = StageFactory(), StageFactory()
    cards = cards_of(manager, 2)
    act = start("stage", cards, manager, stage_id=first.pk)
    pipeline.move(opportunity_id=cards[0].pk, stage_id=second.pk, actor=manager, now=NOW)

    undone = bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)

    assert (undone.changed, undone.refused_count) == (1, 1)
    assert undone.refused[0]["id"] == cards[0].pk
    assert Opportunity.objects.get(pk=cards[0].pk).stage == second


def test_a_postponement_is_taken_back(manager):
    card = make_card(actor=manager, forecast_date=date(2025, 3, 1))
    act = start("postpone", [card], manager, months=1)

    bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)

    back = Opportunity.objects.get()
    assert back.forecast_date == date(2025, 3, 1)
    assert back.is_expired


def test_nobody_takes_back_the_act_of_a_colleague(manager, salesperson):
    act = start("archive", cards_of(manager), manager)

    with pytest.raises(BulkAct.DoesNotExist):
        bulk.undo(bulk_act_id=act.pk, actor=salesperson, now=LATER)


def test_a_manager_takes_back_anybodys_act(manager, salesperson):
    act = start("archive", cards_of(salesperson), salesperson)

    undone = bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)

    assert undone.changed == 3
    assert undone.actor == manager


def test_an_act_that_does_not_exist_is_not_found(manager):
    with pytest.raises(BulkAct.DoesNotExist):
        bulk.undo(bulk_act_id=uuid.uuid4(), actor=manager, now=LATER)


def test_an_act_is_taken_back_once(manager):
    act = start("archive", cards_of(manager), manager)
    bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)

    with pytest.raises(Refused) as refused:
        bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)

    assert refused.value.codes == ("WRONG_STATE",)


def test_the_database_keeps_an_act_from_being_undone_twice(manager):
    act = start("archive", cards_of(manager), manager)
    bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)

    with pytest.raises(IntegrityError, match="undo"), transaction.atomic():
        BulkAct.objects.create(verb=bulk.UNDO, undoes=act, actor=manager, created_at=NOW)


def test_an_undo_is_not_undone(manager):
    act = start("archive", cards_of(manager), manager)
    undone = bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)

    with pytest.raises(Refused):
        bulk.undo(bulk_act_id=undone.pk, actor=manager, now=LATER)


def test_after_a_day_it_is_too_late(manager):
    act = start("archive", cards_of(manager), manager)

    with pytest.raises(Refused) as refused:
        bulk.undo(bulk_act_id=act.pk, actor=manager, now=NOW + timedelta(hours=25))

    assert refused.value.codes == ("TOO_LATE",)
    assert not bulk.may_be_undone(act, NOW + timedelta(hours=25))


def test_an_act_that_changed_nothing_has_no_undo(manager):
    act = start("stage", cards_of(manager, 1), manager, stage_id=999)

    with pytest.raises(Refused):
        bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)


# Many cards: by the job loop


def test_many_cards_wait_for_the_job_loop_which_is_woken(manager, monkeypatch, django_capture_on_commit_callbacks):
    large(monkeypatch)
    cards = cards_of(manager, 5)

    with django_capture_on_commit_callbacks() as callbacks:
        act = start("archive", cards, manager)

    assert (act.state, act.position, act.total) == (BulkAct.State.QUEUED, 0, 5)
    assert len(callbacks) == 1
    assert not Opportunity.objects.filter(archived_at__isnull=False).exists()


def test_the_job_loop_works_it_off_and_forgets_the_list(manager, monkeypatch):
    large(monkeypatch)
    act = start("archive", cards_of(manager, 5), manager)

    answer = tasks.work_off_bulk_acts()

    act.refresh_from_db()
    assert answer == {"finished": True}
    assert (act.is_done, act.changed, act.card_ids) == (True, 5, [])


def test_a_worker_that_runs_out_of_time_goes_on_later(manager, monkeypatch, django_capture_on_commit_callbacks):
    large(monkeypatch)
    monkeypatch.setattr(tasks, "BULK_SECONDS", -1.0)
    start("archive", cards_of(manager, 5), manager)

    with django_capture_on_commit_callbacks() as callbacks:
        answer = tasks.work_off_bulk_acts()

    assert answer == {"finished": False}
    assert len(callbacks) == 1


def test_acts_take_turns_so_that_a_small_one_does_not_wait_for_a_large_one(manager, monkeypatch):
    large(monkeypatch)
    big = start("archive", cards_of(manager, 9), manager)
    small = start("archive", cards_of(manager, 3), manager, now=LATER)
    order = []
    chunk = bulk.work_chunk
    monkeypatch.setattr(bulk, "work_chunk", lambda pk, now, **more: order.append(pk) or chunk(pk, now, **more))

    bulk.work_off(LATER)

    assert order[:4] == [big.pk, small.pk, big.pk, small.pk]


@pytest.mark.sqlite_only
def test_a_worker_leaves_the_write_lock_to_people_after_each_chunk(manager, monkeypatch):
    large(monkeypatch)
    start("archive", cards_of(manager, 5), manager)
    pauses = []
    monkeypatch.setattr(bulk, "BREATH", 0.11)
    monkeypatch.setattr(bulk.time, "sleep", pauses.append)

    bulk.work_off(LATER)

    assert pauses == [0.11] * 3


def test_a_worker_killed_half_way_has_done_a_chunk_whole_or_not_at_all(manager, monkeypatch):
    large(monkeypatch)
    act = start("archive", cards_of(manager, 6), manager)
    bulk.work_chunk(act.pk, NOW)

    def killed(*arguments, **more):
        lifecycle.archive(**more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setitem(bulk.ACTS, "archive", bulk.Act(killed, lambda given: {}))
        with pytest.raises(KeyboardInterrupt):
            bulk.work_chunk(act.pk, NOW)
    half_way = BulkAct.objects.get()
    assert (half_way.position, half_way.changed) == (2, 2)
    assert Opportunity.objects.filter(archived_at__isnull=False).count() == 2

    bulk.work_off(LATER)

    assert BulkAct.objects.get().changed == 6
    assert Event.objects.filter(act=act.pk, kind="archived").count() == 6


def test_a_card_that_breaks_the_program_is_left_out_and_the_others_are_done(manager, monkeypatch, caplog):
    large(monkeypatch, chunk=4)
    cards = cards_of(manager, 6)
    poison = cards[2]

    def archive(*, opportunity_id, **more):
        if opportunity_id == poison.pk:
            raise ZeroDivisionError
        return lifecycle.archive(opportunity_id=opportunity_id, **more)

    monkeypatch.setitem(bulk.ACTS, "archive", bulk.Act(archive, lambda given: {}))
    act = start("archive", cards, manager)

    bulk.work_off(LATER)

    act.refresh_from_db()
    assert (act.is_done, act.changed, act.refused_count) == (True, 5, 1)
    assert act.refused[0]["id"] == poison.pk
    assert "left out a card" in caplog.text


def test_an_act_that_the_database_cannot_serve_now_waits_and_the_others_go_on(manager, monkeypatch):
    large(monkeypatch)
    stuck = start("archive", cards_of(manager, 3), manager)
    other = start("archive", cards_of(manager, 3), manager, now=LATER)
    chunk = bulk.work_chunk

    def unlucky(pk, now, **more):
        if pk == stuck.pk:
            raise OperationalError("deadlock detected")
        return chunk(pk, now, **more)

    with monkeypatch.context() as patch:
        patch.setattr(bulk, "work_chunk", unlucky)
        bulk.work_off(LATER)

    stuck.refresh_from_db()
    other.refresh_from_db()
    assert (stuck.position, other.is_done) == (0, True)

    bulk.work_off(LATER)

    stuck.refresh_from_db()
    assert stuck.is_done


def test_what_the_person_may_do_is_judged_when_it_is_done_not_when_it_was_asked(manager, monkeypatch):
    large(monkeypatch)
    act = start("archive", cards_of(manager, 3), manager)
    manager.is_active = False
    manager.save()

    bulk.work_off(LATER)

    act.refresh_from_db()
    assert (act.changed, act.refused_count) == (0, 3)


def test_a_running_act_is_stopped_by_its_undo_and_what_it_did_is_taken_back(manager, monkeypatch):
    large(monkeypatch)
    act = start("archive", cards_of(manager, 6), manager)
    bulk.work_chunk(act.pk, NOW)

    bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)
    bulk.work_off(LATER)

    act.refresh_from_db()
    assert (act.is_done, act.changed, act.not_reached) == (True, 2, 4)
    assert not Opportunity.objects.filter(archived_at__isnull=False).exists()


def test_the_undo_of_a_large_act_is_worked_off_by_the_job_loop_too(manager, monkeypatch):
    large(monkeypatch)
    act = start("archive", cards_of(manager, 5), manager)
    bulk.work_off(NOW)

    undone = bulk.undo(bulk_act_id=act.pk, actor=manager, now=LATER)
    assert not undone.is_done
    bulk.work_off(LATER)

    undone.refresh_from_db()
    assert (undone.is_done, undone.changed) == (True, 5)


def test_of_many_refused_cards_the_first_are_listed_and_all_are_counted(manager, monkeypatch):
    monkeypatch.setattr(bulk, "LISTED", 2)

    act = start("postpone", cards_of(manager, 5), manager, weeks=1)

    assert (len(act.refused), act.refused_count) == (2, 5)
