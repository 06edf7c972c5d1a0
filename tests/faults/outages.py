"""The faults, each by its name in the business's words: what is done, and what must be true afterwards."""

import random
import re
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests import mail_server
from tests.bench.client import Client, Unexpected, log_in
from tests.faults.ground import FIRST_CARD, PASSWORD, PEOPLE, Finding, Ground

CLOCK = """
import json
from datetime import datetime, timedelta, UTC
from opportunities import pipeline
from opportunities.models import BusinessSettings
from tests.faults import clock

wrong, nights, cards = [], 0, 0
for zone, days in clock.NIGHTS.items():
    for day in days:
        # A new life for each night: cards that are made now know no later day.
        BusinessSettings.objects.update(time_zone=zone, swept_until=None)
        early = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=30)
        made = {
            forecast: pipeline.create(title=f"{zone} {forecast}", forecast_date=forecast, actor=None, now=early).pk
            for forecast in clock.days_around(day)
        }
        wrong += clock.watch(zone, day, made)
        nights, cards = nights + 1, cards + len(made)
print(json.dumps([wrong, nights, cards]))
"""

PAUSE = 50
"""How many seconds a mail server that cannot be reached is left alone (`outbox.PAUSE`)."""

MAILS = """
import json, sys
from django.utils import timezone
from opportunities import outbox

count, now = json.loads(sys.argv[1])[0], timezone.now()
for number in range(count):
    outbox.queue(
        kind="cancel", to=["ada@customer.test"], subject=f"Mail {number}", body="Dear Ada", actor=None, now=now
    )
"""


def the_nights_when_the_clocks_change(ground: Ground) -> Finding:
    """Sweep every half hour over both daylight-saving jumps of five time zones, and over a day that never was."""
    wrong, nights, cards = ground.script(CLOCK)
    return Finding(
        "The nights when the clocks change",
        f"swept every half hour through {nights} nights of five time zones, {cards} cards with dates around them",
        "each card expired in the first sweep of its next local day, once",
        wrong,
    )


