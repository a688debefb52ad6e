"""Hypothesis tells stories of its own on the simulated practice, and shortens those that break a promise.

`python -m tests.simulation.machine --examples 2000` searches longer than the suite does. 1 if any promise was broken.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests import proofs
from tests.simulation import oracle
from tests.simulation.fate import POST_FAULTS, READ_FAULTS, Calm, Scripted
from tests.simulation.installation import Installation, Shape
from tests.simulation.ledgers import FileLedger, a_folder
from tests.simulation.play import LOOKS_FIRST, settle_down, unheard
from tests.simulation.process import Point

LATE = tuple(f"commit_late:{seconds}" for seconds in (1, 10, 30))
FAULTS = tuple(sorted({fault for faults in POST_FAULTS.values() for fault in faults} | set(LATE)))
WORKERS = ("A", "B")


class DiesIn:
    """Dies at the boundary that is so many further on."""

    def __init__(self, boundaries: int) -> None:
        self._left = boundaries

    def __call__(self, _point: Point) -> bool:
        self._left -= 1
        return self._left == 0


class Practice(RuleBasedStateMachine):
    """What may happen in a practice, in any order; the oracle is asked after each."""

    examples = 0
    steps = 0
    may_lose_ledger = LOOKS_FIRST

    def __init__(self) -> None:
        super().__init__()
        self._around = ExitStack()
        unexpected = self._around.enter_context(unheard())
        self.ledger = FileLedger(a_folder())
        self._around.callback(self.ledger.close)
        self.ledger.make()
        self.unexpected = unexpected
        type(self).examples += 1

    @initialize(
        settle=st.sampled_from([0, 60]), lag=st.sampled_from([0.0, 30.0, 60.0]), skew=st.sampled_from([0.0, 600.0])
    )
    def open(self, settle: int, lag: float, skew: float) -> None:
        shape = Shape(settle_seconds=settle, list_lag_seconds=lag, skew_seconds=skew)
        self.installation = Installation(1, self.ledger, self.ledger.path.parent, shape)
        self.installation.unexpected = self.unexpected
        self.fate = Scripted()
        self.installation.fate = self.fate
        self._around.callback(self.installation.close)
        self.world = self.installation.world
        self.new_document()

    # ------------------------------------------------------------ people

    @rule()
    def new_document(self) -> None:
        """A patient is seen, and a document is written."""
        person = self.world.new_person()
        self.world.new_document(self.world.new_session("physio-1", person))

    @rule(touch=st.booleans())
    def edit(self, touch: bool) -> None:
        """The newest document is changed."""
        self.world.edit_document(self.world.documents[-1], touch=touch)

    @rule()
    def merge(self) -> None:
        """The newest patient's chart is merged into another."""
        self.world.merge_chart(self.world.people[-1])

    @rule()
    def archive_chart(self) -> None:
        """The newest patient's chart is put away."""
        self.world.archive_chart(self.world.people[-1])

    @precondition(lambda self: self.world.creations)
    @rule()
    def archive_note(self) -> None:
        """The newest note is archived."""
        self.world.archive_note(self.world.creations[-1].note_id)

    @precondition(lambda self: self.world.creations)
    @rule()
    def retitle_note(self) -> None:
        """The newest note loses its reference."""
        self.world.retitle_note(self.world.creations[-1].note_id)

    # ------------------------------------------------------------ faults

    @rule(fault=st.sampled_from(FAULTS))
    def spoil_next_post(self, fault: str) -> None:
        """The next request to file a note goes wrong."""
        self.fate.post_faults.append(fault)

    @rule(fault=st.sampled_from(READ_FAULTS))
    def spoil_next_read(self, fault: str) -> None:
        """The next read goes wrong."""
        self.fate.read_faults.append(fault)

    @rule(boundaries=st.integers(1, 40))
    def die_soon(self, boundaries: int) -> None:
        """The worker dies a few boundaries from now."""
        self.fate.dies_at = DiesIn(boundaries)

    @rule()
    def second_worker_while_posting(self) -> None:
        """While the next request is under way, a second worker has a whole tick."""
        self.fate.while_posting.append(lambda: self.installation.tick("B"))

    @rule()
    def lose_locks_while_posting(self) -> None:
        """While the next request is under way, the lock files vanish and a second worker has a whole tick."""

        def act() -> None:
            self.ledger.lose_locks()
            self.installation.tick("B")

        self.fate.while_posting.append(act)

    @rule()
    def lose_locks_before_posting(self) -> None:
        """Between a claim and its request, the lock files vanish and a second worker has a whole tick."""

        def act() -> None:
            self.ledger.lose_locks()
            self.installation.tick("B")

        self.fate.before_posting.append(act)

    @rule(seconds=st.sampled_from([5, 60]))
    def sleep_before_posting(self, seconds: int) -> None:
        """Between a claim and its request, the machine sleeps."""
        self.fate.before_posting.append(lambda: self.installation.time.advance(seconds))

    @rule()
    def merge_while_posting(self) -> None:
        """While the next request is under way, its chart is merged."""
        self.fate.while_posting.append(self.merge)

    @rule(seconds=st.sampled_from([-3600.0, -5.0, 3600.0]))
    def set_clock(self, seconds: float) -> None:
        """The host's clock is set."""
        self.installation.host.step(seconds)

    @precondition(lambda self: self.may_lose_ledger)
    @rule()
    def keep_copy(self) -> None:
        """The ledger is backed up."""
        self.installation.stop_all()
        self.ledger.keep_copy()

    @precondition(lambda self: self.may_lose_ledger and self.ledger.has_copy())
    @rule(by_hand=st.booleans())
    def put_copy_back(self, by_hand: bool) -> None:
        """The ledger is restored as it was."""
        if by_hand:
            self.installation.time.advance(300)
            self.installation.put_copy_back()
        else:
            self.installation.restore_copy()

    # ------------------------------------------------------------ time and work

    @rule(seconds=st.sampled_from([5, 40, 120, 600]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        self.installation.time.advance(seconds)

    @rule(worker=st.sampled_from(WORKERS), seconds=st.sampled_from([20, 120]))
    def tick(self, worker: str, seconds: int) -> None:
        """A worker polls; then some time passes."""
        self.installation.tick(worker)
        self.installation.time.advance(seconds)

    # ------------------------------------------------------------ promises

    @invariant()
    def keeps_its_promises(self) -> None:
        """What is broken now can never be mended."""
        type(self).steps += 1
        if hasattr(self, "installation") and self.installation.has_ledger():
            assert oracle.broken_so_far(self.installation) == []

    def teardown(self) -> None:
        """Everything comes to rest, and the rest is judged."""
        try:
            if hasattr(self, "installation"):
                self.installation.fate = Calm()
                settle_down(self.installation)
                assert oracle.broken_at_the_end(self.installation) == []
        finally:
            self._around.close()


def search(examples: int, steps: int = 25, *, derandomize: bool = False, shorten: bool = True) -> None:
    """Tell so many stories. Raises what was broken, by the shortest story found if it is to `shorten` it."""
    run_state_machine_as_test(
        Practice,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=derandomize,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink] if shorten else [Phase.generate],
        ),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """1 if any promise was broken; the shortest story is printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.machine", description=__doc__)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--lost-ledger", action=argparse.BooleanOptionalAction, default=LOOKS_FIRST)
    parser.add_argument("--shorten", action=argparse.BooleanOptionalAction, default=True)
    asked = parser.parse_args(arguments)
    Practice.may_lose_ledger = asked.lost_ledger
    began = time.monotonic()
    search(asked.examples, asked.steps, shorten=asked.shorten)
    figures = {
        "stories": Practice.examples,
        "steps": Practice.steps,
        "broken": 0,
        "seconds": round(time.monotonic() - began),
    }
    print(", ".join(f"{name} {figure}" for name, figure in figures.items()))  # noqa: T201
    proofs.record("stories by Hypothesis", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
