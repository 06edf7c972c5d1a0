"""The live feed: which open board hears of what, what is never lost, and what nobody hears who may not see it."""

import asyncio
import json
import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from boards import changes, feed, live
from boards.live import Hub, Position, Reader, Watcher
from boards.models import Board
from opportunities import access, news, pipeline
from opportunities.models import BusinessSettings, Event, Opportunity
from tests.factories import NOW, BoardFactory, StageFactory, UserFactory, make_card, starter_rows

TODAY = NOW.date()
HTMX = {"HX-Request": "true"}


@pytest.fixture
def stages(db):
    return [StageFactory(name=name) for name in ("Lead", "Quoted", "Elsewhere")]


@pytest.fixture
def board(stages):
    return BoardFactory(stages=stages[:2])


@pytest.fixture
def mark(db):
    return UserFactory(first_name="Mark", last_name="Reyes", role="manager")


def only_own_cards():
    BusinessSettings.objects.update(salespeople_see=BusinessSettings.SalespeopleSee.OWN)


def person(user):
    """The person as a request loads them, with role and rights."""
    return access.RoleBackend().get_user(user.pk)


def move(card, stage, actor=None, after=None):
    return pipeline.move(opportunity_id=card.pk, stage_id=stage.pk, after_id=after, actor=actor, now=timezone.now())


def event(pk, card):
    """An event with a number of its own, as if its transaction had been given it long before."""
    Event.objects.bulk_create([Event(pk=pk, at=NOW, opportunity=card, kind="edited", by="Mark", version=card.version)])


def told(reader, at):
    return [notice.card for notice in reader.read(at)]


def heard(watcher, notices):
    """The numbers of the cards that the watcher would be sent."""
    watcher.hear(notices, live.stages_on([watcher.board_id])[watcher.board_id])
    return sorted(watcher.cards)


# Reading the history


class TestReading:
    @pytest.fixture
    def card(self, stages):
        return make_card(stage_id=stages[0].pk)

    @pytest.fixture
    def reader(self, card):
        reader = Reader()
        reader.start(0)
        return reader

    def test_what_was_there_before_is_not_told(self, reader):
        assert told(reader, 0) == []

    def test_every_change_is_told_once(self, reader, card, stages):
        move(card, stages[1])

        assert told(reader, 1) == [card.pk]
        assert told(reader, 2) == []

    def test_a_change_that_is_committed_after_a_later_one_is_told(self, reader, card):
        event(9002, card)
        assert told(reader, 1) == [card.pk]

        event(9001, card)

        assert told(reader, 9) == [card.pk]
        assert told(reader, 10) == []

    def test_what_was_numbered_before_the_first_reading_and_is_committed_after_it_is_told(self, card):
        event(9002, card)
        reader = Reader()
        reader.start(0)

        event(9001, card)

        assert told(reader, 1) == [card.pk]

    def test_numbers_that_are_known_for_long_are_not_looked_for_any_more(self, reader, card):
        event(9002, card)
        reader.read(1)
        event(9003, card)
        reader.read(11.5)

        assert reader.mark == 9002
        assert set(reader.seen) == {9003}

    def test_more_than_can_be_named_is_told_as_much(self, reader, card):
        Event.objects.bulk_create(
            Event(at=NOW, opportunity=card, kind="edited", by="Mark", version=1) for _ in range(live.MOST + 1)
        )

        assert reader.read(1) is None
        assert reader.read(2) == []

    def test_an_idle_reading_is_one_statement(self, reader, django_assert_num_queries):
        with django_assert_num_queries(1):
            reader.read(1)

    @pytest.mark.parametrize("cards", [1, 12])
    def test_a_reading_with_news_is_two(self, reader, stages, cards, django_assert_num_queries):
        for _ in range(cards):
            make_card(stage_id=stages[0].pk)

        with django_assert_num_queries(2):
            assert len(reader.read(1)) == cards


