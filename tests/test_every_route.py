"""The security walk: every route, GET and POST, as seven people, against ONE table of what each must get.

How to add a route: run this file. `test_every_route_has_its_row` names the routes without a row. For each, add a line
to `TABLE`:

    "boards:fold": Row(args=in_column, get=POST_ONLY, post=ANYBODY_DOES, changes="Fold"),

- The key is the route's name; with " | words" behind it, a route gets a second row (about another object).
- `args` are the arguments of its URL, made from the `World`, which holds the objects that exist.
- `get` and `post` hold the seven expected statuses, in the order of `ACTORS`; most routes fit one of the names below.
- `data` is what an *allowed* POST sends, complete and valid; `changes` is the model whose rows it must change, if any.
- `by` is for the few routes where one of the allowed changes something else than the others.

The walk judges by itself: a GET changes nothing; a POST that is not allowed (4xx, or led to the login) changes nothing;
an allowed one (2xx, 3xx) changes a row of `changes`; nobody touches or is shown the card that they may not see; every
answer carries the strict Content-Security-Policy; no POST passes without its CSRF token. The routes of the admin are
judged as a family: for admins only.
"""

import pickle
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from boards import adoption, building
from boards.models import Board, Column
from opportunities import (
    activity,
    agreements,
    bulk,
    feeds,
    history,
    jobs,
    lifecycle,
    links,
    mail,
    outbox,
    password_links,
    pipeline,
    quotes,
)
from opportunities.models import (
    ActionItem,
    Agreement,
    BulkAct,
    BusinessSettings,
    CalendarFeed,
    Contact,
    Customer,
    Event,
    Job,
    Notice,
    Opportunity,
    OpportunityStage,
    OpportunityStatus,
    OutgoingEmail,
    Quote,
    QuoteRecipient,
    Reason,
    Recipient,
    Refund,
    Subject,
)
from tests.factories import (
    BoardFactory,
    ContactFactory,
    ReasonFactory,
    StageFactory,
    TypeFactory,
    UserFactory,
    make_card,
    starter_rows,
)

pytestmark = pytest.mark.django_db

ACTORS = ("nobody", "no group", "blind", "colleague", "owner", "manager", "admin")
"""Not logged in; in no group; a salesperson who may not see the card; one who sees another's card; its owner…"""

#                 nobody no-group blind colleague owner manager admin
SEE = "           login  403      200   200       200   200     200  ".strip()
SEE_CARD = "      login  403      404   200       200   200     200  ".strip()
SEE_OWN = "       login  403      404   403       200   200     200  ".strip()
SEE_ADMIN = "     login  403      403   403       403   403     200  ".strip()
POST_ONLY = "     login  403      405   405       405   405     405  ".strip()
GET_ONLY = POST_ONLY
ANYBODY_DOES = "  login  403      302   302       302   302     302  ".strip()
ON_CARD = "       login  403      404   302       302   302     302  ".strip()
ON_OWN_CARD = "   login  403      404   403       302   302     302  ".strip()
MANAGERS_DO = "   login  403      404   403       403   302     302  ".strip()
ADMINS_DO = "     login  403      403   403       403   403     302  ".strip()
LEADS_ON = "      login  403      302   302       302   302     302  ".strip()
LEADS_TO_CARD = " login  403      404   302       302   302     302  ".strip()
ONLY_OWNER_SEES = " login 403 404   404       200   404     404  ".strip()
ONLY_OWNER_DOES = " login 403 404   404       302   404     404  ".strip()
EVERYBODY = "     200    200      200   200       200   200     200  ".strip()
EVERYBODY_ON = "  302    302      302   302       302   302     302  ".strip()
NOBODY_POSTS_IN = "login 405     405   405       405   405     405  ".strip()
NOBODY_POSTS = "  405    405      405   405       405   405     405  ".strip()
SECRET = "seven tall ships"


@dataclass
class World:
    """What exists while the table is walked. The card belongs to the owner; the other people are the actors."""

    people: dict[str, User]
    sessions: dict[str, str] = field(init=False, default_factory=dict)
    card: Opportunity
    unassigned: Opportunity
    archived: Opportunity
    customer: Customer
    contact: Contact
    action: ActionItem
    done_action: ActionItem
    event: Event
    bulk_act: BulkAct
    stage: OpportunityStage
    other_stage: OpportunityStage
    statuses: dict[str, OpportunityStatus]
    reason: Reason
    void_reason: Reason
    clean: Opportunity
    board: Board
    column: Column
    own_board: Board
    adopted: BulkAct
    target: User
    quote: Quote
    job: Job
    paid_job: Job
    refund: Refund
    agreement: Agreement
    signer: Recipient
    offered: QuoteRecipient
    loose_quote: Quote
    mailable: QuoteRecipient
    notice: Notice
    feed: CalendarFeed
    mail: OutgoingEmail


type Made = Callable[[World], dict[str, Any]]


def _nothing(_world: World) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Row:
    """What is expected of one route."""

    get: str
    post: str
    args: Made = _nothing
    data: Made = _nothing
    changes: str = ""
    query: str = ""
    by: dict[str, str] = field(default_factory=dict)
    """Actors who act without this change, with the model that changes instead."""


def card(world: World) -> dict[str, Any]:
    """The card that the blind salesperson may not see."""
    return {"pk": world.card.pk}


def on_board(world: World) -> dict[str, Any]:
    """A shared board."""
    return {"board_id": world.board.pk}


def on_own_board(world: World) -> dict[str, Any]:
    """A board that the owner of the card made for themselves."""
    return {"board_id": world.own_board.pk}


def board_settings(world: World) -> dict[str, Any]:
    """What the form of a board sends."""
    return {"name": "Renamed", "sort": "rank"}


def one_column(world: World) -> dict[str, Any]:
    """What the column editor of the shared board sends: the first column alone, with a new name."""
    row = {"row": ["a"], "id-a": world.column.pk, "name-a": "Renamed", "colour-a": "blue", "stages-a": [world.stage.pk]}
    return {**row, "fingerprint": building.fingerprint_of(world.board)}


