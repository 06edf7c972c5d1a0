"""The least that the same work can cost: Django views with a bare cursor, behind the same middleware as the product.

They know no rule, no right and no history beyond one row. They are mounted by the benchmark's own routes only.
"""

import json
import uuid
from datetime import date
from html import escape
from typing import Any

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

BOARD = """
SELECT c.stage_id, c.id, c.title, c.amount, c.forecast_date, c.workflow_status, c.sales_status, c.stage_entered_at,
       c.version, c.face->'customers'->>0, c.face->'next'->>'text', c.face->'next'->>'due', c.face->'chips',
       u.first_name, u.last_name
FROM (SELECT stage_id FROM boards_columnstage WHERE board_id = %s) s
CROSS JOIN LATERAL (
    SELECT * FROM opportunities_opportunity o
    WHERE o.stage_id = s.stage_id AND o.archived_at IS NULL AND NOT o.off_board
    ORDER BY o.rank, o.id LIMIT 30
) c
LEFT JOIN auth_user u ON u.id = c.salesperson_id
"""

MOVE = (
    "UPDATE opportunities_opportunity SET stage_id = %s, rank = %s, stage_entered_at = %s, version = %s WHERE id = %s"
)

EVENT = """
INSERT INTO opportunities_event (act, at, opportunity_id, kind, actor_id, by, via, changes, version,
                                 workflow_from, workflow_to, sales_from, sales_to, rule)
VALUES (%s, %s, %s, 'moved', %s, %s, 'page', %s, %s, 'prospect', 'prospect', 'none', 'none', 'P9')
"""


@require_GET
def board(request: HttpRequest, board_id: int) -> HttpResponse:
    """Read thirty cards a column, just what the page shows of them, and join strings."""
    today = timezone.localdate()
    columns: dict[int, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(BOARD, [board_id])
        for row in cursor.fetchall():
            columns.setdefault(row[0], []).append(_card(row[1:], today))
    lists = (f'<section id="column-{stage}"><ol>{"".join(cards)}</ol></section>' for stage, cards in columns.items())
    return HttpResponse(f"<!doctype html><title>Board</title>{''.join(lists)}")


def _card(row: tuple[Any, ...], today: date) -> str:
    pk, title, amount, forecast, workflow, sales, entered, version, customer, action, due, chips, first, last = row
    papers = " ".join(f"{each['count']} {each['state']}" for each in json.loads(chips or "[]"))
    return (
        f'<li class="card {sales}" id="card-{pk}" data-version="{version}"><a href="/opportunities/{pk}/">'
        f"{escape(title)}</a><p>{escape(customer or '')} OPP-{pk}</p><p>{amount or ''} {forecast or ''}</p>"
        f"<p>{escape(action or '')} {due or ''}</p><p>{papers}</p><p>{workflow} {(today - entered.date()).days} d</p>"
        f'<span title="{escape(first or "")} {escape(last or "")}">{(first or "")[:1]}{(last or "")[:1]}</span></li>'
    )


@require_POST
def move(request: HttpRequest, card_id: int) -> HttpResponse:
    """One UPDATE and one INSERT."""
    given = request.POST
    moment = timezone.now()
    version = int(given["version"]) + 1
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(MOVE, [given["stage"], given["rank"], moment, version, card_id])
        cursor.execute(EVENT, [uuid.uuid4(), moment, card_id, request.user.pk, request.user.username, "{}", version])
    return HttpResponse("moved")