class TestCatchingUp:
    def test_a_page_hears_what_happened_since_it_was_made(self, stages):
        before, after = make_card(now=timezone.now() - timedelta(hours=1)), make_card(now=timezone.now())
        newest = Event.objects.get(opportunity=before).pk

        notices = live.since(Position(newest, int(timezone.now().timestamp())))

        assert [notice.card for notice in notices] == [after.pk]

    def test_it_hears_of_an_older_number_that_was_on_its_way(self, stages):
        late, last = make_card(now=timezone.now()), make_card(now=timezone.now())
        newest = Event.objects.get(opportunity=last).pk

        notices = live.since(Position(newest, int(timezone.now().timestamp())))

        assert late.pk in {notice.card for notice in notices}

    def test_one_that_was_away_for_long_hears_only_that_much_has_changed(self, stages, monkeypatch):
        monkeypatch.setattr(live, "MOST", 2)
        for _ in range(3):
            make_card()

        assert live.since(Position(0, 0)) is None

    @pytest.mark.parametrize("text", ["", "12", "x.y", "-1.5", "1.2.3", "1" * 30 + ".1"])
    def test_a_position_that_nobody_wrote_is_none(self, text):
        assert Position.read(text) is None

    def test_a_position_reads_what_it_writes(self):
        assert Position.read(str(Position(12, 345))) == Position(12, 345)


# Who hears of it


class TestHearing:
    def notices(self, reader=None, since=0):
        return live.since(Position(since, 9_999_999_999))

    def after_now(self):
        return Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    def test_a_board_hears_of_cards_in_its_columns_and_not_of_others(self, board, stages, mark):
        here, there = make_card(stage_id=stages[0].pk), make_card(stage_id=stages[2].pk)

        assert heard(Watcher(board.pk, person(mark), "s"), self.notices()) == [here.pk]
        assert there.pk not in heard(Watcher(board.pk, person(mark), "s"), self.notices())

    def test_the_board_that_a_card_leaves_hears_of_it_too(self, board, stages, mark):
        card = make_card(stage_id=stages[0].pk)
        before = self.after_now()
        move(card, stages[2])

        assert heard(Watcher(board.pk, person(mark), "s"), self.notices(since=before)) == [card.pk]

    def test_a_page_with_a_tray_hears_of_cards_in_no_column(self, board, stages, mark):
        card = make_card(stage_id=None)

        assert heard(Watcher(board.pk, person(mark), "s", tray=True), self.notices()) == [card.pk]
        assert heard(Watcher(board.pk, person(mark), "s"), self.notices()) == []

    def test_who_sees_only_their_own_cards_hears_only_of_them(self, board, stages):
        starter_rows()
        only_own_cards()
        sam, jo = UserFactory(), UserFactory()
        own = make_card(stage_id=stages[0].pk, salesperson_id=sam.pk)
        make_card(stage_id=stages[0].pk, salesperson_id=jo.pk)
        make_card(stage_id=stages[0].pk, salesperson_id=None)

        assert heard(Watcher(board.pk, person(sam), "s"), self.notices()) == [own.pk]

    def test_they_hear_once_more_when_a_card_is_given_to_somebody_else(self, board, stages, mark):
        starter_rows()
        only_own_cards()
        sam, jo = UserFactory(), UserFactory()
        card = make_card(stage_id=stages[0].pk, salesperson_id=sam.pk)
        before = self.after_now()
        pipeline.edit(opportunity_id=card.pk, salesperson_id=jo.pk, actor=mark, now=NOW)

        assert heard(Watcher(board.pk, person(sam), "s"), self.notices(since=before)) == [card.pk]

        before = self.after_now()
        pipeline.edit(opportunity_id=card.pk, title="Sold", actor=mark, now=NOW)

        assert heard(Watcher(board.pk, person(sam), "s"), self.notices(since=before)) == []

    def test_the_stream_carries_numbers_and_versions_only(self, board, stages, mark):
        card = make_card(stage_id=stages[0].pk, title="Secret", amount=1200)
        watcher = Watcher(board.pk, person(mark), "s", position=Position(7, 8))
        heard(watcher, self.notices())

        sent = watcher.take()

        assert sent == f'id: 7.8\ndata: {{"cards": {{"{card.pk}": {card.version}}}}}\n\n'

    def test_what_a_slow_line_has_not_taken_yet_is_one_message(self, board, stages, mark):
        card = make_card(stage_id=stages[0].pk)
        move(card, stages[1])
        watcher = Watcher(board.pk, person(mark), "s")
        heard(watcher, self.notices())

        version = Opportunity.objects.get(pk=card.pk).version
        assert json.loads(watcher.take().split("data: ")[1]) == {"cards": {str(card.pk): version}}
        assert json.loads(watcher.take().split("data: ")[1]) == {"cards": {}}


