"""A real mail server for tests, which can be told to refuse, to stall and to drop the line."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

type Answer = str | None
"""What the server says instead of yes; None is yes."""


class Unruly:
    """What the server does at each step. Tests replace the answers; `taken` holds what arrived."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.envelopes: list[list[str]] = []
        self.asked = 0
        self.at_mail: Callable[[], Answer] = lambda: None
        self.at_recipient: Callable[[str], Answer] = lambda address: None
        self.after_data: Callable[[], str] = lambda: "250 OK"
        """Also: "stall", "drop" (after the mail was taken)."""

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        self.asked += 1
        answer = self.at_mail()
        if answer == "drop":
            server.transport.abort()
        if answer == "stall":
            await asyncio.sleep(5)
        envelope.mail_from = address
        return answer or "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        answer = self.at_recipient(address)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.after_data()
        if answer in {"250 OK", "drop", "stall"}:
            self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
            self.envelopes.append(list(envelope.rcpt_tos))
        if answer == "drop":
            server.transport.abort()
        if answer == "stall":
            await asyncio.sleep(5)
        return answer

    def arrived(self) -> list[str]:
        """The subjects of what arrived."""
        return [mail["Subject"] for mail in self.taken]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(handler: Unruly, port: int) -> Iterator[None]:
    """The server listens within this block."""
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield
    finally:
        controller.stop()


def mailers(port: int, *, timeout: float = 5) -> dict[str, Any]:
    """The product's own way of sending, to this port."""
    options = {"host": "127.0.0.1", "port": port, "timeout": timeout}
    return {"default": {"BACKEND": "opportunities.delivery.SteppedEmailBackend", "OPTIONS": options}}
