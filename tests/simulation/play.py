"""One run: a practice at work for some hours while everything goes wrong, then quiet, then judgement."""

import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import stamina
import structlog

from sync_worker.errors import SyncWorkerError
from tests.simulation import oracle
from tests.simulation.fate import Calm, Chance, Rates
from tests.simulation.installation import Installation, Shape
from tests.simulation.ledgers import FileLedger
from tests.simulation.network import Call
from tests.simulation.oracle import Broken, Held
from tests.simulation.people import People
from tests.simulation.process import Process

SESSIONS = 10
MOST_TURNS = 40
MOST_QUIET_TICKS = 150
BETWEEN_TICKS_SECONDS = 120
HOUR = 3600.0
CLOCK_STEPS = (-HOUR, -5.0, HOUR)
LOOKS_FIRST = find_spec("sync_worker.first_look") is not None
"""Only a worker that looks before its first request can know what a lost ledger knew."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is like, beside its seed."""

    rates: Rates = field(default_factory=Rates)
    sessions: int = SESSIONS
    lost_ledger: bool = LOOKS_FIRST
    """Whether the ledger may be lost, and old copies of it put back."""


@dataclass(slots=True)
class Result:
    """How a run ended."""

    seed: int
    broken: list[Broken]
    held: list[Held]
    counts: Counter[str]
    story: list[str] | None = None


@contextmanager
def unheard() -> Iterator[list[str]]:
    """The worker's log goes nowhere, but for the errors that nobody expected, and no retry waits."""
    errors: list[str] = []

    def keep(_logger: Any, _method: str, event: Any) -> Any:
        if event.get("exc_info") and not isinstance(sys.exc_info()[1], SyncWorkerError):
            last = traceback.extract_tb(sys.exc_info()[2])[-1]
            errors.append(f"{event['event']}: {sys.exc_info()[0]} at {Path(last.filename).name}:{last.lineno}")
        raise structlog.DropEvent

    before = structlog.get_config()
    hooks = stamina.instrumentation.get_on_retry_hooks()
    was_testing = stamina.is_testing()
    structlog.configure(processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(40))
    stamina.instrumentation.set_on_retry_hooks([])
    stamina.set_testing(True, attempts=3, cap=True)
    try:
        yield errors
    finally:
        if not was_testing:
            stamina.set_testing(False)
        stamina.instrumentation.set_on_retry_hooks(hooks)
        structlog.configure(**before)


def play(seed: int, ledger: FileLedger, folder: Path, plan: Plan | None = None, *, tells: bool = False) -> Result:
    """Play one run on a ledger that is made anew, and judge it. `tells`: keep the story."""
    with unheard() as unexpected:
        run = _Run(seed, ledger, folder, plan or Plan(), unexpected, tells=tells)
        try:
            return run.play()
        finally:
            run.installation.close()