def one_new_column(world: World) -> dict[str, Any]:
    """What the column editor of an empty board sends."""
    row = {"row": ["a"], "id-a": "", "name-a": "First", "colour-a": "blue", "stages-a": [world.stage.pk]}
    return {**row, "fingerprint": building.fingerprint_of(world.own_board)}


def in_column(world: World) -> dict[str, Any]:
    """A column of it."""
    return {"board_id": world.board.pk, "column_id": world.column.pk}


def card_on_board(world: World) -> dict[str, Any]:
    """The card on that board."""
    return {"board_id": world.board.pk, "card_id": world.card.pk}


def colleague(world: World) -> dict[str, Any]:
    """Somebody on the page "People" who is none of the actors."""
    return {"pk": world.target.pk}


def act(world: World) -> dict[str, Any]:
    """A bulk act of the owner."""
    return {"bulk_act_id": world.bulk_act.pk}


def customer(world: World) -> dict[str, Any]:
    """A customer; everybody may see customers."""
    return {"pk": world.customer.pk}


def contact(world: World) -> dict[str, Any]:
    """A contact of that customer."""
    return {"pk": world.contact.pk}


def reset_link(world: World) -> dict[str, Any]:
    """The two secrets of a password link."""
    _rest, uidb64, token, _end = password_links.link_for(world.target).rsplit("/", 3)
    return {"uidb64": uidb64, "token": token}


def private_link(world: World) -> dict[str, Any]:
    """The secret of a customer's link."""
    return {"token": links.token_of(world.offered)}


def feed_address(world: World) -> dict[str, Any]:
    """The secret of the calendar feed of somebody who has no cards."""
    return {"token": feeds.token_of(world.feed)}


def seen(card: Opportunity) -> str:
    """What the void and cancel sheets send back of what they showed."""
    return lifecycle.consequences(opportunity_id=card.pk, actor=None, now=timezone.now()).fingerprint


def customers_answer(world: World) -> dict[str, Any]:
    """What the forms of a private link send."""
    return {"name": "Ada Lowell", "seen": links.fingerprint(world.offered.quote)}


def of_person(username: str, role: str = "manager") -> dict[str, Any]:
    """What the form of a colleague sends."""
    return {"username": username, "first_name": "Bea", "last_name": "O", "email": "b@example.test", "role": role}


def bulk_choice(world: World, **more: Any) -> dict[str, Any]:
    """One ticked card."""
    return {"card": [world.card.pk], "query": "", "board": "", **more}


NEW_CARD: Made = lambda w: {"title": "Boiler", "customer_name": "", "token": str(uuid.uuid4())}  # noqa: E731

