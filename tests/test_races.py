"""Two and more people at once, on PostgreSQL: the acts meet at a lock, and whatever the order, nothing is lost."""

import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from boards import moves
from boards.models import Board, Column
from opportunities import bulk, pipeline, stages, sweep
from opportunities.errors import Refused, Stale
from opportunities.models import BulkAct, Contact, Event, Opportunity, OpportunityStage, OpportunityStatus
from tests.factories import (
    NOW,
    BoardFactory,
    ContactFactory,
    CustomerFactory,
    StageFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

PATIENCE = 20  # seconds


@pytest.fixture(autouse=True)
def rows():
    return starter_rows()


@pytest.fixture
def stage():
    return StageFactory(is_default=True)


def meet(acts: list[Callable[[], Any]], *, hold: Callable[[], Any]) -> list[Any]:
    """Run the acts at once: they all wait for a lock that is held until every one of them has come to it.

    Answers what each returned, or the exception that it raised.
    """
    results: list[Any] = [None] * len(acts)
    sessions: list[int] = []

    def run(place: int) -> None:
        try:
            connection.ensure_connection()
            sessions.append(connection.connection.info.backend_pid)
            results[place] = acts[place]()
        except Exception as error:
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=[place]) for place in range(len(acts))]
    with transaction.atomic():
        hold()
        for thread in threads:
            thread.start()
        wait_for_waiting(sessions, len(acts))
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    return results


def wait_for_waiting(sessions: list[int], number: int) -> None:
    """Wait until these sessions all wait for a lock. (pg_stat_activity would stand still within a transaction.)"""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid = ANY(%s)", [list(sessions)]
            )
            if cursor.fetchone()[0] == number:
                return
        time.sleep(0.02)
    raise AssertionError(f"{number} sessions never came to wait.")


def lock_stage(stage: OpportunityStage) -> Callable[[], Any]:
    return lambda: OpportunityStage.objects.select_for_update().get(pk=stage.pk)


def lock_card(card: Opportunity) -> Callable[[], Any]:
    return lambda: Opportunity.objects.select_for_update().get(pk=card.pk)


def ids_in_order(stage):
    return list(Opportunity.objects.filter(stage=stage).order_by("rank", "pk").values_list("pk", flat=True))


def test_eight_people_moving_cards_into_the_same_gap_lose_none(stage):
    upper, lower = make_card(), make_card()
    waiting = [make_card(stage_id=StageFactory().pk) for _ in range(8)]
    people = [UserFactory() for _ in range(8)]

    def put(card, person):
        return lambda: pipeline.move(
            opportunity_id=card.pk,
            stage_id=stage.pk,
            after_id=upper.pk,
            before_id=lower.pk,
            version=card.version,
            actor=person,
            now=NOW,
        )

    results = meet([put(card, person) for card, person in zip(waiting, people, strict=True)], hold=lock_stage(stage))

    assert not [result for result in results if isinstance(result, Exception)]
    found = ids_in_order(stage)
    assert (found[0], found[-1]) == (upper.pk, lower.pk)
    assert sorted(found[1:-1]) == [card.pk for card in waiting]
    assert len(set(Opportunity.objects.values_list("rank", flat=True))) == 10
    for card in waiting:
        assert Event.objects.filter(opportunity=card, kind="moved").count() == 1


@pytest.mark.parametrize("verb", ["create", "duplicate"])
def test_a_card_made_while_its_stage_is_deleted_ends_in_words(stage, verb):
    original, ann = make_card(stage_id=None), UserFactory()
    acts = {
        "create": lambda: pipeline.create(title="New", stage_id=stage.pk, actor=ann, now=NOW),
        "duplicate": lambda: pipeline.duplicate(opportunity_id=original.pk, actor=ann, now=NOW),
    }

    def delete():
        lock_stage(stage)()
        OpportunityStage.objects.filter(pk=stage.pk).delete()

    (result,) = meet([acts[verb]], hold=delete)

    assert isinstance(result, Stale)
    assert "was deleted just now" in str(result)
    assert Opportunity.objects.count() == 1