def the_worker_is_killed_in_the_middle_of_the_sweep(ground: Ground, due: int) -> Finding:
    """Kill -9 a Celery worker that settles cards, and start another."""
    ground.make_cards(due)
    ground.make_due(due)
    ground.redis()
    worker = ground.worker()
    ground.beat()
    ground.wait_for(lambda: ground.expired() > due // 4, "a quarter of the cards")
    worker.kill()
    time.sleep(1)
    settled = ground.expired()
    wrong = [] if settled < due else ["the worker was killed too late"]
    ground.worker()
    took = ground.wait_for(lambda: ground.expired() >= due, "the rest of the cards")
    return Finding(
        "The worker is killed in the middle of the sweep",
        f"{due:,} cards due; kill -9 of the worker and its children after {settled:,}; another one started",
        f"all {due:,} settled, one entry of history each; the rest took {took:.0f} s",
        wrong + ground.wrongly_settled(due),
    )


def mails_while_the_mail_server_is_away(ground: Ground, mails: int) -> Finding:
    """Stop the mail server when a part of the queue is sent, and start it later."""
    handler, port = mail_server.Unruly(), mail_server.free_port()
    ground.env["EMAIL_URL"] = f"smtp://127.0.0.1:{port}?timeout=5"
    ground.redis()
    with ExitStack() as first:
        first.enter_context(mail_server.running(handler, port))
        ground.script(MAILS, mails)
        ground.worker()
        ground.beat()
        ground.wait_for(lambda: len(handler.taken) > mails // 2, "half of the mails")
    before, began = len(handler.taken), time.monotonic()
    tried = "SELECT coalesce(sum(attempts), 0) FROM opportunities_outgoingemail WHERE state IN ('queued', 'sending')"
    ground.wait_for(lambda: ground.number(tried) >= 1, "a try that fails")
    ground.script(MAILS, more := max(20, mails // 10))  # each of which causes a run of its own
    time.sleep(60)
    away, tries = time.monotonic() - began, ground.number(tried)
    left = "SELECT count(*) FROM opportunities_outgoingemail WHERE state IN ('queued', 'sending')"
    with mail_server.running(handler, port):
        took = ground.wait_for(lambda: not ground.number(left), "the rest of the mails", seconds=400)
    states = dict(ground.sql("SELECT state, count(*) FROM opportunities_outgoingemail GROUP BY 1"))
    known = dict(ground.sql("SELECT message_id, state FROM opportunities_outgoingemail"))
    arrived = [str(mail["Message-ID"]) for mail in handler.taken]
    lost = [key for key, state in known.items() if key not in set(arrived) and state != "unsure"]
    wrong = [f"{len(arrived) - len(set(arrived))} mails arrived twice"] if len(arrived) > len(set(arrived)) else []
    wrong += [f"{len(lost)} mails are lost"] if lost else []
    # Each of the two senders may find it out by itself; then it is one a pause.
    wrong += [f"{tries} tries were wasted"] if tries > 3 + away / PAUSE else []
    wrong += [f"states: {states}"] if set(states) - {"sent", "unsure"} or states.get("unsure", 0) > 2 else []
    unsure = states.get("unsure", 0)
    return Finding(
        "Mails while the mail server is away",
        f"{mails:,} mails queued, two senders; the server stopped after {before:,}, for {away:.0f} s; "
        f"{more:,} more queued meanwhile",
        f"{tries} tries failed meanwhile; {len(set(arrived)):,} arrived, each once; "
        f"{unsure} cut off in the middle of the line (shown as “perhaps sent”); done {took:.0f} s after its return",
        wrong,
    )


def two_beats_at_once(ground: Ground, due: int, mails: int) -> Finding:
    """Run two beats and two workers, which everybody is told not to do: each job is asked for twice."""
    handler, port = mail_server.Unruly(), mail_server.free_port()
    ground.env["EMAIL_URL"] = f"smtp://127.0.0.1:{port}?timeout=5"
    ground.make_cards(due)
    ground.make_due(due)
    ground.redis()
    with mail_server.running(handler, port):
        ground.script(MAILS, mails)
        # Both are on their feet before anything is asked for.
        workers = [ground.worker(), ground.worker()]
        beats = [ground.beat(), ground.beat()]
        sent = "SELECT count(*) FROM opportunities_outgoingemail WHERE state = 'sent'"
        ground.wait_for(lambda: ground.expired() >= due and ground.number(sent) >= mails, "cards and mails")
        runs = [b"Sending due task" in each.log.read_bytes() for each in beats]
        time.sleep(9)  # two ticks more of each
        asked = sum(each.log.read_bytes().count(b"Sending due task") for each in beats)
        worked = sum(each.log.read_bytes().count(b"job done") for each in workers)
    arrived = [str(mail["Message-ID"]) for mail in handler.taken]
    wrong = [] if len(arrived) == len(set(arrived)) == mails else [f"{len(arrived)} of {mails} mails arrived"]
    wrong += [] if all(runs) else ["one of the beats did not run"]
    return Finding(
        "Two beats at once",
        f"two beats, two workers of two processes; {due:,} cards due, {mails:,} mails queued; jobs asked for "
        f"{asked} times",
        f"{due:,} cards settled once, {len(set(arrived)):,} mails arrived once"
        + (f"; {worked} runs of jobs" if worked else ""),
        wrong + ground.wrongly_settled(due),
    )


# People who go on working


LOOKED = "looked again"


@dataclass
class Card:
    """What its owner knows of a card: the version answered last, and every version that was ever answered."""

    pk: int
    version: int
    column: int = -1
    answered: list[int] = field(default_factory=list)
    unknown: int = 0


class Team:
    """Some people, each in a thread, who move their own cards from column to column until they are told to stop."""

    def __init__(self, ground: Ground, port: int, cards: int) -> None:
        self.ground = ground
        ((self.board,),) = ground.sql("SELECT id FROM boards_board WHERE is_default")
        self.columns = [row[0] for row in ground.sql("SELECT id FROM boards_column ORDER BY sequence, id")]
        rows = ground.sql(
            "SELECT o.id, o.version FROM opportunities_opportunity o WHERE o.id >= %s ORDER BY 1 LIMIT %s",
            (FIRST_CARD, cards),
        )
        self.cards = [Card(*row) for row in rows]
        self.begun_with = {card.pk: card.version for card in self.cards}
        self.clients = [log_in(port, f"seller{number}", PASSWORD) for number in range(PEOPLE)]
        self.stopping = threading.Event()
        self.times: list[tuple[float, float]] = []
        self.refused: dict[str, int] = {}
        self.threads = [threading.Thread(target=self._work, args=(place,)) for place in range(len(self.clients))]

    def __enter__(self) -> "Team":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def answered_since(self, moment: float) -> int:
        """How many moves were acknowledged since then."""
        return sum(at >= moment for at, _ in list(self.times))

    def slowest(self, start: float, end: float) -> float:
        """How many seconds the slowest acknowledged move of that time took."""
        return max((took for at, took in self.times if start <= at <= end), default=0.0)

    def _work(self, place: int) -> None:
        chance, client = random.Random(place), self.clients[place]
        own = self.cards[place :: len(self.clients)]
        while not self.stopping.is_set():
            card = chance.choice(own)
            began = time.monotonic()
            word = self._move(client, card, chance.choice(self.columns))
            if word:
                if word != LOOKED:
                    self.refused[word] = self.refused.get(word, 0) + 1
                client.close()
                time.sleep(0.1)
            else:
                self.times.append((time.monotonic(), time.monotonic() - began))

    def _move(self, client: Client, card: Card, column: int) -> str:
        page = f"/boards/{self.board}/"
        if card.unknown:
            return self._look(client, card, page)
        values: dict[str, object] = {"column": column, "to": "top", "version": card.version}
        try:
            answer = client.post(f"{page}cards/{card.pk}/move/", values, **client.htmx(page))
        except (OSError, Unexpected):
            card.unknown += 1
            return "line lost"
        if answer.status != 200:
            card.unknown += 1
            return f"{answer.status}"
        shown = re.search(rf'id="card-{card.pk}"[^>]*?data-version="(\d+)"', answer.text)
        if shown is None:
            return "answer without the card"
        card.version, card.column = int(shown[1]), column
        card.answered.append(card.version)
        return ""

    def _look(self, client: Client, card: Card, page: str) -> str:
        """After a move of which nobody knows what became: ask the database, as a person would load the page again."""
        try:
            answer = client.get(page)
            if answer.status == 200:
                found = self.ground.number("SELECT version FROM opportunities_opportunity WHERE id = %s", (card.pk,))
                card.version, card.unknown = found, 0
        except Exception:
            return LOOKED
        return LOOKED

    def lost(self) -> list[str]:
        """Compare the history with what was answered: every acknowledged move is there, and none by halves."""
        rows = self.ground.sql(
            "SELECT o.id, o.version, array_agg(e.version ORDER BY e.id) FROM opportunities_opportunity o "
            "JOIN opportunities_event e ON e.opportunity_id = o.id WHERE o.id = ANY(%s) GROUP BY 1, 2",
            ([card.pk for card in self.cards],),
        )
        stored = {pk: (version, versions) for pk, version, versions in rows}
        wrong = []
        for card in self.cards:
            version, versions = stored[card.pk]
            missing = set(card.answered) - set(versions)
            if missing:
                wrong.append(f"OPP-{card.pk}: acknowledged moves {sorted(missing)} are not in the history")
            if versions != list(range(self.begun_with[card.pk], version + 1)):
                wrong.append(f"OPP-{card.pk}: version {version}, but its history has {versions}")
        return wrong[:5]


def redis_is_away_for_a_while(ground: Ground, due: int, seconds: float) -> Finding:
    """Kill Redis under people who move cards, and start it again; then cards fall due."""
    ground.make_cards(due + 200)
    redis = ground.redis()
    port = ground.web()
    ground.worker()
    ground.beat()
    team = Team(ground, port, due + 200)
    team.cards = team.cards[due:]  # those that do not fall due
    with team:
        ground.wait_for(lambda: len(team.times) > 30, "moves")
        usual = team.slowest(0, time.monotonic())
        redis.kill()
        went = time.monotonic()
        ground.make_due(due)
        time.sleep(seconds)
        came, during = time.monotonic(), team.answered_since(went)
        slowest = team.slowest(went, came)
        ground.redis()
        took = ground.wait_for(lambda: ground.expired() >= due, "the sweep after Redis is back")
        after = team.answered_since(came)
    wrong = [f"moves were not answered: {team.refused}"] if team.refused else []
    wrong += [] if during else ["nobody could move a card while Redis was away"]
    return Finding(
        "Redis is away for a while",
        f"kill -9 of Redis for {came - went:.0f} s under four people who move cards; {due:,} cards fall due meanwhile",
        f"{during:,} moves answered meanwhile, {after:,} afterwards; slowest {slowest:.1f} s "
        f"(before: {usual:.1f} s); jobs resumed, all due settled {took:.0f} s after its return",
        wrong + team.lost() + ground.wrongly_settled(due),
    )


def postgresql_crashes_under_load(ground: Ground, times: int) -> Finding:
    """Restart PostgreSQL in immediate mode, as after a crash, under people who move cards."""
    ground.make_cards(400)
    port = ground.web()
    team, back = Team(ground, port, 400), []
    with team:
        ground.wait_for(lambda: len(team.times) > 50, "moves")
        for _ in range(times):
            assert ground.cluster is not None
            ground.cluster.restart_at_once()
            began = time.monotonic()
            ground.wait_for(lambda: team.answered_since(began) > 0, "the first move after the restart")  # noqa: B023
            back.append(time.monotonic() - began)
            ground.wait_for(lambda: team.answered_since(began) > 50, "moves after the restart")  # noqa: B023
    words = ", ".join(f"{count} times {word}" for word, count in sorted(team.refused.items()))
    return Finding(
        "PostgreSQL crashes under load",
        f"restarted {times} times in immediate mode under four people who move cards; the web server went on",
        f"{len(team.times):,} moves acknowledged, all in the history, none by halves; first move "
        f"{max(back):.1f} s after PostgreSQL was back at the latest; not acknowledged: {words or 'none'}",
        team.lost(),
    )