TABLE: dict[str, Row] = {
    # Accounts
    "login": Row(
        get="200 302 302 302 302 302 302",
        post=EVERYBODY_ON,
        data=lambda w: {"username": w.target.username, "password": "correct horse battery"},
    ),
    "logout": Row(get="login 405 405 405 405 405 405", post="login 302 302 302 302 302 302"),
    "password_change": Row(
        get="login 200 200 200 200 200 200",
        post="login 302 302 302 302 302 302",
        data=lambda w: {"old_password": "correct horse battery", "new_password1": SECRET, "new_password2": SECRET},
        changes="User",
    ),
    "password_reset": Row(get=EVERYBODY, post=EVERYBODY_ON, data=lambda w: {"email": "nobody@example.test"}),
    "password_reset_done": Row(get=EVERYBODY, post="405 405 405 405 405 405 405"),
    "password_reset_complete": Row(get=EVERYBODY, post="405 405 405 405 405 405 405"),
    # With the token in the address there is only the step to the address without it; test_accounts goes on from there.
    "password_reset_confirm": Row(get=EVERYBODY_ON, post=EVERYBODY_ON, args=reset_link),
    "opportunities:profile": Row(
        get="login 200 200 200 200 200 200",
        post="login 302 302 302 302 302 302",
        data=lambda w: {"first_name": "New", "last_name": "Name", "email": "new@example.test"},
        changes="User",
    ),
    # People and the setup
    "opportunities:setup": Row(
        get="login 403 302 302 302 302 200",
        post="login 403 302 302 302 302 302",
        data=lambda w: {"name": "Renamed", "time_zone": "UTC", "currency": "USD"},
        changes="BusinessSettings",
        by=dict.fromkeys(("blind", "colleague", "owner", "manager"), ""),
    ),
    "opportunities:people": Row(get=SEE_ADMIN, post=GET_ONLY),
    "opportunities:person-new": Row(get=SEE_ADMIN, post=ADMINS_DO, data=lambda w: of_person("bea"), changes="User"),
    "opportunities:person-edit": Row(
        get=SEE_ADMIN, post=ADMINS_DO, args=colleague, data=lambda w: of_person("renamed"), changes="User"
    ),
    "opportunities:person-link": Row(get=SEE_ADMIN, post=ADMINS_DO, args=colleague),
    "opportunities:person-deactivate": Row(get=SEE_ADMIN, post=ADMINS_DO, args=colleague, changes="User"),
    "opportunities:person-reactivate": Row(
        get=POST_ONLY, post=ADMINS_DO, args=lambda w: {"pk": w.people["gone"].pk}, changes="User"
    ),
    "opportunities:person-hand-over": Row(
        get=SEE_ADMIN,
        post=ADMINS_DO,
        args=lambda w: {"pk": w.people["owner"].pk},
        data=lambda w: {"to": w.target.pk},
        changes="Opportunity",
    ),
    # Opportunities
    "opportunities:new": Row(get=SEE, post=ANYBODY_DOES, data=NEW_CARD, changes="Opportunity"),
    "opportunities:detail": Row(get=SEE_CARD, post=GET_ONLY, args=card),
    "opportunities:edit": Row(
        get=SEE_CARD,
        post=ON_CARD,
        args=card,
        data=lambda w: {
            **NEW_CARD(w),
            "title": "Changed",
            "customer": [w.customer.pk],
            "version": w.card.version,
            "salesperson": w.card.salesperson_id,
        },
        changes="Opportunity",
    ),
    "opportunities:duplicate": Row(get=POST_ONLY, post=ON_CARD, args=card, changes="Opportunity"),
    "opportunities:archive": Row(get=POST_ONLY, post=ON_OWN_CARD, args=card, changes="Opportunity"),
    "opportunities:unarchive": Row(
        get=POST_ONLY, post=ON_OWN_CARD, args=lambda w: {"pk": w.archived.pk}, changes="Opportunity"
    ),
    "opportunities:take": Row(
        get=POST_ONLY, post=ON_CARD, args=lambda w: {"pk": w.unassigned.pk}, changes="Opportunity"
    ),
    "opportunities:forecast": Row(
        get=SEE_CARD, post=ON_CARD, args=card, data=lambda w: {"to": "2030-01-01"}, changes="Opportunity"
    ),
    "opportunities:move": Row(
        get=SEE_CARD, post=ON_CARD, args=card, data=lambda w: {"stage": w.other_stage.pk}, changes="Opportunity"
    ),
    "opportunities:status": Row(
        get=SEE_OWN, post=ON_OWN_CARD, args=card, data=lambda w: {"status": w.statuses["Won"].pk}, changes="Opportunity"
    ),
    "opportunities:void": Row(
        get=SEE_OWN,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.clean.pk},
        data=lambda w: {"reason": w.void_reason.pk, "seen": seen(w.clean)},
        changes="Opportunity",
    ),
    "opportunities:void-why": Row(get=SEE_CARD, post=GET_ONLY, args=card),
    "opportunities:cancel": Row(
        get=SEE_OWN,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.clean.pk},
        data=lambda w: {"reason": w.reason.pk, "seen": seen(w.clean)},
        changes="Opportunity",
    ),
    "opportunities:note": Row(
        get=POST_ONLY, post=ON_CARD, args=card, data=lambda w: {"text": "They called."}, changes="Note"
    ),
    "opportunities:action": Row(
        get=SEE_CARD,
        post=ON_CARD,
        args=card,
        data=lambda w: {"text": "Call", "due_on": "2030-01-01", "assignee": ""},
        changes="ActionItem",
    ),
    "opportunities:action-done": Row(
        get=POST_ONLY, post=ON_CARD, args=lambda w: {"pk": w.action.pk}, changes="ActionItem"
    ),
    "opportunities:action-reopen": Row(
        get=POST_ONLY, post=ON_CARD, args=lambda w: {"pk": w.done_action.pk}, changes="ActionItem"
    ),
    "opportunities:action-edit": Row(
        get=SEE_CARD,
        post=ON_CARD,
        args=lambda w: {"pk": w.action.pk},
        data=lambda w: {"text": "Write instead", "due_on": "2030-01-01", "assignee": ""},
        changes="ActionItem",
    ),
    "opportunities:action-snooze": Row(
        get=SEE_CARD,
        post=ON_CARD,
        args=lambda w: {"pk": w.action.pk},
        data=lambda w: {"to": "2030-01-01"},
        changes="ActionItem",
    ),
    # What people are told, and their day
    "opportunities:my-day": Row(get=SEE, post=GET_ONLY),
    "opportunities:notices": Row(get=SEE, post=GET_ONLY),
    "opportunities:notice-read": Row(
        get=POST_ONLY,
        post=ONLY_OWNER_DOES,
        args=lambda w: {"pk": w.notice.pk},
        changes="Notice",
    ),
    "opportunities:notices-read": Row(
        get=POST_ONLY,
        post=ANYBODY_DOES,
        data=lambda w: {"until": w.notice.pk},
        changes="Notice",
        by=dict.fromkeys(("blind", "colleague", "manager", "admin"), ""),
    ),
    "opportunities:notice-choices": Row(
        get=POST_ONLY,
        post=ANYBODY_DOES,
        data=lambda w: dict.fromkeys(Subject.values, "off"),
        changes="NoticeChoice",
    ),
    "opportunities:undo": Row(
        get=POST_ONLY, post=ON_OWN_CARD, args=lambda w: {"event_id": w.event.pk}, changes="Opportunity"
    ),
    # Documents: their pages and the sheets of their acts
    "opportunities:quote": Row(get=SEE_CARD, post=GET_ONLY, args=lambda w: {"pk": w.quote.pk}),
    "opportunities:job": Row(get=SEE_CARD, post=GET_ONLY, args=lambda w: {"pk": w.job.pk}),
    "opportunities:agreement": Row(get=SEE_CARD, post=GET_ONLY, args=lambda w: {"pk": w.agreement.pk}),
    "opportunities:quotes": Row(get=SEE, post=GET_ONLY),
    "opportunities:jobs": Row(get=SEE, post=GET_ONLY),
    "opportunities:agreements": Row(get=SEE, post=GET_ONLY),
    "opportunities:quote-new": Row(
        get=SEE_CARD, post=ON_CARD, args=card, data=lambda w: {"customer": w.customer.pk}, changes="Quote"
    ),
    "opportunities:job-new": Row(
        get=SEE_OWN,
        post=ON_OWN_CARD,
        args=card,
        data=lambda w: {"customer": w.customer.pk, "forecast": "keep"},
        changes="Job",
    ),
    "opportunities:agreement-new": Row(
        get=SEE_OWN,
        post=ON_OWN_CARD,
        args=card,
        data=lambda w: {"customer": w.customer.pk, "kind": "proposal"},
        changes="Agreement",
    ),
    "opportunities:quote-new-loose": Row(
        get=SEE, post=ANYBODY_DOES, data=lambda w: {"customer_name": w.customer.name}, changes="Quote"
    ),
    "opportunities:job-new-loose": Row(
        get=SEE, post=ANYBODY_DOES, data=lambda w: {"customer_name": w.customer.name}, changes="Job"
    ),
    "opportunities:agreement-new-loose": Row(
        get=SEE,
        post=ANYBODY_DOES,
        data=lambda w: {"customer_name": w.customer.name, "kind": "agreement"},
        changes="Agreement",
    ),
    "opportunities:quote-edit": Row(
        get=SEE_CARD,
        post=ON_CARD,
        args=lambda w: {"pk": w.quote.pk},
        data=lambda w: {"title": "Changed", "version": w.quote.version},
        changes="Quote",
    ),
    "opportunities:job-edit": Row(
        get=SEE_OWN,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.job.pk},
        data=lambda w: {"title": "Changed", "version": w.job.version},
        changes="Job",
    ),
    "opportunities:agreement-edit": Row(
        get=SEE_OWN,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.agreement.pk},
        data=lambda w: {"title": "Changed", "kind": "agreement", "version": w.agreement.version},
        changes="Agreement",
    ),
    "opportunities:quote-act": Row(
        get=SEE_CARD,
        post=ON_CARD,
        args=lambda w: {"pk": w.quote.pk, "verb": "submit"},
        data=lambda w: {"how": "by_hand"},
        changes="Quote",
    ),
    "opportunities:quote-act | convert": Row(
        get=SEE_CARD,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.quote.pk, "verb": "convert"},
        data=lambda w: {"forecast": "keep"},
        changes="Job",
    ),
    "opportunities:job-act": Row(
        get=SEE_CARD, post=ON_OWN_CARD, args=lambda w: {"pk": w.job.pk, "verb": "confirm"}, changes="Job"
    ),
    "opportunities:job-act | payment": Row(
        get=SEE_CARD,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.job.pk, "verb": "take_payment"},
        data=lambda w: {"amount": "12.50", "settled": "yes"},
        changes="Payment",
    ),
    "opportunities:line-fulfil": Row(
        get=SEE_CARD,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.job.lines.get().pk},
        data=lambda w: {"quantity": "1"},
        changes="JobLine",
    ),
    "opportunities:line-return": Row(
        get=SEE_CARD,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.paid_job.lines.get().pk},
        data=lambda w: {"everything": "on"},
        changes="JobLine",
    ),
    "opportunities:payment-settle": Row(
        get=SEE_CARD,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.paid_job.payments.get(state="pending").pk},
        data=lambda w: {"outcome": "came"},
        changes="Payment",
    ),
    "opportunities:payment-void": Row(
        get=SEE_CARD,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.paid_job.payments.filter(state="succeeded").latest("pk").pk},
        changes="Payment",
    ),
    "opportunities:payment-refund": Row(
        get=SEE_CARD,
        post=MANAGERS_DO,
        args=lambda w: {"pk": w.paid_job.payments.filter(state="succeeded").latest("pk").pk},
        data=lambda w: {"amount": "1", "settled": "yes"},
        changes="Refund",
    ),
    "opportunities:refund-settle": Row(
        get=SEE_CARD,
        post=MANAGERS_DO,
        args=lambda w: {"pk": w.refund.pk},
        data=lambda w: {"outcome": "came"},
        changes="Refund",
    ),
    "opportunities:agreement-act": Row(
        get=SEE_CARD,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.agreement.pk, "verb": "submit"},
        data=lambda w: {"how": "by_hand"},
        changes="Agreement",
    ),
    # Recipients: their answers, links to copy, papers to print
    "opportunities:recipient-respond": Row(
        get=SEE_CARD,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.signer.pk},
        data=lambda w: {"name": "Ada", "forecast": "keep"},
        changes="Recipient",
    ),
    "opportunities:recipient-cancel": Row(
        get=SEE_CARD, post=ON_OWN_CARD, args=lambda w: {"pk": w.signer.pk}, changes="Recipient"
    ),
    "opportunities:recipient-readdress": Row(
        get=SEE_CARD,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.signer.pk},
        data=lambda w: {"name": "Ada", "email": "ada@example.test"},
        changes="Recipient",
    ),
    "opportunities:recipient-renew": Row(
        get=SEE_CARD, post=ON_OWN_CARD, args=lambda w: {"pk": w.signer.pk}, changes="Recipient"
    ),
    "opportunities:quote-recipient-renew": Row(
        get=SEE_CARD, post=ON_CARD, args=lambda w: {"pk": w.quote.recipients.get().pk}, changes="QuoteRecipient"
    ),
    "opportunities:recipient-mail": Row(
        get=SEE_CARD,
        post=ON_OWN_CARD,
        args=lambda w: {"pk": w.signer.pk},
        data=lambda w: {"subject": "For you", "body": "{{ link }}"},
        changes="OutgoingEmail",
    ),
    "opportunities:quote-recipient-mail": Row(
        get=SEE_CARD,
        post=ON_CARD,
        args=lambda w: {"pk": w.mailable.pk},
        data=lambda w: {"subject": "For you", "body": "{{ link }}"},
        changes="OutgoingEmail",
    ),
    "opportunities:quote-links": Row(get=SEE_CARD, post=GET_ONLY, args=lambda w: {"pk": w.quote.pk}),
    "opportunities:agreement-links": Row(get=SEE_CARD, post=GET_ONLY, args=lambda w: {"pk": w.agreement.pk}),
    "opportunities:quote-print": Row(get=SEE_CARD, post=GET_ONLY, args=lambda w: {"pk": w.quote.pk}),
    "opportunities:agreement-print": Row(get=SEE_CARD, post=GET_ONLY, args=lambda w: {"pk": w.agreement.pk}),
    # The outbox: mails of cards that one may see
    "opportunities:mails": Row(get=SEE, post=GET_ONLY),
    "opportunities:mail": Row(get=SEE_CARD, post=GET_ONLY, args=lambda w: {"pk": w.mail.pk}),
    "opportunities:mail-again": Row(
        get=SEE_CARD, post=ON_CARD, args=lambda w: {"pk": w.mail.pk}, changes="OutgoingEmail"
    ),
    # Private links: whoever holds one
    "opportunities:link": Row(get=EVERYBODY, post=NOBODY_POSTS, args=private_link),
    "opportunities:link-accept": Row(
        get=EVERYBODY_ON, post=EVERYBODY_ON, args=private_link, data=lambda w: customers_answer(w), changes="Quote"
    ),
    "opportunities:link-decline": Row(
        get=EVERYBODY_ON, post=EVERYBODY_ON, args=private_link, data=lambda w: customers_answer(w), changes="Quote"
    ),
    "opportunities:link-viewed": Row(
        get=NOBODY_POSTS,
        post="204 204 204 204 204 204 204",
        args=private_link,
        changes="QuoteRecipient",
        by=dict.fromkeys(("no group", "blind", "colleague", "owner", "manager", "admin"), ""),
    ),
    "opportunities:link-print": Row(get=EVERYBODY, post=NOBODY_POSTS, args=private_link),
    "opportunities:link-logo": Row(get=EVERYBODY, post=NOBODY_POSTS, args=private_link),
    # The calendar feed: whoever holds its address reads it, its owner alone changes it
    "opportunities:feed": Row(get=EVERYBODY, post=NOBODY_POSTS, args=feed_address),
    "opportunities:feed-on": Row(
        get=NOBODY_POSTS_IN, post=ANYBODY_DOES, data=lambda w: {"cards": "all"}, changes="CalendarFeed"
    ),
    "opportunities:feed-renew": Row(get=NOBODY_POSTS_IN, post="login 404 404 404 302 404 404", changes="CalendarFeed"),
    "opportunities:feed-off": Row(
        get=NOBODY_POSTS_IN,
        post="login 302 302 302 302 302 302",
        changes="CalendarFeed",
        by=dict.fromkeys(("no group", "blind", "colleague", "manager", "admin"), ""),
    ),
    "opportunities:attach": Row(
        get=SEE_OWN,
        post=ON_OWN_CARD,
        args=card,
        data=lambda w: {"document": w.loose_quote.number},
        changes="Quote",
    ),
    # The amount follows the documents already: nothing changes.
    "opportunities:follow-amount": Row(get=POST_ONLY, post=ON_CARD, args=card),
    "opportunities:quote-attach": Row(get=SEE_OWN, post=POST_ONLY, args=lambda w: {"pk": w.quote.pk}),
    "opportunities:job-attach": Row(get=SEE_OWN, post=POST_ONLY, args=lambda w: {"pk": w.job.pk}),
    "opportunities:agreement-attach": Row(get=SEE_OWN, post=POST_ONLY, args=lambda w: {"pk": w.agreement.pk}),
    "opportunities:quote-detach": Row(
        get=SEE_OWN, post=ON_OWN_CARD, args=lambda w: {"pk": w.quote.pk}, changes="Quote"
    ),
    "opportunities:job-detach": Row(get=SEE_OWN, post=ON_OWN_CARD, args=lambda w: {"pk": w.job.pk}, changes="Job"),
    "opportunities:agreement-detach": Row(
        get=SEE_OWN, post=ON_OWN_CARD, args=lambda w: {"pk": w.agreement.pk}, changes="Agreement"
    ),
    # Customers and contacts: everybody with a role works with all of them
    "opportunities:customers": Row(get=SEE, post=GET_ONLY),
    "opportunities:customer-suggest": Row(get=SEE, post=GET_ONLY, query="customer_name=Cus"),
    "opportunities:customer-new": Row(
        get=SEE, post=ANYBODY_DOES, data=lambda w: {"name": "Fresh Ltd", "kind": "firm"}, changes="Customer"
    ),
    "opportunities:customer": Row(get=SEE, post=GET_ONLY, args=customer),
    "opportunities:customer-edit": Row(
        get=SEE,
        post=ANYBODY_DOES,
        args=customer,
        data=lambda w: {"name": "Renamed Ltd", "kind": "firm"},
        changes="Customer",
    ),
    "opportunities:contact-new": Row(
        get=SEE,
        post=ANYBODY_DOES,
        args=lambda w: {"customer_id": w.customer.pk},
        data=lambda w: {"name": "Bo"},
        changes="Contact",
    ),
    "opportunities:contact": Row(get=SEE, post=GET_ONLY, args=contact),
    "opportunities:contact-edit": Row(
        get=SEE, post=ANYBODY_DOES, args=contact, data=lambda w: {"name": "Bo"}, changes="Contact"
    ),
    "opportunities:contact-active": Row(get=POST_ONLY, post=ANYBODY_DOES, args=contact, changes="Contact"),
    "opportunities:help-stages": Row(get=SEE, post=GET_ONLY),
    "opportunities:tonight": Row(get=SEE, post=GET_ONLY),
    "opportunities:integrity": Row(get=SEE_ADMIN, post=SEE_ADMIN),
    "opportunities:logo": Row(get=SEE, post=GET_ONLY),
    # The board page
    "boards:home": Row(get=LEADS_ON, post=GET_ONLY),
    "boards:board": Row(get=SEE, post=GET_ONLY, args=on_board),
    "boards:heads": Row(get=LEADS_ON, post=GET_ONLY, args=on_board),
    "boards:events": Row(get="login 403 204 204 204 204 204", post=GET_ONLY, args=on_board),
    "boards:changes": Row(get=LEADS_ON, post=GET_ONLY, args=on_board),
    "boards:tray": Row(get=SEE, post=GET_ONLY, args=on_board),
    "boards:fold_tray": Row(get=POST_ONLY, post=ANYBODY_DOES, args=on_board, changes="Fold"),
    "boards:column_cards": Row(get=SEE, post=GET_ONLY, args=in_column),
    "boards:add": Row(
        get=SEE, post=ANYBODY_DOES, args=in_column, data=lambda w: {"title": "Quick"}, changes="Opportunity"
    ),
    "boards:fold": Row(get=POST_ONLY, post=ANYBODY_DOES, args=in_column, changes="Fold"),
    "boards:card": Row(get=LEADS_TO_CARD, post=GET_ONLY, args=card_on_board),
    "boards:targets": Row(get=SEE_CARD, post=GET_ONLY, args=card_on_board),
    "boards:move": Row(
        get=SEE_CARD,
        post=ON_CARD,
        args=card_on_board,
        data=lambda w: {"stage": w.other_stage.pk},
        changes="Opportunity",
    ),
    "boards:outcome": Row(
        get=SEE_OWN,
        post=ON_OWN_CARD,
        args=card_on_board,
        query="zone=won",
        data=lambda w: {"zone": "won", "status": w.statuses["Won"].pk},
        changes="Opportunity",
    ),
    # A card without a live quote, or the drop would ask about that first.
    "boards:outcome | by a drop": Row(
        get=SEE_CARD,
        post=ON_CARD,
        args=lambda w: {"board_id": w.board.pk, "card_id": w.unassigned.pk},
        query="zone=won",
        data=lambda w: {"zone": "won"},
        changes="Opportunity",
    ),
    # Making and changing boards: admins the shared ones, everybody their own
    "boards:all": Row(get=SEE, post=GET_ONLY),
    "boards:new": Row(get=SEE, post=ANYBODY_DOES, data=lambda w: {"name": "Mine"}, changes="Board"),
    "boards:edit": Row(get=SEE_ADMIN, post=ADMINS_DO, args=on_board, data=board_settings, changes="Board"),
    "boards:edit | the owner's own": Row(
        get=ONLY_OWNER_SEES, post=ONLY_OWNER_DOES, args=on_own_board, data=board_settings, changes="Board"
    ),
    "boards:columns": Row(get=SEE_ADMIN, post=ADMINS_DO, args=on_board, data=one_column, changes="Column"),
    "boards:columns | the owner's own": Row(
        get=ONLY_OWNER_SEES, post=ONLY_OWNER_DOES, args=on_own_board, data=one_new_column, changes="Column"
    ),
    "boards:stages": Row(
        get=SEE_ADMIN, post=ADMINS_DO, args=on_board, data=lambda w: {"path": "starter"}, changes="OpportunityStage"
    ),
    "boards:stages | the owner's own": Row(
        get=ONLY_OWNER_SEES,
        post=ONLY_OWNER_DOES,
        args=on_own_board,
        data=lambda w: {"path": "columns"},
        changes="Column",
    ),
    "boards:stages | making stages is for admins": Row(
        get=ONLY_OWNER_SEES,
        post="login 403 404 404 403 404 404",
        args=on_own_board,
        data=lambda w: {"path": "names", "names": "Brand new"},
    ),
    "boards:undo-stages": Row(
        get=POST_ONLY, post=ADMINS_DO, args=lambda w: {"bulk_act_id": w.adopted.pk}, changes="OpportunityStage"
    ),
    "boards:delete": Row(get=SEE_ADMIN, post=ADMINS_DO, args=on_board, changes="Board"),
    "boards:delete | the owner's own": Row(
        get=ONLY_OWNER_SEES, post=ONLY_OWNER_DOES, args=on_own_board, changes="Board"
    ),
    # List, search, acts on many cards
    "boards:list": Row(get=SEE, post=GET_ONLY, args=on_board),
    "boards:filter": Row(get=SEE, post=GET_ONLY, args=on_board),
    "boards:save-as": Row(
        get=SEE,
        post=ANYBODY_DOES,
        args=on_board,
        query="salesperson=me",
        data=lambda w: {"name": "Mine"},
        changes="Board",
    ),
    "boards:archive": Row(get=SEE, post=GET_ONLY),
    "boards:search": Row(get=SEE, post=GET_ONLY),
    "boards:calendar": Row(get=SEE, post=GET_ONLY, args=on_board),
    "boards:all-calendar": Row(get=SEE, post=GET_ONLY),
    "boards:search-filter": Row(get=SEE, post=GET_ONLY),
    "boards:bulk-choose": Row(get=POST_ONLY, post=SEE, args=lambda w: {"what": "stage"}, data=lambda w: bulk_choice(w)),
    "boards:bulk-start": Row(
        get=POST_ONLY,
        post=ANYBODY_DOES,
        data=lambda w: bulk_choice(w, do=f"stage:{w.other_stage.pk}", shown="1"),
        changes="Opportunity",
        by={"blind": "BulkAct"},
    ),
    "boards:bulk-act": Row(get="login 403 404 404 200 200 200", post=GET_ONLY, args=act),
    "boards:bulk-undo": Row(get=POST_ONLY, post="login 403 404 404 302 302 302", args=act, changes="Opportunity"),
}