def test_deleting_a_stage_waits_for_the_card_that_is_being_made_in_it(stage):
    ann, answers = UserFactory(role="admin"), []

    def delete() -> None:
        try:
            stages.delete(stage_id=stage.pk, actor=ann, now=NOW)
        except Exception as error:
            answers.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=delete)
    with transaction.atomic():
        pipeline.create(title="New", stage_id=stage.pk, actor=ann, now=NOW)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(PATIENCE)

    assert answers[0].codes == ("REPLACEMENT_NEEDED",)


def test_a_used_up_gap_is_widened_while_others_wait_for_it(stage):
    upper, lower = make_card(), make_card()
    Opportunity.objects.filter(pk=lower.pk).update(rank=upper.rank + 1)
    waiting = [make_card(stage_id=StageFactory().pk) for _ in range(6)]

    def put(card):
        return lambda: pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, after_id=upper.pk, actor=None, now=NOW)

    results = meet([put(card) for card in waiting], hold=lock_stage(stage))

    assert not [result for result in results if isinstance(result, Exception)]
    found = ids_in_order(stage)
    assert (found[0], found[-1]) == (upper.pk, lower.pk)
    assert sorted(found[1:-1]) == [card.pk for card in waiting]


def test_drops_into_columns_with_a_limit_widen_a_used_up_gap_while_others_do_the_same():
    ann, targets, elsewhere = UserFactory(is_superuser=True), [StageFactory() for _ in range(3)], StageFactory()
    board = BoardFactory(stages=targets)
    Board.objects.update(wip_binding=True)
    Column.objects.update(wip_max=50)
    ends = {stage.pk: (make_card(stage_id=stage.pk), make_card(stage_id=stage.pk)) for stage in targets}
    for rank, card in enumerate((card for pair in ends.values() for card in pair), start=10):
        Opportunity.objects.filter(pk=card.pk).update(rank=rank)

    def drop(stage):
        card, column = make_card(stage_id=elsewhere.pk), board.columns.get(name=stage.name)
        after = ends[stage.pk][0]
        return lambda: moves.drop(board.pk, card.pk, column.pk, after_id=after.pk, actor=ann, now=NOW)

    locked = OpportunityStage.objects.select_for_update().order_by("pk")
    results = meet([drop(stage) for stage in [*targets, *targets]], hold=lambda: list(locked))

    assert not [result for result in results if isinstance(result, Exception)]
    for stage in targets:
        found = ids_in_order(stage)
        assert (found[0], found[-1], len(found)) == (ends[stage.pk][0].pk, ends[stage.pk][1].pk, 4)


def test_two_moves_of_one_card_from_the_same_page_leave_one_winner(stage):
    card, other = make_card(), StageFactory()
    third = StageFactory()

    def put(target):
        return lambda: pipeline.move(
            opportunity_id=card.pk, stage_id=target.pk, version=card.version, actor=None, now=NOW
        )

    results = meet([put(other), put(third)], hold=lock_card(card))

    assert [type(result) for result in results].count(Stale) == 1
    moved = next(result for result in results if isinstance(result, Opportunity))
    assert Opportunity.objects.get(pk=card.pk).stage_id == moved.stage_id
    assert Event.objects.filter(opportunity=card, kind="moved").count() == 1


def test_an_edit_and_a_move_of_one_card_both_stand(stage):
    card, other = make_card(), StageFactory()

    results = meet(
        [
            lambda: pipeline.edit(opportunity_id=card.pk, title="New", version=1, actor=None, now=NOW),
            lambda: pipeline.move(opportunity_id=card.pk, stage_id=other.pk, version=1, actor=None, now=NOW),
        ],
        hold=lock_card(card),
    )

    assert not [result for result in results if isinstance(result, Exception)]
    card = Opportunity.objects.get(pk=card.pk)
    assert (card.title, card.stage, card.version) == ("New", other, 3)


def test_two_people_never_take_the_last_place_of_a_full_column(stage):
    other = StageFactory()
    board = BoardFactory(stages=[stage, other])
    Board.objects.update(wip_binding=True)
    column = board.columns.get(name=other.name)
    Column.objects.filter(pk=column.pk).update(wip_max=1)
    cards = [make_card(), make_card()]
    people = [UserFactory(), UserFactory()]

    def put(card, person):
        return lambda: moves.drop(board.pk, card.pk, column.pk, actor=person, now=NOW)

    results = meet([put(card, person) for card, person in zip(cards, people, strict=True)], hold=lock_stage(other))

    assert [type(result) for result in results].count(Refused) == 1
    assert Opportunity.objects.filter(stage=other).count() == 1


