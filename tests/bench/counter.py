"""Counts the statements of a request that asks for it by a header, or forgets rendered cards first."""

from collections.abc import Callable
from contextlib import ExitStack

from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from boards.templatetags import board_cards

HEADER = "X-Bench-Count"
ANSWER = "X-Bench-Statements"
COLD = "X-Bench-Cold"
"""Asks to forget the cards that were rendered before."""


class Counter:
    """Counts what goes to the database; BEGIN, COMMIT and savepoints are not statements of ours."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(self, execute, sql, params, many, context):
        if not sql.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            self.statements.append(sql)
        return execute(sql, params, many, context)


class CountMiddleware:
    """Answers with the number of statements, if asked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if COLD in request.headers:
            board_cards._rendered.cache_clear()
        if HEADER not in request.headers:
            return self.get_response(request)
        counter = Counter()
        with ExitStack() as stack:
            stack.enter_context(connection.execute_wrapper(counter))
            response = self.get_response(request)
        response.headers[ANSWER] = str(len(counter.statements))
        if request.headers[HEADER] == "show":
            for place, sql in enumerate(counter.statements, start=1):
                print(place, sql, flush=True)
        return response
