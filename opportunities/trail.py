"""What a log line belongs to: the request or the run of a job that wrote it, and the person behind it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="-")
"""The request's id, which is also in the answer's X-Request-ID; for a job, that of who asked for it, or its own."""

person_id: ContextVar[int | None] = ContextVar("person_id", default=None)
job_name: ContextVar[str] = ContextVar("job_name", default="")


def new_id() -> str:
    """Make an id that nobody else has."""
    return uuid.uuid4().hex[:12]


@contextmanager
def of_job(name: str, *, asked_by: str = "", person: int | None = None) -> Iterator[None]:
    """Let the lines inside name this job, and whose request asked for it where one did."""
    tokens = job_name.set(name), request_id.set(asked_by or f"job-{new_id()}"), person_id.set(person)
    try:
        yield
    finally:
        job_name.reset(tokens[0])
        request_id.reset(tokens[1])
        person_id.reset(tokens[2])


def whereabouts() -> dict[str, object]:
    """Say what a line written now belongs to; what is not known is left out."""
    found: dict[str, object] = {"request_id": request_id.get()}
    if job_name.get():
        found["job"] = job_name.get()
    if person_id.get() is not None:
        found["user"] = person_id.get()
    return found


def without_rows(text: str, error: BaseException | None) -> str:
    """Take out of an error's words the row that PostgreSQL repeats there: it may hold a mail's text or a key."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        detail = getattr(getattr(error, "diag", None), "message_detail", None)
        if detail:
            text = text.replace(detail, "(left out)")
        error = error.__cause__ or error.__context__
    return text
