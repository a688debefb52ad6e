"""SIGTERM at random moments of `run`: it finishes its open request, records how it ended, and exits with 0.

Where the peer stalls, the request's own deadline ends it: then the entry may be in doubt, and nothing else.
"""

import signal
import time
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from sync_worker.ledger.storage import open_engine
from sync_worker.sandbox.wire import Request
from tests.processes.clinic import Clinic, is_post
from tests.processes.databases import fresh_database, kinds
from tests.processes.ledgers import bring_to
from tests.processes.moments import Ambush, Moment
from tests.processes.proof import Proof, side_by_side
from tests.processes.verdict import Verdict
from tests.processes.worker import wait_until

LONGEST_STOP_SECONDS = 40
STALLS = ("post", "patients", "documents")
"""What never gets an answer: the one unsafe request, a read of Cliniko, a read of Heidi."""
AS_SHIPPED = {"CLINIKO_TIMEOUT_SECONDS": "35", "HEIDI_TIMEOUT_SECONDS": "20"}


@dataclass
class Lane:
    """What one clinic's stops came to."""

    clean: int = 0
    unborn: int = 0
    """Ended by the signal itself, before the program had taken it over: it had asked nobody anything."""
    left_under_way: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    verdict: Verdict | None = None


def prove(count: int, *, database: str = "both", seed: int = 1) -> Proof:
    """Stop `count` workers on each database, and three more whose peer stalls."""
    started = time.monotonic()
    lanes = side_by_side(lambda job: stop_often(*job), [(kind, count, seed) for kind in kinds(database)])
    stalled = side_by_side(lambda what: stop_while_stalled(what, AS_SHIPPED), STALLS)
    proof = Proof(f"SIGTERM at random moments ({' and '.join(kinds(database))}, seed {seed})")
    proof.add("clean_stops", sum(lane.clean for lane in lanes))
    proof.add("ended_before_the_program_began", sum(lane.unborn for lane in lanes))
    wrong = [what for lane in [*lanes, *stalled] for what in lane.wrong]
    proof.add("other_ends", len(wrong), must_be=0)
    proof.broken += sorted(set(wrong))
    proof.add("left_posting_or_in_doubt", sum(lane.left_under_way for lane in lanes), must_be=0)
    proof.add_seconds("stop", [each for lane in lanes for each in lane.seconds], at_most=LONGEST_STOP_SECONDS)
    stops = [each for lane in stalled for each in lane.seconds]
    proof.add_seconds("stop_while_the_peer_stalls", stops, at_most=LONGEST_STOP_SECONDS)
    proof.add("left_posting_while_the_peer_stalls", sum(lane.left_under_way for lane in stalled), must_be=0)
    reduce(add, (lane.verdict for lane in [*lanes, *stalled] if lane.verdict)).add_to(proof)
    proof.add("took_seconds", round(time.monotonic() - started))
    return proof


def stop_often(kind: str, count: int, seed: int) -> Lane:
    """Stop one clinic's workers so often, let the last one finish, and judge."""
    random, lane = Random(seed), Lane()
    with (
        TemporaryDirectory(prefix="sync-worker-proof-") as folder,
        fresh_database(kind, Path(folder)) as url,
        Clinic(Path(folder), url, seed=seed) as clinic,
    ):
        bring_to(open_engine(url), "head")  # so that its entries can be counted however early the first stop comes
        for _ in range(count):
            ambush = Ambush(random.choice(list(Moment)), clinic, random)
            asked = _requests(clinic)
            for _ in range(random.choice((1, 2, 3))):
                clinic.a_document()
            process = clinic.start("run")
            ambush.wait(process)
            code, seconds = process.end(), process.stopped_within
            lane.seconds.append(seconds)
            lane.left_under_way += clinic.count_entries("posting", "in_doubt")
            if code == 0:
                lane.clean += 1
            elif code == -signal.SIGTERM and _requests(clinic) == asked:
                lane.unborn += 1
            else:
                lane.wrong.append(f"exit {code}: {process.said()[-500:]}")
        clinic.finish()
        lane.verdict = clinic.judge()
    return lane


def stop_while_stalled(what: str, settings: dict[str, str]) -> Lane:
    """Stop a worker to which Heidi or Cliniko does not answer any more; then let it finish, and judge."""
    lane = Lane()
    with TemporaryDirectory(prefix="sync-worker-proof-") as folder:
        url = f"sqlite:///{folder}/ledger.db"
        with Clinic(Path(folder), url) as clinic:
            clinic.a_document()
            peer = clinic.heidi if what == "documents" else clinic.cliniko
            peer.fail(what, "stall", times=9)
            process = clinic.start("run", **settings)
            wait_until(lambda: any(_is_stalled(request, what) for request in list(peer.requests)), "the stall")
            if process.end() != 0:
                lane.wrong.append(f"exit {process.wait()} while {what} stalls")
            lane.seconds.append(process.stopped_within)
            lane.left_under_way += clinic.count_entries("posting")
            peer.faults.clear()
            clinic.finish()
            lane.verdict = clinic.judge()
    return lane


def _is_stalled(request: Request, what: str) -> bool:
    return is_post(request) if what == "post" else request.path.rstrip("/").endswith(f"/{what}")


def _requests(clinic: Clinic) -> int:
    return len(clinic.cliniko.requests) + len(clinic.heidi.requests)
