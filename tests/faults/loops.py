"""The faults of the form without Celery: processes with the job loop, killed while they sweep and send."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests import mail_server
from tests.faults.ground import Finding, Ground, Process, base
from tests.faults.outages import MAILS

SLOWNESS = 0.05
"""How many seconds the mail server takes for each mail, so that there is a middle to be killed in."""

# What is being sent was begun sixteen minutes ago: its worker counts as lost.
LOST_WORKERS = """
from datetime import timedelta
from django.db.models import F
from opportunities.models import OutgoingEmail
OutgoingEmail.objects.filter(state="sending").update(claimed_at=F("claimed_at") - timedelta(minutes=16))
"""

SENDING = "SELECT count(*) FROM opportunities_outgoingemail WHERE state = 'sending'"
LEFT = "SELECT count(*) FROM opportunities_outgoingemail WHERE state IN ('queued', 'sending')"
AT_A_CARD = """
SELECT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'loop%%' AND xact_start IS NOT NULL
  AND query LIKE '%%opportunities_opportunity%%' LIMIT 1
"""


class Slow(mail_server.Unruly):
    """A mail server that takes its time for each mail."""

    def __init__(self) -> None:
        super().__init__()
        self.at_mail = lambda: time.sleep(SLOWNESS)


def loops_are_killed(ground: Ground, due: int, mails: int) -> Finding:
    """Run three job loops at once; kill -9 one that holds a card, stop another one, start a new one in its place."""
    handler = with_a_mail_server(ground)
    ground.make_cards(due)
    ground.make_due(due)
    ground.script(MAILS, mails)
    loops = {name: a_loop(ground, name) for name in ("loop1", "loop2", "loop3")}
    ground.wait_for(lambda: ground.expired() > due // 4 and handler.taken, "a quarter of the cards, and mails")
    at_it: list[str] = []

    def holds_a_card() -> bool:
        at_it[:] = [row[0] for row in ground.sql(AT_A_CARD)]
        return bool(at_it)

    ground.wait_for(holds_a_card, "a loop that holds a card", seconds=60, pause=0.002)
    loops.pop(at_it[0]).kill()
    settled, left = ground.expired(), ground.number(LEFT)
    wrong = [] if settled < due and left else ["the loop was killed too late"]
    time.sleep(1)
    stopped, took_to_stop = loops.popitem()[1].stop()
    wrong += [f"the loop that was stopped ended with {stopped}"] if stopped else []
    a_loop(ground, "loop4")
    took = ground.wait_for(lambda: ground.expired() >= due and not ground.number(LEFT), "the rest")
    # The one that was killed held a card, and no mail; the one that was stopped finished the mail in hand.
    found, more = what_arrived(ground, handler, mails, unsure=0)
    return Finding(
        "Job loops are killed in the middle of their work",
        f"PostgreSQL without Celery, three processes of `runjobs --loop`; {due:,} cards due, {mails:,} mails queued; "
        f"kill -9 of one that held a card after {settled:,} cards, {left:,} mails being left; another one stopped by "
        "SIGTERM; a new one started",
        f"all {due:,} settled, one entry of history each; {found}; the one that was stopped ended in "
        f"{took_to_stop:.1f} s; the rest took {took:.0f} s",
        wrong + more + ground.wrongly_settled(due),
    )


def the_whole_product_is_killed(ground: Ground, due: int, mails: int) -> Finding:
    """Kill -9 `manage.py serve` on SQLite in the middle of its sweep, and again in the middle of a mail."""
    with on_sqlite(ground) as place:
        handler = with_a_mail_server(place)
        place.make_cards(due)
        place.make_due(due)
        place.script(MAILS, mails)
        served = a_server(place)
        place.wait_for(lambda: place.expired() > due // 4, "a quarter of the cards")
        served.kill()
        settled = place.expired()
        wrong = [] if settled < due else ["the product was killed too late"]
        served = a_server(place)
        place.wait_for(lambda: len(handler.taken) > mails // 4 and place.number(SENDING), "mails", pause=0.002)
        served.kill()
        cut_off, sent = place.number(SENDING), len(handler.taken)
        wrong += [] if sent < mails else ["the product was killed too late for the mails"]
        place.script(LOST_WORKERS)
        served = a_server(place)
        took = place.wait_for(lambda: place.expired() >= due and not place.number(LEFT), "the rest")
        stopped, _ = served.stop()
        wrong += [f"it ended with {stopped}"] if stopped else []
        found, more = what_arrived(place, handler, mails, unsure=cut_off)
        return Finding(
            "The whole product in one process is killed",
            f"`serve` on SQLite; {due:,} cards due, {mails:,} mails queued; kill -9 after {settled:,} cards, started "
            f"again; kill -9 with a mail in hand after {sent:,} mails, started again",
            f"all {due:,} settled, one entry of history each; {found}; the rest took {took:.0f} s",
            wrong + more + place.wrongly_settled(due) + place.wrong_in_the_books(),
        )


def with_a_mail_server(ground: Ground) -> Slow:
    """Run a mail server until the end of the fault."""
    handler, port = Slow(), mail_server.free_port()
    ground.env["EMAIL_URL"] = f"smtp://127.0.0.1:{port}?timeout=5"
    ground.stack.enter_context(mail_server.running(handler, port))
    return handler


def a_loop(ground: Ground, name: str) -> Process:
    """Start a process of the job loop, which PostgreSQL knows by that name."""
    return ground.hurried("runjobs", "--loop", name=name, PGAPPNAME=name)


def a_server(ground: Ground) -> Process:
    """Serve the product in one process, with its job loop."""
    port = mail_server.free_port()
    return ground.hurried("serve", "--port", str(port), name="serve", STAGEBOARD_URL=f"http://127.0.0.1:{port}")


def what_arrived(ground: Ground, handler: mail_server.Unruly, mails: int, *, unsure: int) -> tuple[str, list[str]]:
    """Compare what the mail server took with the outbox: what was found, and what is wrong with it."""
    known = dict(ground.sql("SELECT message_id, state FROM opportunities_outgoingemail"))
    arrived = [str(mail["Message-ID"]) for mail in handler.taken]
    perhaps = [key for key, state in known.items() if state == "unsure"]
    lost = set(known) - set(arrived) - set(perhaps)
    others = set(known.values()) - {"sent", "unsure"}
    wrong = [f"{len(arrived) - len(set(arrived))} mails arrived twice"] if len(arrived) > len(set(arrived)) else []
    wrong += [f"{len(lost)} mails are lost"] if lost else []
    wrong += [f"{len(known)} of {mails} mails are known"] if len(known) != mails else []
    wrong += [f"there are mails that are {', '.join(sorted(others))}"] if others else []
    wrong += [f"{len(perhaps)} mails are perhaps sent"] if len(perhaps) > unsure else []
    came = sum(key in set(arrived) for key in perhaps)
    found = f"{len(set(arrived)):,} of {mails:,} mails arrived, each once"
    return found + (f"; {len(perhaps)} shown as “perhaps sent”, of which {came} arrived" if perhaps else ""), wrong


@contextmanager
def on_sqlite(ground: Ground) -> Iterator[Ground]:
    """Make a business like the ground's on SQLite."""
    folder = Path(ground.database.folder.parent / "sqlite")
    before = os.environ.pop("DATABASE_URL")
    try:
        made = base(folder)
    finally:
        os.environ["DATABASE_URL"] = before
    with ExitStack() as stack:
        yield Ground(made, None, stack)
