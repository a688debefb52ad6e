"""kill -9 at random moments, while documents keep arriving: each becomes one note all the same.

The moments are spread from the first instruction of the process to the settled note, and crowd around the one unsafe
request: just after the patient was read (the claim), while Cliniko takes its time (between claim and settle), and just
after the request arrived (the settling).
"""

import time
from collections import Counter
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.processes.clinic import Clinic
from tests.processes.databases import fresh_database, kinds
from tests.processes.moments import AROUND_THE_REQUEST, Ambush, Moment
from tests.processes.proof import Proof, side_by_side
from tests.processes.verdict import Verdict
from tests.processes.worker import WorkerProcess

TICKS_FIRST = 0.7
"""The share of the kills around a request that befall a worker which has ticked before."""
MOST_MISSES = 3
"""So many starts per kill before the proof gives up: `once` may end before its moment comes."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What one clinic's kills came to."""

    verdict: Verdict
    killed: Counter[Moment]
    commands: Counter[str]
    """What was killed, by command."""
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
    for command, times in sorted(sum((lane.commands for lane in lanes), Counter[str]()).items()):
        proof.add(f"kills_of_{command}", times)
    reduce(add, (lane.verdict for lane in lanes)).add_to(proof)
    proof.add_seconds("first_tick_after_a_kill", [each for lane in lanes for each in lane.recoveries], at_most=20)
    proof.add("measured_starts", sum(len(lane.recoveries) for lane in lanes))
    proof.add("took_seconds", round(time.monotonic() - started))
    return proof


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
        self.killed: Counter[Moment] = Counter()
        self.commands: Counter[str] = Counter()
        self.recoveries: list[float] = []

    def run(self, count: int) -> Lane:
        for _ in range(count // 2):
            self.clinic.a_document(before_business=True)
        for _ in range(count * MOST_MISSES):
            if self.killed.total() == count:
                break
            self._start_and_kill()
        self.clinic.start("backfill", "--since", self.clinic.opened_on).wait()
        self.recoveries.append(self.clinic.finish())
        return Lane(self.clinic.judge(), self.killed, self.commands, self.recoveries)

    def _start_and_kill(self) -> None:
        moment = self.random.choice(list(Moment))
        ambush = Ambush(moment, self.clinic, self.random)
        self._documents_arrive()
        process = self._start()
        if process.arguments == ("run",) and moment in AROUND_THE_REQUEST and self.random.random() < TICKS_FIRST:
            self._let_it_tick(process)
            ambush = Ambush(moment, self.clinic, self.random)
            self._documents_arrive()
        ambush.wait(process, start_seconds=max(self.recoveries, default=1.5))
        if process.kill():
            self.killed[moment] += 1
            self.commands[process.arguments[0]] += 1

    def _start(self) -> WorkerProcess:
        backfill = ("backfill", "--since", self.clinic.opened_on)
        return self.clinic.start(*self.random.choice([("run",), ("run",), ("once",), backfill]))

    def _documents_arrive(self) -> None:
        for _ in range(self.random.choice((1, 1, 2, 3))):
            self.clinic.a_document()

    def _let_it_tick(self, process: WorkerProcess) -> None:
        process.wait_for_good_tick()
        if self.killed:
            self.recoveries.append(process.age)