CONTEXT = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Route:
    """A route as the resolver knows it."""

    name: str
    pattern: str

    def path(self, **args: Any) -> str:
        """The address, with its arguments filled in."""
        return "/" + CONTEXT.sub(lambda found: str(args[found[1]]), self.pattern)


def routes(resolver: URLResolver | None = None, prefix: str = "", spaces: tuple[str, ...] = ()) -> Iterator[Route]:
    """Every route of the product."""
    resolver = resolver or get_resolver()
    for entry in resolver.url_patterns:
        pattern = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, pattern, (*spaces, entry.namespace) if entry.namespace else spaces)
        elif isinstance(entry, URLPattern):
            yield Route(":".join((*spaces, entry.name or "")), pattern)


def route_of(key: str) -> str:
    """The name of the route that a row is about."""
    return key.partition(" | ")[0]


ROUTES = {route.name: route for route in routes() if not route.name.startswith("admin:")}
ADMIN = [route for route in routes() if route.name.startswith("admin:")]


@pytest.fixture(scope="module")
def made(django_db_setup, django_db_blocker) -> Iterator[bytes]:
    """Everything that the routes are about, made once for all tests of this module, with everybody logged in."""
    with django_db_blocker.unblock(), rolled_back():
        world = make_world()
        for actor in ROLES:
            client = Client()
            client.force_login(world.people[actor], backend="opportunities.access.RoleBackend")
            world.sessions[actor] = client.cookies["sessionid"].value
        yield pickle.dumps(world)


