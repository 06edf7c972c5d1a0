"""Log lines: one a request, readable in a terminal or as JSON, never with a path that may hold a secret."""

import datetime
import json
import logging
from typing import Any, override

from opportunities import trail

# What a bare record has; everything else on a record was given by `extra=`.
PLAIN = set(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "request",
    "request_id",
    "taskName",
    "color_message",
}


def details(record: logging.LogRecord) -> dict[str, object]:
    """Return what the caller gave by `extra=`."""
    return {key: value for key, value in vars(record).items() if key not in PLAIN}


class WithoutPath(logging.Filter):
    """Takes the path out of Django's own request lines: private links carry their secret in it.

    Answers below 500 are dropped, the request line tells them already.
    """

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        status = getattr(record, "status_code", None)
        if status is None:
            return True
        record.msg, record.args = "error while answering", ()
        return bool(status >= 500)


class WithoutRows(logging.Formatter):
    """Tells errors without the rows of the database that they repeat."""

    @override
    def formatException(self, ei: Any) -> str:
        return trail.without_rows(super().formatException(ei), ei[1])


class TerminalFormatter(WithoutRows):
    """`12:00:01 INFO request  route=boards:board status=200 ...`"""

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        found = details(record)
        if trail.job_name.get():
            found = {**trail.whereabouts(), **found}
        return line + "".join(f" {key}={value}" for key, value in found.items())


class JsonFormatter(WithoutRows):
    """One JSON object a line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **trail.whereabouts(),
            **details(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