class TestWelcome:
    @pytest.fixture
    def sam(self, board):
        starter_rows()
        return UserFactory()

    @pytest.fixture
    def names(self, sam, board):
        client = Client()
        client.force_login(sam, backend="opportunities.access.RoleBackend")
        return client.session.session_key, sam.pk, board.pk

    def left(self, names):
        return live.welcome([names], timezone.now())

    def test_who_is_logged_in_stays(self, names, sam):
        assert self.left(names) == {names: sam}

    def test_who_logged_out_is_let_go(self, names):
        Session.objects.all().delete()
        assert self.left(names) == {}

    def test_whose_session_ended_is_let_go(self, names):
        assert live.welcome([names], timezone.now() + timedelta(days=15)) == {}

    def test_who_was_deactivated_is_let_go(self, names, sam):
        sam.is_active = False
        sam.save()
        assert self.left(names) == {}

    def test_who_has_no_role_any_more_is_let_go(self, names, sam):
        sam.groups.clear()
        assert self.left(names) == {}

    def test_a_changed_password_ends_the_sessions_begun_with_the_old_one(self, names, sam):
        sam.set_password("another one")
        sam.save()
        assert self.left(names) == {}

    def test_a_board_that_became_somebody_elses_is_let_go(self, names, board):
        Board.objects.filter(pk=board.pk).update(is_default=False, owner=UserFactory())
        assert self.left(names) == {}


# The hub


async def hears(watcher, seconds=20.0):
    await asyncio.wait_for(watcher.wake.wait(), seconds)
    return json.loads(watcher.take().split("data: ")[1])


def in_thread(act, *arguments):
    """Act as another request would: in a thread of its own."""

    def acting():
        try:
            return act(*arguments)
        finally:
            connection.close()

    return asyncio.to_thread(acting)


