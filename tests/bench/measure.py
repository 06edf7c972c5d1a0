"""One interleaved run: every size, act and floor take turns, so that a slow moment of the machine hits all."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import quantiles

from tests.bench.business import Business
from tests.bench.people import Act, Board, counted

WARM_UP = 8
ROUNDS = 6
GROUPS = (("board", "board_cold", "board_floor"), ("move", "move_floor"), ("heads",))
"""What is compared takes turns request by request."""

TOGETHER = 8
"""People at once in the second half of each round."""


@dataclass
class Series:
    """What was measured of one act at one business."""

    alone: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)
    together_seconds: float = 0
    cpu: list[float] = field(default_factory=list)
    statements: set[int] = field(default_factory=set)
    sizes: list[int] = field(default_factory=list)

    @property
    def cpu_ms(self) -> float:
        """CPU of the web process for one request, the median."""
        return percentile(self.cpu, 50)

    @property
    def per_second(self) -> float:
        """Requests that eight people get through in a second."""
        return len(self.together) / max(1e-9, self.together_seconds)


def percentile(seconds: Iterable[float], percent: int) -> float:
    """Return a percentile in milliseconds."""
    values = list(seconds)
    if len(values) < 2:
        return 1000 * sum(values)
    return 1000 * quantiles(values, n=100, method="inclusive")[percent - 1]


class Run:
    """The measurements of all businesses."""

    def __init__(self, businesses: list[Business], seconds: float) -> None:
        self.boards = [Board.opened(business) for business in businesses]
        self.series = {(board.business.name, act): Series() for board in self.boards for act in board.acts()}
        self.seconds = seconds

    def measure(self) -> None:
        """Warm up, count, and let everything take turns until the time is up."""
        for board in self.boards:
            for name, act in board.acts().items():
                self._alone(board, act, WARM_UP, Series())
                self._count(board, name, act)
        share = self.seconds / ROUNDS / sum(len(group) for board in self.boards for group in GROUPS)
        jobs = [(board, group) for board in self.boards for group in GROUPS]
        for turn in range(ROUNDS):
            # Another order each time, so that nothing always comes after the same.
            for board, group in jobs[turn:] + jobs[:turn]:
                acts = [(board.acts()[name], self.series[board.business.name, name]) for name in group]
                self._in_turns(share * 0.45 * len(group), board, acts)
                for act, series in acts:
                    self._together_for(share * 0.55, board, act, series)

    def _count(self, board: Board, name: str, act: Act) -> None:
        client = board.business.clients[0]
        series = self.series[board.business.name, name]
        for _turn in range(3):
            statements, size = counted(act, client, 0)
            series.statements.add(statements)
            series.sizes.append(size)
        client.close()

    def _alone(self, board: Board, act: Act, times: int, series: Series) -> None:
        client = board.business.clients[0]
        for _turn in range(times):
            series.alone.append(act(client, 0, {}).seconds)
        client.close()

    def _in_turns(self, seconds: float, board: Board, acts: list[tuple[Act, Series]]) -> None:
        """One client: an act and its floor by turns, request by request."""
        client, end = board.business.clients[0], time.perf_counter() + seconds
        done = 0
        while time.perf_counter() < end or done < 3:
            for act, series in acts:
                used = board.business.cpu_seconds()
                series.alone.append(act(client, 0, {}).seconds)
                series.cpu.append(board.business.cpu_seconds() - used)
            done += 1
        client.close()

    def _together_for(self, seconds: float, board: Board, act: Act, series: Series) -> None:
        people = range(1, TOGETHER + 1)
        start = threading.Barrier(TOGETHER + 1)
        took: dict[int, list[float]] = {person: [] for person in people}
        failures: list[BaseException] = []

        def work(person: int) -> None:
            client = board.business.clients[person]
            try:
                start.wait()
                end = time.perf_counter() + seconds
                while time.perf_counter() < end or not took[person]:
                    took[person].append(act(client, person, {}).seconds)
            except BaseException as error:
                failures.append(error)
            finally:
                client.close()

        threads = [threading.Thread(target=work, args=[person]) for person in people]
        for thread in threads:
            thread.start()
        start.wait()
        began = time.perf_counter()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        series.together_seconds += time.perf_counter() - began
        for person in people:
            series.together += took[person]
