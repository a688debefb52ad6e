"""Every single answer to a request for a new note is lost after Cliniko stored the note: so many notes, none twice."""

import time
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tests.processes.clinic import Clinic
from tests.processes.databases import fresh_database, kinds
from tests.processes.proof import Proof, side_by_side
from tests.processes.proxy import Cut, LosingProxy
from tests.processes.verdict import Verdict

CLINICIANS = 4
"""A clinician whose answers get lost sends two requests a tick and no more: several get done sooner."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What came of the requests on one database."""

    verdict: Verdict
    lost: list[Cut]
    posted: int
    most_looks: int
    most_attempts: int


def prove(count: int, *, database: str = "both", seed: int = 1) -> Proof:
    """Lose the answers to `count` requests on each database."""
    started = time.monotonic()
    lanes = side_by_side(lambda kind: lose_answers(kind, count, seed), kinds(database))
    proof = Proof(f"The answer is lost after Cliniko stored the note ({' and '.join(kinds(database))}, seed {seed})")
    proof.add("answers_lost", sum(len(lane.lost) for lane in lanes), must_be=count * len(lanes))
    for cut in Cut:
        proof.add(f"lost_{cut}", sum(lane.lost.count(cut) for lane in lanes))
    proof.add("posted", sum(lane.posted for lane in lanes), must_be=count * len(lanes))
    proof.add("most_looks_at_one", max(lane.most_looks for lane in lanes))
    proof.add("most_attempts_at_one", max(lane.most_attempts for lane in lanes), must_be=1)
    if any(lane.most_looks > 2 for lane in lanes):
        proof.broken.append("looks at one note: more than two")
    reduce(add, (lane.verdict for lane in lanes)).add_to(proof)
    proof.add("took_seconds", round(time.monotonic() - started))
    return proof


def lose_answers(kind: str, count: int, seed: int) -> Lane:
    """Let a worker file so many documents without ever hearing that it did."""
    with (
        TemporaryDirectory(prefix="sync-worker-proof-") as folder,
        fresh_database(kind, Path(folder)) as url,
        Clinic(Path(folder), url, clinicians=CLINICIANS, seed=seed) as clinic,
    ):
        address = urlsplit(clinic.environment["CLINIKO_BASE_URL"])
        for number in range(count):
            clinic.a_document(number % CLINICIANS)
        with LosingProxy(int(address.port or 0), Random(seed)) as proxy:
            clinic.environment["CLINIKO_BASE_URL"] = f"http://127.0.0.1:{proxy.port}{address.path}"
            clinic.finish(seconds=600)
        looks = [row.looks for row in clinic.ask_ledger("SELECT looks FROM attempts")]
        tries = [row.number for row in clinic.ask_ledger("SELECT number FROM attempts")]
        return Lane(clinic.judge(), proxy.lost, clinic.count_entries("posted"), max(looks), max(tries))
