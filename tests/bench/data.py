"""A business of any size, written straight into PostgreSQL: open cards with customers, sellers, actions and history.

Rows go by COPY, past the verbs; the columns come from the models, so a new field takes its default. Everything is drawn
from a seed. The same size and shape give the same business.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from random import Random
from typing import Any, Literal

import psycopg
from django.db import models
from psycopg.types.json import Jsonb

from opportunities.models import (
    RANK_GAP,
    ActionItem,
    Contact,
    Customer,
    Event,
    Note,
    Opportunity,
    OpportunityCustomer,
    OpportunityType,
)

type Shape = Literal["even", "skewed"]

SHARES: dict[Shape, tuple[float, ...]] = {
    "even": (1, 1, 1, 1, 1, 1, 1, 1),
    "skewed": (60, 15, 10, 6, 4, 3, 1.5, 0.5),
}
FIRST_NUMBER = 1001
EVENTS = 4
"""History entries a card, on average."""

ARCHIVED_SHARE = 10
"""One more card for each ten open ones was decided and put away."""

TITLES = (
    "Rooftop unit replacement",
    "Maintenance plan, all sites",
    "Boiler room, phase",
    "Split systems for the server room",
    "Chiller overhaul",
    "Emergency lighting, stairwell",
    "Panel upgrade",
    "Ventilation of hall",
    "Heat pump conversion",
    "Snow-melt driveway",
)
TRADES = ("Dental Group", "Apartments", "Cold Storage", "School District", "Analytics", "Hotel", "Grocers", "Clinic")
PLACES = ("Harbor", "Northline", "Bayside", "Kestrel", "Meridian", "Lowell", "Tidewater", "Maple Ridge", "Union")
ACTIONS = ("Call about the start date", "Send the drawings", "Measure the roof", "Ask for the decision")


@dataclass(frozen=True)
class Setup:
    """What the base database holds: the ids of its rows."""

    stages: tuple[int, ...]
    statuses: dict[str, int]
    sellers: tuple[int, ...]


def fill(connection: psycopg.Connection, *, size: int, shape: Shape, setup: Setup, now: dt.datetime) -> None:
    """Write the business of one size and shape, and let PostgreSQL look at it."""
    random = Random(f"{size} {shape}")
    customers = max(50, size // 20)
    names = [f"{random.choice(PLACES)} {random.choice(TRADES)} {number}" for number in range(customers)]
    _copy(connection, OpportunityType, ({"id": n, "name": f"Type {n}", "name_key": f"type {n}"} for n in range(1, 6)))
    _copy(connection, Customer, _customers(names, now))
    _copy(connection, Contact, _contacts(customers))
    cards = list(_cards(random, size, shape, setup, names, now))
    _copy(connection, Opportunity, ({**card, "face": Jsonb(card["face"])} for card in cards))
    _copy(connection, OpportunityCustomer, _parties(cards, customers))
    _copy(connection, ActionItem, _actions(cards, now))
    _copy(connection, Event, _events(random, cards, setup, now))
    _copy(connection, Note, _notes(cards, now))
    for model in (OpportunityType, Customer, Contact, Opportunity, OpportunityCustomer, ActionItem, Event, Note):
        table = model._meta.db_table
        connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
    connection.execute("VACUUM ANALYZE")


def _copy(connection: psycopg.Connection, model: type[models.Model], rows: Iterable[dict[str, Any]]) -> None:
    fields = list(model._meta.concrete_fields)
    names = ", ".join(f'"{field.column}"' for field in fields)
    defaults = [(field.attname, _default(field)) for field in fields]
    with connection.cursor().copy(f'COPY "{model._meta.db_table}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row([row.get(name, default) for name, default in defaults])


def _default(field: models.Field[Any, Any]) -> Any:
    value = field.get_default()
    return Jsonb(value) if isinstance(field, models.JSONField) else value


def _customers(names: list[str], now: dt.datetime) -> Iterator[dict[str, Any]]:
    for number, name in enumerate(names, start=1):
        yield {"id": number, "name": name, "search_key": name.casefold(), "created_at": now}


def _contacts(customers: int) -> Iterator[dict[str, Any]]:
    for number in range(1, customers + 1):
        name = f"Contact {number}"
        yield {"id": number, "customer_id": number, "name": name, "search_key": name.casefold()}


def _cards(
    random: Random, size: int, shape: Shape, setup: Setup, names: list[str], now: dt.datetime
) -> Iterator[dict[str, Any]]:
    today = now.date()
    limits = list(accumulate(SHARES[shape]))
    ranks = list(range(1, size + size // ARCHIVED_SHARE + 1))
    random.shuffle(ranks)
    for place, rank in enumerate(ranks):
        archived = place >= size
        pk = FIRST_NUMBER + place
        customer = random.randrange(len(names))
        title = f"{random.choice(TITLES)} {place % 97 + 1}"
        forecast = today + dt.timedelta(days=random.randint(-20, 120)) if random.random() < 0.9 else None
        face: dict[str, Any] = {"customers": [names[customer]], "contacts": [f"Contact {customer + 1}"]}
        if random.random() < 0.6:
            due = today + dt.timedelta(days=random.randint(-5, 30))
            face["next"] = {"id": pk, "text": random.choice(ACTIONS), "due": due.isoformat()}
        chips = _chips(random, pk)
        if chips:
            face["chips"] = chips
        (stage,) = random.choices(setup.stages, cum_weights=limits)
        created = now - dt.timedelta(days=random.randint(5, 300))
        yield {
            "id": pk,
            "title": title,
            "type_id": random.randint(1, 5),
            "salesperson_id": random.choice(setup.sellers) if random.random() < 0.95 else None,
            "amount": Decimal(random.randint(50_000, 25_000_000)) / 100,
            "forecast_date": forecast,
            "stage_id": stage,
            "stage_entered_at": now - dt.timedelta(days=random.randint(0, 5), minutes=random.randint(0, 1000)),
            "rank": rank * RANK_GAP,
            "workflow_status": "expired" if forecast is not None and forecast < today else "prospect",
            "status_id": setup.statuses["won" if archived else "default"],
            "sales_status": "won" if archived else "none",
            "sales_rule": "manual" if archived else "P9",
            "hand_status_id": setup.statuses["won"] if archived else None,
            "off_board": archived,
            "decided_on": today if archived else None,
            "archived_at": now if archived else None,
            "version": EVENTS,
            "face": face,
            "search_key": f"opp-{pk} {title.casefold()} {names[customer].casefold()}",
            "created_at": created,
            "customer": customer + 1,
        }


def _chips(random: Random, pk: int) -> list[dict[str, Any]]:
    """What the faces of two cards in three show of their documents: quotes, and agreements half as often."""
    chips: list[dict[str, Any]] = []
    if random.random() < 0.66:
        state = random.choice(("draft", "submitted", "modified", "accepted", "expired"))
        chips.append({"kind": "quote", "count": random.randint(1, 3), "number": f"Q-{pk}", "state": state})
    if random.random() < 0.33:
        signed = [random.randint(0, 1), 2]
        chips.append({"kind": "agreement", "count": 1, "number": f"A-{pk}", "state": "submitted", "signed": signed})
    return chips


def _parties(cards: list[dict[str, Any]], customers: int) -> Iterator[dict[str, Any]]:
    for number, card in enumerate(cards, start=1):
        who = card["customer"]
        yield {"id": number, "opportunity_id": card["id"], "customer_id": who, "contact_id": who, "position": 0}


def _actions(cards: list[dict[str, Any]], now: dt.datetime) -> Iterator[dict[str, Any]]:
    for card in cards:
        following = card["face"].get("next")
        if following:
            due = dt.date.fromisoformat(following["due"])
            yield {"id": card["id"], "opportunity_id": card["id"], "text": following["text"], "due_on": due} | {
                "created_at": now
            }


def _events(random: Random, cards: list[dict[str, Any]], setup: Setup, now: dt.datetime) -> Iterator[dict[str, Any]]:
    """A creation and some moves a card, from one stage into the next."""
    number = 0
    for version in range(1, EVENTS + 1):
        at = now - dt.timedelta(days=6 * (EVENTS + 1 - version))
        kind = "created" if version == 1 else "moved"
        for card in cards:
            number += 1
            changes = {} if version == 1 else {"stage_id": [random.choice(setup.stages), card["stage_id"]]}
            yield {
                "id": number,
                "act": uuid.UUID(int=random.getrandbits(128), version=4),
                "at": at,
                "opportunity_id": card["id"],
                "kind": kind,
                "actor_id": setup.sellers[number % len(setup.sellers)],
                "by": "Seller",
                "via": "page",
                "changes": Jsonb(changes),
                "version": version,
                "workflow_to": "prospect",
                "sales_to": "none",
                "rule": "P9",
            }


def _notes(cards: list[dict[str, Any]], now: dt.datetime) -> Iterator[dict[str, Any]]:
    for number, card in enumerate(cards[::3], start=1):
        text = f"Talked about {card['title']}."
        yield {"id": number, "opportunity_id": card["id"], "text": text, "created_at": now}