@pytest.mark.django_db(transaction=True)
class TestHub:
    @pytest.fixture
    def watcher(self, board, mark):
        client = Client()
        client.force_login(mark, backend="opportunities.access.RoleBackend")
        return Watcher(board.pk, person(mark), client.session.session_key, since=Position(0, 0))

    def test_a_board_hears_of_a_move_at_once_and_is_caught_up_first(self, watcher, stages, monkeypatch):
        monkeypatch.setattr(live, "POLL", 600.0)  # what is heard was told, and not found by looking
        card = make_card(stage_id=stages[0].pk)

        async def story():
            hub = Hub()
            await hub.join(watcher)
            first = await hears(watcher)
            await asyncio.sleep(0.2)
            await in_thread(move, card, stages[1])
            second = await hears(watcher)
            hub.leave(watcher)
            await hub._task
            return first, second

        first, second = asyncio.run(story())
        assert first == {"cards": {str(card.pk): 1}}
        assert second == {"cards": {str(card.pk): 2}}
        assert news._listeners == set()

    def test_a_board_that_comes_later_is_caught_up_by_its_own_position(self, watcher, stages, board, mark):
        make_card(stage_id=stages[0].pk)

        async def story():
            hub = Hub()
            await hub.join(watcher)
            await hears(watcher)
            newest = watcher.position
            later = Watcher(board.pk, person_now, "s", since=Position(newest.event, newest.moment + 60))
            await hub.join(later)
            told = await hears(later)
            for each in (watcher, later):
                hub.leave(each)
            await hub._task
            return told

        person_now = person(mark)
        assert asyncio.run(story()) == {"cards": {}}

    @pytest.mark.parametrize("change", ["logged out", "deactivated", "lost their role", "lost the board"])
    def test_a_stream_ends_soon_after_its_person_may_not_hear_it_any_more(self, watcher, mark, monkeypatch, change):
        monkeypatch.setattr(live, "RECHECK", 0.2)
        changes = {
            "logged out": Session.objects.all().delete,
            "deactivated": lambda: User.objects.filter(pk=mark.pk).update(is_active=False),
            "lost their role": mark.groups.clear,
            "lost the board": lambda: Board.objects.update(is_default=False, owner=UserFactory()),
        }

        async def story():
            hub = Hub()
            await hub.join(watcher)
            await hears(watcher)
            await in_thread(changes[change])
            await asyncio.wait_for(watcher.wake.wait(), 3)
            hub.leave(watcher)
            await hub._task

        asyncio.run(story())
        assert watcher.ended

    def test_a_person_with_too_many_open_boards_is_told_once_what_each_further_one_missed(
        self, watcher, stages, board, mark, monkeypatch
    ):
        monkeypatch.setattr(live, "MOST_OF_ONE", 2)
        card = make_card(stage_id=stages[0].pk)
        others = [Watcher(board.pk, watcher.user, watcher.session, since=Position(0, 0)) for _ in range(3)]
        somebody = Watcher(board.pk, person(UserFactory()), "s", since=Position(0, 0))

        async def story():
            hub = Hub()
            for each in (watcher, others[0], others[1], somebody):
                await hub.join(each)
            held = set(hub.watchers)
            hub.leave(watcher)
            await hub.join(others[2])
            for each in (others[0], others[2], somebody):
                hub.leave(each)
            await hub._task
            return held

        assert asyncio.run(story()) == {watcher, others[0], somebody}, "those that were there first stay"
        assert [each.brief for each in (watcher, *others, somebody)] == [False, False, True, False, False]
        assert others[1].take().startswith(f'retry: 60000\nid: {others[1].position}\ndata: {{"cards": {{"{card.pk}"')
        assert others[2].take().startswith("id: "), "a place became free"

    def test_the_stream_of_such_a_board_ends_after_that(self, watcher, monkeypatch):
        monkeypatch.setattr(live, "MOST_OF_ONE", 0)
        monkeypatch.setattr(feed, "hub", Hub())
        monkeypatch.setattr(feed, "_knows_the_end", True)
        sent = []

        async def send(message):
            sent.append(message.get("body"))

        async def story():
            stays = asyncio.Event()
            await asyncio.wait_for(feed.stream({"headers": []}, watcher, stays.wait, send), 10)

        asyncio.run(story())
        assert len(sent) == 3
        assert b"retry: 60000" in sent[1]
        assert sent[2] == b""

    @pytest.mark.postgres
    def test_a_slow_transaction_with_a_lower_number_is_heard_of(self, watcher, stages):
        slow, quick = make_card(stage_id=stages[0].pk), make_card(stage_id=stages[0].pk)
        moved, go_on = threading.Event(), threading.Event()

        def slowly():
            with transaction.atomic():
                move(slow, stages[0], after=quick.pk)
                moved.set()
                go_on.wait(10)

        def edit():
            pipeline.edit(opportunity_id=quick.pk, title="Quick", actor=None, now=timezone.now())

        async def story():
            hub = Hub()
            await hub.join(watcher)
            await hears(watcher)
            task = asyncio.create_task(in_thread(slowly))
            await asyncio.to_thread(moved.wait, 10)
            await in_thread(edit)
            first = await hears(watcher)
            go_on.set()
            await task
            second = await hears(watcher)
            hub.leave(watcher)
            await hub._task
            return first, second

        first, second = asyncio.run(story())
        assert (list(first["cards"]), list(second["cards"])) == ([str(quick.pk)], [str(slow.pk)])
        events = list(Event.objects.order_by("-pk").values_list("opportunity_id", flat=True)[:2])
        assert events == [quick.pk, slow.pk]


def test_news_is_spread_after_the_commit_and_never_after_a_rollback(stages, django_capture_on_commit_callbacks):
    rung = []
    forget = news.listen(lambda: rung.append(1))
    try:
        with django_capture_on_commit_callbacks(execute=True):
            make_card(stage_id=stages[0].pk)
            assert rung == []
        assert rung
        rung.clear()
        with (
            django_capture_on_commit_callbacks(execute=True),
            pytest.raises(ZeroDivisionError),
            transaction.atomic(),
        ):
            make_card(stage_id=stages[0].pk)
            raise ZeroDivisionError
        assert rung == []
    finally:
        forget()


# What an open board asks for


