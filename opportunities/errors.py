"""What a verb raises when it does not do what was asked. Edges turn these into 403 and 409, the same everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Blocker:
    """One reason why the rules refuse an act, in words, with the thing it is about and where to clear it."""

    code: str
    message: str
    subject: str = ""
    url: str = ""


class Refused(Exception):
    """The rules refuse the act; nothing was changed. Carries *all* blockers at once (HTTP 409)."""

    def __init__(self, blockers: Sequence[Blocker] | Blocker) -> None:
        self.blockers: tuple[Blocker, ...] = (blockers,) if isinstance(blockers, Blocker) else tuple(blockers)
        super().__init__(" ".join(blocker.message for blocker in self.blockers))

    @property
    def codes(self) -> tuple[str, ...]:
        """The blockers' codes, for callers that branch and for tests."""
        return tuple(blocker.code for blocker in self.blockers)


class Stale(Exception):
    """Someone changed the same fact first; nothing was changed. Carries the fresh object (HTTP 409)."""

    def __init__(self, fresh: Any, message: str = "") -> None:
        self.fresh = fresh
        super().__init__(message)


class NotAllowed(Exception):
    """The person may see the object but not do this to it; the message says who may (HTTP 403)."""