@pytest.fixture
def world(made, db) -> World:
    """The world as it was made: what a test writes is rolled back, what it keeps in an object stays its own."""
    cache.clear()  # no transaction takes back how often private links were asked
    return pickle.loads(made)  # noqa: S301 - our own, from above


def make_world():
    """Make everything that the routes are about."""
    now = timezone.now()
    statuses = starter_rows()
    for key in (mail.CANCELED, mail.QUOTE_SUBMITTED, mail.AGREEMENT_SUBMITTED):
        mail.template(key)  # as the starter makes them
    people = {name: UserFactory(username=name.replace(" ", "-"), role=ROLES[name]) for name in ACTORS if name in ROLES}
    people["gone"] = UserFactory(username="gone", is_active=False)
    target = UserFactory(username="target", role="salesperson")
    owner = people["owner"]
    stage, other_stage = StageFactory(is_default=True), StageFactory()
    TypeFactory()
    person = ContactFactory()
    own = {"salesperson_id": owner.pk, "stage_id": stage.pk, "now": now}
    deal = make_card(
        **own,
        title="Secret deal",
        customer_ids=[person.customer_id],
        amount=100,
        forecast_date=now.date() + timedelta(days=30),
    )
    action = activity.add_action(opportunity_id=deal.pk, text="Call", due_on=now.date(), actor=owner, now=now)
    done = activity.add_action(opportunity_id=deal.pk, text="Write", due_on=now.date(), actor=owner, now=now)
    activity.finish_action(action_id=done.pk, actor=owner, now=now)
    archived = make_card(**own)
    lifecycle.archive(opportunity_id=archived.pk, actor=owner, now=now)
    edited = pipeline.edit(opportunity_id=deal.pk, title="Secret deal, renamed", actor=owner, now=now)
    batch = make_card(**own)
    bulk_act = bulk.start(
        verb="stage", arguments={"stage_id": other_stage.pk}, opportunity_ids=[batch.pk], actor=owner, now=now
    )
    board = BoardFactory(stages=[stage, other_stage], is_default=True)
    BusinessSettings.objects.update(
        swept_until=BusinessSettings.current().local_date(now),
        logo=b"\x89PNG\r\n\x1a\n",
        logo_type="image/png",
    )
    # The other way to stages: one for each status in use. It takes the cards that have none.
    make_card(now=now)
    adopted = adoption.stages_from_statuses(board_id=BoardFactory().pk, actor=people["admin"], now=now)
    on_deal: dict[str, Any] = {"customer_id": person.customer_id, "opportunity_id": deal.pk, "actor": owner, "now": now}
    lines = [{"kind": "material", "description": "Secret pipe", "quantity": 2, "unit_price": 10}]
    paid_job = jobs.create(**on_deal, lines=lines)
    jobs.fulfil(line_id=paid_job.lines.get().pk, quantity=1, actor=owner, now=now)
    paid = [jobs.take_payment(job_id=paid_job.pk, amount=10, settled=n < 2, actor=owner, now=now) for n in range(3)]
    refund = jobs.refund(payment_id=paid[0].pk, amount=2, settled=False, actor=None, now=now)
    signer = {"name": "Secret signer", "email": "signer@example.test"}
    offer = quotes.create(customer_id=person.customer_id, lines=lines, actor=owner, now=now)
    quotes.submit(quote_id=offer.pk, actor=owner, now=now)
    out = agreements.create(**on_deal, text="Secret text", recipients=[signer])
    agreements.submit(agreement_id=out.pk, actor=owner, now=now)
    made_loose = {**on_deal, "opportunity_id": None}
    quote_out = quotes.create(**on_deal, lines=lines, recipients=[signer])
    quotes.submit(quote_id=quote_out.pk, actor=owner, now=now)
    feeds.switch_on(all_cards=False, actor=owner, now=now)
    about = {"kind": "cancel", "opportunity": deal, "actor": owner, "now": now}
    return World(
        mail=outbox.queue(to=["ada@example.test"], subject=SECRET, body=SECRET, **about),
        loose_quote=quotes.create(**made_loose, lines=lines),
        feed=feeds.switch_on(all_cards=False, actor=target, now=now),
        mailable=quote_out.recipients.get(),
        quote=quotes.create(**on_deal, lines=lines),
        job=jobs.create(**on_deal, lines=lines, confirmed=False),
        paid_job=paid_job,
        refund=refund,
        agreement=agreements.create(**on_deal, text="Secret text", recipients=[signer]),
        signer=out.recipients.get(),
        offered=offer.recipients.get(),
        people=people,
        card=Opportunity.objects.get(pk=deal.pk),
        unassigned=make_card(stage_id=stage.pk, now=now),
        archived=archived,
        customer=person.customer,
        contact=person,
        action=action,
        done_action=done,
        event=Event.objects.get(pk=edited.last_event_id),
        bulk_act=bulk_act,
        stage=stage,
        other_stage=other_stage,
        statuses=statuses,
        reason=ReasonFactory(),
        void_reason=ReasonFactory(void=True),
        clean=make_card(**own),
        board=board,
        column=Column.objects.filter(board=board).order_by("sequence")[0],
        own_board=BoardFactory(owner=owner),
        adopted=adopted,
        target=target,
        notice=Notice.objects.create(
            person=owner, opportunity=deal, kind="won", about="the walk", way="product", created_at=now
        ),
    )


