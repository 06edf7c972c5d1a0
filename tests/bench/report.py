"""The tables of a run, the targets, and the figures for the file."""

from dataclasses import dataclass

from tests.bench.measure import TOGETHER, Run, Series, percentile

MOVE_RATIO = 3.0
BOARD_RATIO = 5.0
BOARD_STATEMENTS = 12
MOVE_STATEMENTS = 14
GROWTH = 1.5
HEADS_MS = 150.0


@dataclass
class Target:
    """One promise and what became of it."""

    words: str
    value: float
    limit: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Kept?"""
        return self.value <= self.limit


class Report:
    """What a run came to."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.refused = [line for board in run.boards for line in board.refused]
        self.lost = [f"{board.business.name}: {line}" for board in run.boards for line in board.lost()]
        self.moves = sum(card.moves for board in run.boards for own in board.own for card in own)
        self.memory = {board.business.name: board.business.memory() for board in run.boards}
        self.targets = self._targets()

    @property
    def wrong(self) -> bool:
        """Something was refused or lost."""
        return bool(self.refused or self.lost)

    @property
    def missed(self) -> list[Target]:
        """The promises that were not kept."""
        return [target for target in self.targets if not target.met]

    def _of(self, name: str, act: str) -> Series:
        return self.run.series[name, act]

    def _p50(self, name: str, act: str) -> float:
        return percentile(self._of(name, act).alone, 50)

    def _targets(self) -> list[Target]:
        found = []
        names = [board.business.name for board in self.run.boards]
        for name in names:
            ratio = self._p50(name, "move") / self._p50(name, "move_floor")
            found.append(Target(f"move p50 at {name}, against its floor", ratio, MOVE_RATIO, "x"))
        for name in names:
            ratio = self._p50(name, "board") / self._p50(name, "board_floor")
            found.append(Target(f"board page p50 at {name}, against its floor", ratio, BOARD_RATIO, "x"))
        for act, limit in (("board", BOARD_STATEMENTS), ("move", MOVE_STATEMENTS)):
            counts = {count for name in names for count in self._of(name, act).statements}
            found.append(Target(f"statements of a {act}", max(counts), limit))
            found.append(Target(f"different numbers of statements of a {act} over all sizes", len(counts), 1))
        found += self._growth("board") + self._growth("move")
        found += [
            Target(f"sums of the heads p50 at {name}", self._p50(name, "heads"), HEADS_MS, " ms")
            for name in names
            if name.startswith("100000.")
        ]
        found.append(Target(f"refused of {self.moves} moves of distinct cards", len(self.refused), 0))
        found.append(Target("cards that are not where, or not as often moved as, was answered", len(self.lost), 0))
        return found

    def _growth(self, act: str) -> list[Target]:
        sizes = sorted({board.business.size for board in self.run.boards})
        shapes = {board.business.shape for board in self.run.boards}
        if len(sizes) < 2:
            return []
        low, high = sizes[0], sizes[-1]
        return [
            Target(
                f"{act} p50 at {high:,} against {low:,} ({shape})",
                self._p50(f"{high}.{shape}", act) / self._p50(f"{low}.{shape}", act),
                GROWTH,
                "x",
            )
            for shape in sorted(shapes)
        ]

    def print(self) -> None:
        """Print the tables."""
        first = f"{'cards':>15} {'act':<12} {'p50':>7} {'p95':>7} | {f'p50 of {TOGETHER}':>8} {'p95':>7} {'per s':>6} |"
        print(f"\nMilliseconds by one client, and by {TOGETHER} clients at once; one web process (uvicorn).\n")
        print(f"{first} {'SQL':>5} {'kB':>7} {'CPU ms':>7} | x floor: p50   {f'of {TOGETHER}':>4}   CPU")
        for (name, act), series in self.run.series.items():
            print(f"{self._line(name, act, series)}")
            if act == "heads":
                print(f"{'':>15} memory of the web process: {self.memory[name] / 1e6:.0f} MB\n")
        for target in self.targets:
            verdict = "met   " if target.met else "MISSED"
            print(
                f"  {verdict} {target.words}: {target.value:.4g}{target.unit} (at most {target.limit:g}{target.unit})"
            )
        for line in [*self.refused[:10], *self.lost[:10]]:
            print(f"  {line}")
        print()

    def _line(self, name: str, act: str, series: Series) -> str:
        statements = "/".join(str(count) for count in sorted(series.statements))
        line = (
            f"{name:>15} {act:<12} {percentile(series.alone, 50):7.1f} {percentile(series.alone, 95):7.1f} | "
            f"{percentile(series.together, 50):8.1f} {percentile(series.together, 95):7.1f} {series.per_second:6.0f} | "
            f"{statements:>5} {max(series.sizes) / 1000:7.1f} {series.cpu_ms:7.2f} |"
        )
        floor = self.run.series.get((name, f"{act.removesuffix('_cold')}_floor"))
        if floor is None:
            return line
        ratios = (
            percentile(series.alone, 50) / percentile(floor.alone, 50),
            percentile(series.together, 50) / percentile(floor.together, 50),
            series.cpu_ms / floor.cpu_ms,
        )
        return f"{line} {ratios[0]:12.2f} {ratios[1]:6.2f} {ratios[2]:5.2f}"

    def figures(self) -> dict[str, float | int]:
        """Every figure under a key of its own."""
        found: dict[str, float | int] = {}
        for (name, act), series in self.run.series.items():
            size, _dot, shape = name.partition(".")
            key = f"{act}.{size}.{shape}"
            for percent in (50, 95):
                found[f"{key}.ms_p{percent}_1_client"] = round(percentile(series.alone, percent), 2)
                found[f"{key}.ms_p{percent}_{TOGETHER}_clients"] = round(percentile(series.together, percent), 2)
            found[f"{key}.per_second_{TOGETHER}_clients"] = round(series.per_second, 1)
            found[f"{key}.statements"] = max(series.statements)
            found[f"{key}.bytes"] = max(series.sizes)
            found[f"{key}.cpu_ms"] = round(series.cpu_ms, 3)
            found[f"{key}.requests"] = len(series.alone) + len(series.together)
            floor = self.run.series.get((name, f"{act.removesuffix('_cold')}_floor"))
            if floor is not None:
                ratio = percentile(series.alone, 50) / percentile(floor.alone, 50)
                found[f"{key}.ratio_to_floor"] = round(ratio, 3)
        for name, used in self.memory.items():
            found[f"memory_mb.{name}"] = round(used / 1e6, 1)
        found["moves"] = self.moves
        found["moves_refused"] = len(self.refused)
        found["moves_lost"] = len(self.lost)
        found["targets_missed"] = len(self.missed)
        return found