class TestChanges:
    @pytest.fixture
    def client(self, mark):
        starter_rows()
        client = Client()
        client.force_login(mark, backend="opportunities.access.RoleBackend")
        return client

    def ask(self, board, user, *cards, query=""):
        return changes.changes(board.pk, [card.pk for card in cards], user=person(user), query=query, today=TODAY)

    def test_a_change_says_where_the_card_stands_and_who_did_it(self, board, stages, mark):
        first, second, card = (make_card(stage_id=stages[0].pk) for _ in range(3))
        move(first, stages[1], mark)
        move(card, stages[1], UserFactory(first_name="Jo", last_name="Stone"), after=first.pk)

        (change,) = self.ask(board, mark, card)

        assert (change.pk, change.after, change.face.stage_id) == (card.pk, first.pk, stages[1].pk)
        assert change.said == "Moved by Jo Stone"
        assert change.sentence == f"Jo Stone moved “{card.title}” to Quoted."
        assert self.ask(board, mark, second)[0].after is None

    def test_what_the_person_did_is_not_told_to_them(self, board, stages, mark):
        card = make_card(stage_id=stages[0].pk)
        move(card, stages[1], mark)

        assert self.ask(board, mark, card)[0].said == ""

    def test_in_a_column_of_several_stages_the_place_counts_over_all(self, board, stages, mark):
        cards = [make_card(stage_id=stages[place].pk) for place in (0, 1, 0, 1)]
        quoted = board.columns.get(mapped__stage=stages[1])
        quoted.mapped.update(column=board.columns.get(mapped__stage=stages[0]))

        found = self.ask(board, mark, *cards)

        assert [change.after for change in found] == [None, *(card.pk for card in cards[:3])]

    def test_cards_that_the_filter_hides_come_without_a_face(self, board, stages, mark):
        card = make_card(stage_id=stages[0].pk, title="Boiler", actor=UserFactory())

        (change,) = self.ask(board, mark, card, query="q=furnace")

        assert (change.face, change.after) == (None, None)
        assert change.said.startswith("Added by")

    def test_cards_that_the_person_may_not_see_are_left_out(self, board, stages):
        starter_rows()
        only_own_cards()
        sam = UserFactory()
        secret, own = make_card(stage_id=stages[0].pk), make_card(stage_id=stages[0].pk, salesperson_id=sam.pk)

        found = self.ask(board, sam, secret, own)

        assert [change.pk for change in found] == [own.pk]
        assert found[0].after is None

    def test_the_fragment_holds_the_cards_and_their_places(self, client, board, stages):
        above, card = make_card(stage_id=stages[0].pk), make_card(stage_id=stages[0].pk, title="<b>")

        response = client.get(f"/boards/{board.pk}/changes/?ids={card.pk},9999,x", headers=HTMX)

        assert f'data-change="{card.pk}" data-after="{above.pk}"' in response.text
        assert f'id="card-{card.pk}"' in response.text
        assert "<b>" not in response.text
        assert "9999" not in response.text

    @pytest.mark.parametrize("ids", ["", "0", "-1", "9" * 19, "9" * 40, "1,,2", "²", "1;2"])
    def test_numbers_that_are_none_are_passed_over(self, client, board, ids):
        assert client.get(f"/boards/{board.pk}/changes/", {"ids": ids}, headers=HTMX).status_code == 200

    @pytest.mark.parametrize("cards", [1, 25])
    def test_it_takes_the_same_statements_for_one_card_and_for_many(
        self, client, board, stages, cards, django_assert_max_num_queries
    ):
        made = [make_card(stage_id=stages[place % 2].pk) for place in range(cards)]
        ids = ",".join(str(card.pk) for card in made)

        client.get("/help/")  # the first request of a day settles what is due

        with django_assert_max_num_queries(12):
            client.get(f"/boards/{board.pk}/changes/?ids={ids}", headers=HTMX)

    def test_the_page_says_how_far_it_has_heard(self, client, board, stages):
        card = make_card(stage_id=stages[0].pk)

        text = client.get(f"/boards/{board.pk}/").text

        assert f'data-position="{Event.objects.get(opportunity=card).pk}.' in text

    def test_where_the_server_cannot_stream_it_says_so(self, client, board):
        response = client.get(f"/boards/{board.pk}/events/")

        assert (response.status_code, response.headers["Cache-Control"]) == (204, "no-store")
