"""`make mutate`: change the pure rules in every small way, and see that a test fails each time.

Cosmic Ray makes the mutants in copies of the few files that matter, so the checkout is never touched. The copies hold
neither settings nor plug-ins: the rules and their tests are pure, or the run ends before it begins.
"""

import ast
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome

from tests.mutation.equivalents import EQUIVALENT, LEFT_OUT
from tests.mutation.operators import register

RULES = ("opportunities/states.py", "opportunities/workflow.py", "opportunities/outcome.py")
# The sharp tests take a quarter of a second; only what they let pass meets the properties and the whole table.
SHARP = ("tests/test_states.py", "tests/test_outcome.py", "tests/test_workflow_of_documents.py")
SLOW = ("tests/test_workflow.py", "tests/test_truth_table.py")
BESIDE = ("opportunities/__init__.py", "tests/__init__.py", "tests/truth_table.csv")
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "-W", "error", "-p", "no:cacheprovider")
COMMAND = shlex.join(
    ["sh", "-c", "exec 2>&1; " + " && ".join(shlex.join([*PYTEST, *tests]) for tests in (SHARP, SLOW))]
)
SECONDS = 180.0


@dataclass(frozen=True)
class Tried:
    """A mutant and what became of it."""

    spec: MutationSpec
    outcome: TestOutcome | None
    before: str
    after: str
    output: str

    @property
    def killed(self) -> bool:
        """Whether a test failed."""
        return self.outcome is TestOutcome.KILLED

    @property
    def survived(self) -> bool:
        """Whether all tests passed."""
        return self.outcome is TestOutcome.SURVIVED

    @property
    def equivalent(self) -> bool:
        """Whether it changes no behaviour."""
        return self.survived and (self.before, self.after) in EQUIVALENT

    def __str__(self) -> str:
        place = f"{self.spec.module_path}:{self.spec.start_pos[0]} {self.spec.definition_name or ''}".rstrip()
        return f"{place} ({self.spec.operator_name})\n  - {self.before}\n  + {self.after}"


def mutations() -> list[MutationSpec]:
    """Find every mutation of the rules, but for those in types, which no rule looks at, and those that are left out."""
    with use_db(":memory:", WorkDB.Mode.create) as session:
        init([Path(path) for path in RULES], session, {})
        found = [spec for item in session.work_items for spec in item.mutations]
    types = {Path(path): list(types_in(Path(path))) for path in RULES}
    left_out = re.compile("|".join(LEFT_OUT))
    return sorted(
        (
            spec
            for spec in found
            if not left_out.fullmatch(spec.operator_name)
            and not any(start <= spec.start_pos < end for start, end in types[spec.module_path])
        ),
        key=lambda spec: (RULES.index(str(spec.module_path)), spec.start_pos, spec.operator_name, spec.occurrence),
    )


def types_in(path: Path) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Find where the types of parameters, results and fields begin and end."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        written = getattr(node, "returns", None) or getattr(node, "annotation", None)
        if written is not None:
            yield (written.lineno, written.col_offset), (written.end_lineno, written.end_col_offset)


def move_into_copy(scratch: str) -> None:
    """Give this process its own copy to work in."""
    copy = Path(tempfile.mkdtemp(dir=scratch))
    for path in (*RULES, *SHARP, *SLOW, *BESIDE):
        (copy / path).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, copy / path)
    os.chdir(copy)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    register()


def run_unchanged() -> tuple[TestOutcome, str]:
    """Run the tests on the rules as they are."""
    outcome, output = run_tests(COMMAND, SECONDS)
    return outcome, output


def run_mutated(spec: MutationSpec) -> Tried:
    """Run the tests on one mutant."""
    result = mutate_and_test([spec], COMMAND, SECONDS)
    changed = [line for line in (result.diff or "").splitlines() if not line.startswith(("---", "+++"))]
    before, after = (" ".join(line[1:].strip() for line in changed if line.startswith(sign)) for sign in "-+")
    return Tried(spec, result.test_outcome, before, after, result.output or "")


def report(tried: list[Tried]) -> bool:
    """Print what came of it, and tell whether all is well."""
    survivors = [each for each in tried if each.survived and not each.equivalent]
    untried = [each for each in tried if not each.killed and not each.survived]
    stale = set(EQUIVALENT) - {(each.before, each.after) for each in tried if each.equivalent}
    for each in survivors:
        print(f"\nSURVIVED {each}")
    for each in untried:
        print(f"\nCOULD NOT BE TRIED {each}\n{each.output}")
    for before, after in sorted(stale):
        print(f"\nNO SUCH SURVIVOR, take it out of tests/mutation/equivalents.py\n  - {before}\n  + {after}")

    print()
    for path in RULES:
        own = [each for each in tried if str(each.spec.module_path) == path]
        print(f"{path}: {len(own)} mutants, {sum(each.killed for each in own)} killed")
    equivalent = sum(each.equivalent for each in tried)
    print(
        f"{len(tried)} mutants: {sum(each.killed for each in tried)} killed, {equivalent} equivalent, "
        f"{len(survivors)} survived, {len(untried)} could not be tried"
    )
    if survivors:
        print("No test notices these. Write one that does, or say in tests/mutation/equivalents.py why none can.")
    return not (survivors or untried or stale)


def main() -> int:
    """Try every mutant."""
    started = time.monotonic()
    register()
    specs = mutations()
    workers = int(os.environ.get("WORKERS", "2"))
    with (
        tempfile.TemporaryDirectory() as scratch,
        ProcessPoolExecutor(workers, initializer=move_into_copy, initargs=(scratch,)) as pool,
    ):
        outcome, output = pool.submit(run_unchanged).result()
        if outcome is not TestOutcome.SURVIVED:
            print(output)
            print("The tests fail without any mutation (see above). They run without Django here: keep them pure.")
            return 2
        print(f"Trying {len(specs)} mutants of {', '.join(RULES)} ...", flush=True)
        tried = []
        for each in pool.map(run_mutated, specs):
            tried.append(each)
            if len(tried) % 25 == 0:
                print(f"{len(tried)} tried after {time.monotonic() - started:.0f} s", flush=True)
    fine = report(tried)
    print(f"Took {time.monotonic() - started:.0f} s.")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