ROLES = {
    "no group": "",
    "blind": "salesperson",
    "colleague": "salesperson",
    "owner": "salesperson",
    "manager": "manager",
    "admin": "admin",
}

NOT_COMPARED = {"LogEntry", "Session", "Permission", "ContentType", "JobSlot", "AccessAttempt", "AccessLog"}


@lru_cache
def compared() -> dict[str, tuple[list[str], tuple[str, tuple[Any, ...]]]]:
    """The columns that count of every model of the product, and the statement that reads them, made once."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label not in {"opportunities", "boards", "auth"} or model.__name__ in NOT_COMPARED:
            continue
        fields = [f.attname for f in model._meta.concrete_fields if f.name not in {"last_login", "swept_until"}]
        rows = model._default_manager.order_by().values_list("pk", *fields)
        found[model.__name__] = (["pk", *fields], rows.query.sql_with_params())
    return found


def rows_of_everything() -> dict[str, dict[Any, Any]]:
    """Every row of the product, by model and key: what a request may have changed."""
    found = {}
    with connection.cursor() as cursor:
        for name, (_columns, statement) in compared().items():
            cursor.execute(*statement)
            found[name] = {row[0]: row for row in cursor.fetchall()}
    return found


def rows_written() -> int:
    """How many rows were written over this connection so far, by the database's own count; taken back or not."""
    if connection.vendor == "sqlite":
        return int(connection.connection.total_changes)
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables")
        return int(cursor.fetchone()[0])


