"""kill -9 at random moments, while documents keep arriving: each becomes one note all the same.

The moments are spread from the first instruction of the process to the settled note, and crowd around the one unsafe
request: just after the patient was read (the claim), while Cliniko takes its time (between claim and settle), and just
after the request arrived (the settling).
"""

import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum, auto
from functools import reduce
from operator import add
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.processes.clinic import Clinic, Verdict, is_look_at_patient
from tests.processes.databases import fresh_database, kinds
from tests.processes.proof import Proof, side_by_side
from tests.processes.worker import LOOK_SECONDS, WorkerProcess

SLOWEST_ANSWER_SECONDS = 0.5
USUAL_START_SECONDS = 1.5
GAP_SECONDS = 0.03
"""About what lies between two steps of the worker."""
MOST_MISSES = 3
"""So many starts per kill before the proof gives up: `once` may end before its moment comes."""
ACCEPTABLE_REASONS = frozenset({"twice_in_doubt"})
"""A document whose worker was killed in both of its attempts waits for a person, by design."""


class Moment(StrEnum):
    """When the kill comes."""

    STARTING = auto()
    READING = auto()
    CLAIMING = auto()
    WAITING = auto()
    SETTLING = auto()


@dataclass(frozen=True, slots=True)
class Lane:
    """What one clinic's kills came to."""

    verdict: Verdict
    killed: Counter[Moment]
    recoveries: list[float]
    """Seconds from the start of a process, after a kill, to its first completed tick."""


def prove(count: int, *, database: str = "both", seed: int = 1) -> Proof:
    """Kill workers `count` times on each database, or `count` times in two clinics where it is only one."""
    chosen = kinds(database)
    jobs = [(kind, count, seed + index) for index, kind in enumerate(chosen)]
    if len(chosen) == 1 and count > 1:
        jobs = [(chosen[0], count - count // 2, seed), (chosen[0], count // 2, seed + 1)]
    started = time.monotonic()
    lanes = side_by_side(lambda job: kill_often(*job), jobs)
    proof = Proof(f"kill -9 at random moments ({' and '.join(chosen)}, seed {seed})")
    proof.add("kills", sum(lane.killed.total() for lane in lanes), must_be=sum(job[1] for job in jobs))
    for moment in Moment:
        proof.add(f"kills_{moment}", sum(lane.killed[moment] for lane in lanes))
    add_verdict(proof, reduce(add, (lane.verdict for lane in lanes)))
    proof.add_seconds("first_tick_after_a_kill", [each for lane in lanes for each in lane.recoveries], at_most=20)
    proof.add("measured_starts", sum(len(lane.recoveries) for lane in lanes))
    proof.add("took_seconds", round(time.monotonic() - started))
    return proof


def add_verdict(proof: Proof, verdict: Verdict) -> None:
    """Put what the stand-in holds into the proof: one note for each document that nobody holds."""
    held = verdict.held.total()
    proof.add("documents", verdict.documents)
    proof.add("notes", verdict.notes)
    proof.add("requests_to_create_a_note", verdict.posts)
    proof.add("died_between_claim_and_settle", verdict.abandoned)
    for name in ("duplicates", "lost", "misfiled", "imagined", "stuck"):
        proof.add(name, getattr(verdict, name), must_be=0)
    proof.add("held_for_a_person", held)
    proof.add("held_without_need", held - sum(verdict.held[reason] for reason in ACCEPTABLE_REASONS), must_be=0)


def kill_often(kind: str, count: int, seed: int) -> Lane:
    """Kill one clinic's workers so often, let the last one finish, and judge."""
    with (
        TemporaryDirectory(prefix="sync-worker-proof-") as folder,
        fresh_database(kind, Path(folder)) as url,
        Clinic(Path(folder), url, seed=seed) as clinic,
    ):
        return _Killer(clinic, Random(seed)).run(count)


class _Killer:
    def __init__(self, clinic: Clinic, random: Random) -> None:
        self.clinic = clinic
        self.random = random
        self.knows_backfill = clinic.knows("backfill")
        self.killed: Counter[Moment] = Counter()
        self.recoveries: list[float] = []

    def run(self, count: int) -> Lane:
        if self.knows_backfill:
            for _ in range(count // 2):
                self.clinic.a_document(before_business=True)
        for _ in range(count * MOST_MISSES):
            if self.killed.total() == count:
                break
            self._start_and_kill()
        if self.knows_backfill:
            self.clinic.start("backfill", "--since", self.clinic.opened_on).wait()
        self.clinic.finish()
        return Lane(self.clinic.judge(), self.killed, self.recoveries)

    def _start_and_kill(self) -> None:
        moment = self.random.choice(list(Moment))
        self.clinic.cliniko.faults.clear()
        self._documents_arrive()
        process = self._start()
        if process.arguments == ("run",) and moment is not Moment.STARTING and self.random.random() < 0.6:
            self._let_it_tick(process)
            self._documents_arrive()
        if moment is Moment.WAITING:
            self.clinic.cliniko.fail_post(f"slow:{SLOWEST_ANSWER_SECONDS}")
        self._wait_for(moment, process)
        self.killed[moment] += process.kill()

    def _start(self) -> WorkerProcess:
        commands: list[tuple[str, ...]] = [("run",), ("run",), ("once",)]
        if self.knows_backfill:
            commands.append(("backfill", "--since", self.clinic.opened_on))
        return self.clinic.start(*self.random.choice(commands))

    def _documents_arrive(self) -> None:
        for _ in range(self.random.choice((1, 1, 2, 3))):
            self.clinic.a_document()

    def _let_it_tick(self, process: WorkerProcess) -> None:
        process.wait_for_good_tick()
        if self.killed:
            self.recoveries.append(process.age)

    def _wait_for(self, moment: Moment, process: WorkerProcess) -> None:
        """Wait for a random point of the moment, at most until the process ends."""
        if moment is Moment.STARTING:
            return time.sleep(self.random.uniform(0, max(self.recoveries, default=USUAL_START_SECONDS)))
        seen, ends = len(self.clinic.cliniko.requests), time.monotonic() + 15
        while not self._has_come(moment, seen) and process.is_running and time.monotonic() < ends:
            time.sleep(LOOK_SECONDS)
        longest = {Moment.READING: 0.2, Moment.WAITING: SLOWEST_ANSWER_SECONDS}.get(moment, GAP_SECONDS)
        time.sleep(self.random.uniform(0, longest))
        return None

    def _has_come(self, moment: Moment, seen: int) -> bool:
        if moment is Moment.CLAIMING:
            return any(is_look_at_patient(request) for request in self.clinic.requests_since(seen))
        if moment is Moment.READING:
            return len(self.clinic.requests_since(seen)) > 0
        return self.clinic.posts(seen) > 0
