"""SIGSTOP around the request, for longer than the second look, then SIGCONT: as a laptop's lid or a full host does it.

Whoever stands still keeps its clinicians: a second worker that is started meanwhile refuses and names it. When
the first goes on, the moment of its request is long past; one note comes of each document all the same.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.processes.clinic import Clinic
from tests.processes.databases import fresh_database, kinds
from tests.processes.moments import AROUND_THE_REQUEST, Ambush
from tests.processes.proof import Proof, side_by_side
from tests.processes.verdict import Verdict
from tests.processes.worker import WorkerProcess

STANDS_STILL_SECONDS = 3.0
"""Longer than the second look."""
HELD_ELSEWHERE, PARTLY = 3, 1
SETTINGS = {"SYNC_DOUBT_SECOND_LOOK_SECONDS": "2", "CLINIKO_TIMEOUT_SECONDS": "2"}
"""The deadline of a request is shorter than the standstill: who waited for its answer has to look for the note."""


@dataclass
class Lane:
    """What one clinic's standstills came to."""

    stops: int = 0
    refusals: list[float] = field(default_factory=list)
    """Seconds from the start of a second worker to its refusal that named the first."""
    blocked: int = 0
    """Second workers that ended saying that the ledger is locked: the first stands still in a commit."""
    wrong_answers: list[str] = field(default_factory=list)
    verdict: Verdict | None = None


def prove(count: int, *, database: str = "both", seed: int = 1) -> Proof:
    """Stop workers `count` times on each database."""
    started = time.monotonic()
    lanes = side_by_side(lambda job: stop_often(*job), [(kind, count, seed) for kind in kinds(database)])
    proof = Proof(
        f"SIGSTOP for {STANDS_STILL_SECONDS:g} s, then SIGCONT ({' and '.join(kinds(database))}, seed {seed})"
    )
    proof.add("stops", sum(lane.stops for lane in lanes), must_be=count * len(lanes))
    proof.add("refusals_that_named_the_holder", sum(len(lane.refusals) for lane in lanes))
    proof.add("refusals_because_the_ledger_was_locked", sum(lane.blocked for lane in lanes))
    proof.add("second_workers_that_did_not_refuse", sum(len(lane.wrong_answers) for lane in lanes), must_be=0)
    proof.add_seconds("refusal", [each for lane in lanes for each in lane.refusals])
    reduce(add, (lane.verdict for lane in lanes if lane.verdict)).add_to(proof)
    proof.add("took_seconds", round(time.monotonic() - started))
    return proof


def stop_often(kind: str, count: int, seed: int, stands_still: float = STANDS_STILL_SECONDS) -> Lane:
    """Stop one clinic's worker so often, and judge."""
    random, lane = Random(seed), Lane()
    with (
        TemporaryDirectory(prefix="sync-worker-proof-") as folder,
        fresh_database(kind, Path(folder)) as url,
        Clinic(Path(folder), url, seed=seed, settings=SETTINGS) as clinic,
    ):
        first = clinic.start("run")
        first.wait_for_good_tick()
        for _ in range(count):
            ambush = Ambush(random.choice(AROUND_THE_REQUEST), clinic, random)
            clinic.a_document()
            ambush.wait(first)
            first.send(signal.SIGSTOP)
            lane.stops += 1
            ends = time.monotonic() + stands_still
            _try_another(lane, clinic, first, random.choice)
            time.sleep(max(0.0, ends - time.monotonic()))
            ticks = first.good_ticks()
            first.send(signal.SIGCONT)
            first.wait_for_good_tick(ticks)
        clinic.let_settle()
        assert first.end() == 0, first.said()[-2000:]
        lane.verdict = clinic.judge()
    return lane


def _try_another(lane: Lane, clinic: Clinic, first: WorkerProcess, choose: Callable[[list[str]], str]) -> None:
    second = clinic.start(choose(["run", "once"]))
    code, seconds = second.wait(), second.age
    if code == HELD_ELSEWHERE and f"process {first.pid}." in second.said():
        lane.refusals.append(seconds)
    elif code == PARTLY and "locked for too long" in second.said():
        lane.blocked += 1
    else:
        lane.wrong_answers.append(f"exit {code}: {second.said()[-500:]}")