class _Run:
    def __init__(
        self,
        seed: int,
        ledger: FileLedger,
        folder: Path,
        plan: Plan,
        unexpected: list[str],
        *,
        tells: bool,
    ) -> None:
        self.seed = seed
        self.plan = plan
        self.random = random = Random(seed)
        self.ledger = ledger
        self.nights = Random(f"purges of {seed}")  # its own, so that a seed's story is the same without purges
        ledger.make()
        shape = Shape(
            clinicians=random.choice([1, 1, 1, 2]),
            settle_seconds=random.choice([0, 0, 60, 300]),
            revisions=random.choice(["review", "review", "update_draft"]),
            list_lag_seconds=random.choice([0.0, 0.0, 5.0, 30.0, 60.0]),
            skew_seconds=random.choice([0.0, 0.0, 0.0, 600.0, -600.0]),
        )
        self.installation = Installation(seed, ledger, folder, shape, tells=tells)
        self.installation.unexpected = unexpected
        self.people = People(self.installation, random, sessions=plan.sessions)
        self.has_second = random.random() < 0.4
        self.chance = Chance(random, plan.rates)
        self.chance.meanwhiles = [
            (self._how_likely_people, self.people.act_meanwhile),
            (lambda _: plan.rates.second_worker if self.has_second else 0.0, self._second_ticks),
            (lambda _: plan.rates.lock_lost if self.has_second else 0.0, self._lock_is_lost),
            (lambda _: plan.rates.clock_step_meanwhile, self._clock_steps),
            (lambda _: plan.rates.stop_request, self._stop_is_asked),
        ]

    def play(self) -> Result:
        self.installation.tell(f"seed {self.seed}: {self.installation.shape}, second worker: {self.has_second}")
        self.installation.fate = self.chance
        for _ in range(MOST_TURNS):
            self._turn()
            if self.people.all_have_come() and self.random.random() < 0.2:
                break
        self.installation.fate = Calm()
        settle_down(self.installation)
        broken = oracle.broken_at_the_end(self.installation)
        for each in broken:
            self.installation.tell(f"BROKEN {each.promise}: {each.what}")
        return Result(self.seed, broken, oracle.held(self.installation), self._counts(), self.installation.story)

    def _turn(self) -> None:
        random, installation = self.random, self.installation
        for _ in range(random.randrange(4)):
            self.people.act()
        if random.random() < self.plan.rates.clock_step:
            self._clock_steps()
        if self.plan.lost_ledger:
            self._ledger_suffers()
        if self.nights.random() < self.plan.rates.purge:
            installation.purge()
        names = ["A", "B"] if self.has_second else ["A"]
        for name in random.sample(names, len(names)):
            while not installation.tick(name) and random.random() < 0.5:
                installation.time.advance(5)  # the supervisor starts it again
        installation.time.advance(random.choice([5, 20, BETWEEN_TICKS_SECONDS, BETWEEN_TICKS_SECONDS, 300]))

    def _ledger_suffers(self) -> None:
        drawn = self.random.random()
        if drawn < 0.10:
            self.installation.stop_all()
            self.ledger.keep_copy()
        elif drawn < 0.14:
            self.installation.restore_copy()
        elif drawn < 0.16:
            self.installation.time.advance(300)
            self.installation.put_copy_back()
        elif drawn < 0.19:
            self.installation.time.advance(300)
            self.installation.lose_ledger()

    # ------------------------------------------------------------ while a request is on its way

    def _how_likely_people(self, call: Call) -> float:
        return self.plan.rates.person_while_posting if call.reference else self.plan.rates.person_meanwhile

    def _second_ticks(self, process: Process, _call: Call) -> None:
        self.installation.tick("B" if process.name == "A" else "A")

    def _lock_is_lost(self, process: Process, call: Call) -> None:
        self.installation.tell("the lock files are removed")
        self.ledger.lose_locks()
        self._second_ticks(process, call)

    def _stop_is_asked(self, process: Process, _call: Call) -> None:
        self.installation.tell(f"{process.name}: is asked to stop")
        process.clock.stopping = True

    def _clock_steps(self, *_: object) -> None:
        seconds = self.random.choice(CLOCK_STEPS)
        self.installation.host.step(seconds)
        self.installation.tell(f"the clock is set by {seconds:+.0f} s")

    def _counts(self) -> Counter[str]:
        world, journal = self.installation.world, self.installation.network.journal
        return Counter(
            sessions=len(world.sessions),
            documents=sum(1 for each in world.documents if any(each.texts)),
            notes=len(world.creations),
            requests=len(journal.posts),
            lost_answers=sum(post.end == "lost" for post in journal.posts),
            deaths=self.installation.deaths,
            calls=journal.calls,
            ledger_changes=len(self.installation.ledger_changes),
            purged_rows=self.installation.purged_rows,
        )


def settle_down(installation: Installation) -> None:
    """Let the worker tick until nothing waits for it any more, the nightly walk included; or give up after long."""
    installation.stop("B")
    if installation.has_ledger():
        installation.decisions().resume(None, installation.now())
    for _ in range(2):
        for number in range(MOST_QUIET_TICKS):
            installation.tick()
            if not oracle.is_open(installation):
                break
            if installation.has_ledger():  # posting may have paused itself: somebody reads that and lets it go on
                installation.decisions().resume(None, installation.now())
            installation.time.advance(BETWEEN_TICKS_SECONDS if number < 20 else HOUR / 2)
        installation.purge()
        installation.time.advance(24 * HOUR)  # the next night's walk reads everything again
