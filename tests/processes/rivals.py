"""Five workers started in the same second on one new ledger: each clinician has exactly one, the others say who.

A new ledger, so that they meet in its migration too. Then a late rival comes alone, and is told at once.
"""

import re
import time
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.processes.clinic import Clinic
from tests.processes.databases import fresh_database, kinds
from tests.processes.proof import Proof
from tests.processes.verdict import Verdict
from tests.processes.worker import WorkerProcess, wait_until

WORKERS = 5
SEVERAL = 3
HELD_ELSEWHERE = 3


Holders = dict[int, tuple[int, int]]
"""By clinician: the number of the process that took the lease, and how often it was taken."""


@dataclass(frozen=True, slots=True)
class Round:
    """One start of five."""

    verdict: Verdict
    refusals: list[float]
    """Seconds from the start to the refusal of those that got nobody, all five starting at once."""
    late_refusal: float | None
    unnamed: int
    """Refusals that did not say who holds the clinicians, or not of all of them."""
    wrong: list[str]


def prove(count: int, *, database: str = "both", seed: int = 1, documents: int = 40) -> Proof:
    """`count` rounds on each database, of one clinician and of several in turn."""
    started = time.monotonic()
    jobs = [(kind, count, seed, documents) for kind in kinds(database)]
    rounds = [each for job in jobs for each in _rounds(*job)]  # one after another: five at once are crowd enough
    proof = Proof(f"{WORKERS} workers at once on one ledger ({' and '.join(kinds(database))}, seed {seed})")
    proof.add("rounds", len(rounds), must_be=count * len(jobs))
    proof.add("refusals", sum(len(each.refusals) for each in rounds))
    wrong = [what for each in rounds for what in each.wrong]
    proof.add("wrong", len(wrong), must_be=0)
    proof.broken += sorted(set(wrong))
    proof.add("refusals_without_the_holders_name", sum(each.unnamed for each in rounds), must_be=0)
    proof.add_seconds("refusal_among_five_starting", [each for one in rounds for each in one.refusals])
    proof.add_seconds(
        "refusal_of_a_late_rival", [each.late_refusal for each in rounds if each.late_refusal is not None]
    )
    reduce(add, (each.verdict for each in rounds)).add_to(proof)
    proof.add("took_seconds", round(time.monotonic() - started))
    return proof


def _rounds(kind: str, count: int, seed: int, documents: int) -> list[Round]:
    return [crowd(kind, SEVERAL if number % 2 else 1, documents, seed + number) for number in range(count)]


def crowd(kind: str, clinicians: int, documents: int, seed: int = 1, *, with_late_rival: bool = True) -> Round:
    """Start five workers at once for so many clinicians; let them file, and judge."""
    with (
        TemporaryDirectory(prefix="sync-worker-proof-") as folder,
        fresh_database(kind, Path(folder)) as url,
        Clinic(Path(folder), url, clinicians=clinicians, seed=seed) as clinic,
    ):
        for number in range(documents):
            clinic.a_document(number % clinicians)
        crowded = [clinic.start("run") for _ in range(WORKERS)]
        ended = _wait_for_decision(crowded)
        holders = _holders(clinic)
        wrong = [problem for process in crowded for problem in _wrong_with(process, holders)]
        if len(holders) != clinicians:
            wrong.append(f"{len(holders)} clinicians are held, not {clinicians}")
        unnamed = sum(not _names(process, holders) for process in crowded if not process.is_running)
        late_refusal = _late_refusal(clinic, holders, wrong) if with_late_rival else None
        clinic.let_settle()
        if _holders(clinic) != holders:
            wrong.append("a clinician changed hands")
        wrong += [f"a holder ended with {code}" for code in [one.end() for one in crowded if one.is_running] if code]
        return Round(clinic.judge(), ended, late_refusal, unnamed, wrong)


def _wait_for_decision(crowded: list[WorkerProcess]) -> list[float]:
    """Wait until each has either ended or ticked; when those ended that did."""
    ended: dict[int, float] = {}

    def are_decided() -> bool:
        for process in crowded:
            if not process.is_running:
                ended.setdefault(process.pid, process.age)
        return all(process.pid in ended or process.events("tick.done") for process in crowded)

    wait_until(are_decided, "five workers to sort themselves out")
    return list(ended.values())


def _holders(clinic: Clinic) -> Holders:
    rows = clinic.ask_ledger("SELECT clinician_id, holder, epoch FROM leases")
    return {row.clinician_id: (int(re.findall(r"\d+", row.holder)[-1]), row.epoch) for row in rows}


def _late_refusal(clinic: Clinic, holders: Holders, wrong: list[str]) -> float:
    late = clinic.start("run")
    code, seconds = late.wait(), late.age
    if code != HELD_ELSEWHERE or not _names(late, holders):
        wrong.append(f"a late rival ended with {code}: {late.said()[-300:]}")
    return seconds


def _names(process: WorkerProcess, holders: Holders) -> bool:
    return all(f"process {pid}." in process.said() for pid, _ in holders.values())


def _wrong_with(process: WorkerProcess, holders: Holders) -> list[str]:
    wrong = ["a clinician was taken more than once"] if any(epoch != 1 for _, epoch in holders.values()) else []
    if process.pid in {pid for pid, _ in holders.values()}:
        return wrong + ([] if process.is_running else ["a holder ended"])
    if process.is_running:
        return [*wrong, "a worker goes on without anybody to work for"]
    if process.wait() != HELD_ELSEWHERE:
        return [*wrong, f"a worker without anybody ended with {process.wait()}"]
    return wrong