def ask(send: Callable[..., Any], *given: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Send a request and take back what it wrote; answers it with all rows before and after, or none if it wrote none.

    To read every row around every request would take most of the time of the walk.
    """
    written = rows_written()
    with rolled_back():
        response = send(*given)
        if rows_written() == written:
            return response, {}, {}
        after = rows_of_everything()
    return response, rows_of_everything(), after


def facts_of(rows: dict[str, Any], card: Opportunity) -> dict[str, Any]:
    """A card's row without what follows the names of its customers."""
    columns, _statement = compared()["Opportunity"]
    facts = dict(zip(columns, rows["Opportunity"][card.pk], strict=True))
    return {name: value for name, value in facts.items() if name not in history.DERIVED}


def changed_models(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The models whose rows are not the same."""
    return {name for name in before if before[name] != after[name]}


def enter(world: World, actor: str, **options: Any) -> Client:
    """Be somebody, with the setting of what salespeople see that makes them so."""
    see = BusinessSettings.SalespeopleSee
    BusinessSettings.objects.update(salespeople_see=see.OWN if actor == "blind" else see.ALL)
    client = Client(raise_request_exception=True, **options)
    if actor in world.people:
        client.cookies["sessionid"] = world.sessions[actor]
    return client


def outcome(response: Any) -> str:
    """The status, or "login" where the way leads to the login page."""
    if response.status_code == 302 and response.url.startswith("/accounts/login/?next="):
        return "login"
    return str(response.status_code)


def assert_protected(response: Any) -> None:
    """Every answer of the product carries the strict policy."""
    policy = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert response.headers["X-Frame-Options"] == "DENY"


def test_every_route_has_its_row():
    assert sorted(ROUTES) == sorted({route_of(key) for key in TABLE}), (
        "give each route its row; the head of this file says how"
    )


@pytest.mark.parametrize("name", TABLE)
def test_a_get_answers_each_person_as_the_table_says_and_changes_nothing(name, world):
    row = TABLE[name]
    address = ROUTES[route_of(name)].path(**row.args(world)) + (f"?{row.query}" if row.query else "")
    found = {}

    for actor in ACTORS:
        with rolled_back():
            client = enter(world, actor)
            response, before, after = ask(client.get, address)
            found[actor] = outcome(response)
            assert_protected(response)
            assert not changed_models(before, after), f"a GET as {actor} changed rows"
            if actor == "blind" and response.status_code == 200:
                assert "Secret deal" not in response.content.decode(errors="replace"), "shows a card that is hidden"

    assert found == dict(zip(ACTORS, row.get.split(), strict=True))


@pytest.mark.parametrize("name", TABLE)
def test_a_post_does_what_the_table_allows_and_nothing_else(name, world):
    row = TABLE[name]
    address = ROUTES[route_of(name)].path(**row.args(world)) + (f"?{row.query}" if row.query else "")
    found = {}

    for actor in ACTORS:
        with rolled_back():
            client = enter(world, actor)
            response, before, after = ask(client.post, address, row.data(world))
            found[actor] = outcome(response)
            assert_protected(response)
            changed = changed_models(before, after)
            allowed = found[actor] in ("200", "204", "302")
            wanted = row.by.get(actor, row.changes) if allowed else ""
            assert (wanted in changed) if wanted else not changed, f"as {actor} ({found[actor]}): changed {changed}"
            if actor == "blind" and after:
                assert facts_of(before, world.card) == facts_of(after, world.card), "changed a card that is hidden"

    assert found == dict(zip(ACTORS, row.post.split(), strict=True))


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.post.split()[-1] in ("200", "302")])
def test_no_post_passes_without_its_token(name, world):
    row = TABLE[name]
    client = enter(world, "admin", enforce_csrf_checks=True)
    address = ROUTES[route_of(name)].path(**row.args(world))

    response, before, after = ask(client.post, address, row.data(world))

    assert response.status_code == 403
    assert not changed_models(before, after)


@pytest.mark.parametrize("name", sorted(name for name, route in ROUTES.items() if "<int:" in route.pattern))
def test_numbers_that_nothing_has_are_not_there(name, world):
    client = enter(world, "admin")

    for number in (987_654_321, 10**30):
        address = "/" + re.sub(r"<int:\w+>", str(number), ROUTES[name].pattern)
        for answer in (client.get(address), client.post(address, {"text": "x", "due_on": "2030-01-01"})):
            assert answer.status_code in (404, 405)


def admin_path(route: Route, world: World) -> str:
    """The address of a route of the admin, about an object that exists."""
    if route.pattern.startswith("admin/^"):
        return "/admin/opportunities/"
    if route.pattern == "admin/(?P<url>.*)$":
        return "/admin/nowhere/"
    app, model = route.pattern.split("/")[1:3] if route.pattern.count("/") > 2 else ("", "")
    key: Any = 1
    if "<" in route.pattern:
        key = apps.get_model(app, model)._default_manager.values_list("pk", flat=True).first() or 1
    return re.sub(r"<[^>]+>", str(key), "/" + route.pattern)


@pytest.mark.parametrize("route", ADMIN, ids=lambda route: f"{route.name} {route.pattern}")
def test_the_admin_is_for_admins_only(route, world):
    address = admin_path(route, world)

    for actor in ACTORS:
        for method in ("get", "post"):
            with rolled_back():
                client = enter(world, actor)
                response, before, after = ask(getattr(client, method), address)
                found = outcome(response)
                assert_protected(response)
                if actor == "admin":
                    assert found in ("200", "302", "403", "404", "405", "409", "422"), f"{method} as admin: {found}"
                else:
                    assert found == ("login" if actor == "nobody" else "403"), f"{method} as {actor}: {found}"
                    assert not changed_models(before, after)


class rolled_back:  # noqa: N801 - reads as a word in `with`
    """Takes back what was written inside."""

    def __enter__(self) -> None:
        self.block = transaction.atomic()
        self.block.__enter__()

    def __exit__(self, *error: Any) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(*error)