def test_two_sweeps_at_once_expire_each_card_once(stage):
    cards = [make_card(forecast_date=NOW.date()) for _ in range(20)]
    tomorrow = NOW + timedelta(days=1)
    start = threading.Barrier(2)
    reports = []

    def run() -> None:
        start.wait()
        reports.append(sweep.run(tomorrow))
        connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert sum(report.expired for report in reports) == len(cards)
    assert Event.objects.filter(kind="expired").count() == len(cards)


def test_the_sweep_passes_over_a_card_that_somebody_holds_and_settles_it_later(stage):
    held, free = make_card(forecast_date=NOW.date()), make_card(forecast_date=NOW.date())
    tomorrow = NOW + timedelta(days=1)
    taken, settled = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            lock_card(held)()
            taken.set()
            settled.wait(PATIENCE)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(PATIENCE)
    first = sweep.run(tomorrow)
    settled.set()
    thread.join(PATIENCE)
    second = sweep.run(tomorrow)

    assert (first.expired, second.expired) == (1, 1)
    assert Opportunity.objects.get(pk=free.pk).is_expired
    assert Opportunity.objects.get(pk=held.pk).is_expired


def test_two_workers_do_each_card_of_a_bulk_act_once(stage):
    manager = UserFactory(role="manager")
    cards = [make_card() for _ in range(bulk.AT_ONCE + 5)]
    act = bulk.start(verb="archive", arguments={}, opportunity_ids=[card.pk for card in cards], actor=manager, now=NOW)
    start = threading.Barrier(2)

    def run() -> None:
        start.wait()
        bulk.work_off(NOW)
        connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    bulk.work_off(NOW)

    act = BulkAct.objects.get(pk=act.pk)
    assert (act.state, act.changed, act.refused) == ("done", len(cards), [])
    assert Event.objects.filter(kind="archived").count() == len(cards)


def test_an_undo_while_the_stage_that_it_would_restore_is_deleted_is_told_so(stage):
    old = StageFactory()
    card = make_card(stage_id=old.pk)
    moved = pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, actor=None, now=NOW)

    def undo() -> Any:
        return pipeline.undo(event_id=moved.last_event_id, actor=None, now=NOW)

    results = meet([undo], hold=lambda: OpportunityStage.objects.filter(pk=old.pk).delete())

    assert isinstance(results[0], Stale)
    assert Opportunity.objects.get().stage == stage


def test_a_status_that_is_deleted_while_somebody_chooses_it_is_told_so(rows):
    row = OpportunityStatus.objects.create(name="On hold", sequence=9)
    card = make_card()

    def choose() -> Any:
        return pipeline.set_status(opportunity_id=card.pk, status_id=row.pk, actor=None, now=NOW)

    results = meet([choose], hold=lambda: OpportunityStatus.objects.filter(pk=row.pk).delete())

    assert isinstance(results[0], Stale)
    assert Opportunity.objects.get().status == rows["Default"]


def test_two_people_who_put_a_contact_on_one_card_both_succeed():
    customer = CustomerFactory()
    card = make_card(customer_ids=[customer.pk])
    contacts = [ContactFactory(customer=customer) for _each in range(2)]

    def put(contact: Contact) -> Callable[[], Any]:
        return lambda: pipeline.put_contact_on(opportunity_id=card.pk, contact_id=contact.pk, actor=None, now=NOW)

    results = meet([put(contact) for contact in contacts], hold=lock_card(card))

    assert not [result for result in results if isinstance(result, Exception)]
    assert sorted(Opportunity.objects.get().face["contacts"]) == sorted(contact.name for contact in contacts)


def test_one_sheet_sent_twice_at_once_is_one_bulk_act():
    manager = UserFactory(role="manager")
    card = make_card(forecast_date=NOW.date())
    token = uuid.uuid4()

    def send() -> Any:
        return bulk.start(
            verb="postpone", arguments={"weeks": 1}, opportunity_ids=[card.pk], token=token, actor=manager, now=NOW
        )

    results = meet([send, send], hold=lambda: BulkAct.objects.create(pk=token, actor=manager, created_at=NOW).delete())

    assert [result.pk for result in results] == [token, token]
    assert Opportunity.objects.get().forecast_date == NOW.date() + timedelta(weeks=1)
