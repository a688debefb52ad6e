"""Several workers on one Postgres ledger: killed, cut off from it, and held to one rate budget.

Each proof counts in the Cliniko stand-in: one note for each document, none twice, none lost, and nothing that waits for
a hand. Figures are of the queue as it ran: no worker is helped along by anybody.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from tests.processes.clinic import Clinic
from tests.processes.databases import fresh_database
from tests.processes.proof import Proof
from tests.processes.severing import SeveringProxy
from tests.processes.verdict import Verdict
from tests.processes.worker import WorkerProcess, wait_until

CLINICIANS, DOCUMENTS_EACH = 20, 20
SETTINGS = {"SYNC_ENGINE": "procrastinate", "SYNC_TICKS_AT_ONCE": "4"}
BETWEEN_KILLS = (2.0, 6.0)
BETWEEN_CUTS = (0.8, 2.5)
RESTARTS = 0.1
"""The share of the cuts that end every connection, as a restart of the server does."""
ARRIVING_SECONDS = 0.05
SETTLE_SECONDS = 240.0
RATE, SHARING = 60, 6


@dataclass
class Lane:
    """What came of one clinic."""

    verdict: Verdict | None = None
    kills: int = 0
    cuts: int = 0
    cuts_after_the_commit: int = 0
    outages: int = 0
    """How often all connections were cut at once."""
    restarts_needed: int = 0
    """Workers that ended by themselves, and had to be started anew as a supervisor does."""
    settled_seconds: float = 0.0
    """From the last blow to the last settled entry."""
    tracebacks: int = 0
    exit_codes: list[int] = field(default_factory=list)


def prove(count: int, *, database: str = "postgres", seed: int = 1) -> Proof:
    """Kill one of two workers for `count` seconds; cut both off for as long; then count requests."""
    del database  # several workers need Postgres
    started = time.monotonic()
    killed = kill_in_turn(count, seed)
    cut = cut_commits(count, seed)
    busiest, asked = most_in_a_minute(max(count, 130), seed)
    proof = Proof(f"Two workers on one Postgres ledger, {count} s each (seed {seed})")
    proof.add("kills", killed.kills)
    proof.add("connections_cut_at_a_commit", cut.cuts)
    proof.add("cut_after_the_commit", cut.cuts_after_the_commit)
    proof.add("all_connections_cut_at_once", cut.outages)
    proof.add("workers_that_ended_by_themselves", killed.restarts_needed + cut.restarts_needed, must_be=0)
    proof.add("tracebacks", killed.tracebacks + cut.tracebacks, must_be=0)
    proof.add("ends_other_than_0", sum(code != 0 for lane in (killed, cut) for code in lane.exit_codes), must_be=0)
    proof.add_seconds("settled_after_the_last_blow", [killed.settled_seconds, cut.settled_seconds])
    proof.add("requests_of_one_key", asked)
    proof.add("most_requests_of_one_key_in_a_minute", busiest)
    if busiest > RATE:
        proof.broken.append(f"requests of one key in a minute: {busiest}, promised: at most {RATE}")
    for lane in (killed, cut):
        assert lane.verdict is not None
        if lane.verdict.notes != lane.verdict.documents:
            proof.broken.append(f"notes: {lane.verdict.notes}, promised: {lane.verdict.documents}")
    both = [lane.verdict for lane in (killed, cut) if lane.verdict is not None]
    (both[0] + both[1]).add_to(proof)
    proof.add("took_seconds", round(time.monotonic() - started))
    return proof


@contextmanager
def a_clinic(seed: int, clinicians: int = CLINICIANS, **settings: str) -> Iterator[Clinic]:
    """A clinic for several workers, on a ledger that exists."""
    with (
        TemporaryDirectory(prefix="sync-worker-proof-") as folder,
        fresh_database("postgres", Path(folder)) as url,
        Clinic(Path(folder), url, clinicians=clinicians, seed=seed, settings=SETTINGS | settings) as clinic,
    ):
        upgrade = clinic.start("db", "upgrade")
        assert upgrade.wait() == 0, upgrade.said()
        yield clinic


def kill_in_turn(seconds: float, seed: int, *, clinicians: int = CLINICIANS, each: int = DOCUMENTS_EACH) -> Lane:
    """kill -9 one of two workers every few seconds, and start it anew; then let them finish."""
    random, lane = Random(seed), Lane()
    with a_clinic(seed, clinicians) as clinic:
        workers = _two_workers(clinic)
        arriving = _Arriving(clinic, clinicians, each, seconds)
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            arriving.for_a_while(min(left, random.uniform(*BETWEEN_KILLS)))
            victim = random.randrange(2)
            lane.restarts_needed += not workers[victim].is_running
            lane.kills += workers[victim].kill()
            lane.tracebacks += "Traceback" in workers[victim].said()
            workers[victim] = clinic.start("run")
        arriving.all_at_once()
        _finish(clinic, workers, lane)
    return lane


def cut_commits(seconds: float, seed: int, *, clinicians: int = CLINICIANS, each: int = DOCUMENTS_EACH) -> Lane:
    """Cut connections of two workers to Postgres at a commit, before or after it is done; then let them finish."""
    random, lane = Random(seed), Lane()
    with a_clinic(seed, clinicians) as clinic, ExitStack() as stack:
        url = sa.make_url(clinic.environment["DATABASE_URL"])
        proxy = stack.enter_context(SeveringProxy(str(url.host), int(url.port or 5432), random))
        through = url.set(host="127.0.0.1", port=proxy.port)
        clinic.environment["DATABASE_URL"] = through.render_as_string(hide_password=False)
        workers = _two_workers(clinic)
        arriving = _Arriving(clinic, clinicians, each, seconds)
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            arriving.for_a_while(min(left, random.uniform(*BETWEEN_CUTS)))
            if random.random() < RESTARTS:
                lane.outages += 1
                proxy.cut_all()
            else:
                proxy.cut_next()
        arriving.all_at_once()
        proxy.be_calm()
        _finish(clinic, workers, lane)
        lane.cuts, lane.cuts_after_the_commit = len(proxy.cuts), sum(proxy.cuts)
    return lane


def most_in_a_minute(seconds: float, seed: int) -> tuple[int, int]:
    """How many requests of one key arrived in the busiest minute from two workers that wanted more, and in all."""
    with a_clinic(seed, SHARING, CLINIKO_RATE_PER_MINUTE=str(RATE)) as clinic:
        _share_one_key(clinic, SHARING)
        for number in range(SHARING * 40):
            clinic.a_document(number % SHARING)
        workers = [clinic.start("run"), clinic.start("run")]
        stamps = _stamps(clinic, seconds)
        codes = [worker.end() for worker in workers]
        assert codes == [0, 0], codes
    return max(sum(start <= at < start + 60.0 for at in stamps) for start in stamps), len(stamps)


def _stamps(clinic: Clinic, seconds: float) -> list[float]:
    """When each request arrived, as seen by somebody who looks fifty times a second."""
    stamps: list[float] = []
    ends = time.monotonic() + seconds
    while (now := time.monotonic()) < ends:
        stamps += [now] * (len(clinic.cliniko.requests) - len(stamps))
        time.sleep(0.02)
    return stamps


def _share_one_key(clinic: Clinic, clinicians: int) -> None:
    """Let all work by the first one's key, as nobody should: Cliniko counts by it."""
    for number in range(2, clinicians + 1):
        clinic.environment[f"CLINIKO_API_KEY_{number}"] = clinic.environment["CLINIKO_API_KEY_1"]


def _two_workers(clinic: Clinic) -> list[WorkerProcess]:
    """Two workers that have begun: one that finds no database at its start ends, for its supervisor to try again."""
    workers = [clinic.start("run"), clinic.start("run")]
    _wait_until_begun(workers)
    return workers


def _wait_until_begun(workers: list[WorkerProcess]) -> None:
    """Wait for each that runs: before that, SIGTERM ends a process as it does any that has done nothing yet."""
    for worker in workers:
        wait_until(lambda worker=worker: bool(worker.events("service.started")) or not worker.is_running, "a beginning")


class _Arriving:
    """Documents that are finished in Heidi one after another, evenly over a time."""

    def __init__(self, clinic: Clinic, clinicians: int, each: int, seconds: float) -> None:
        self._clinic = clinic
        self._whose = [number % clinicians for number in range(clinicians * each)]
        self._began, self._rate = time.monotonic(), len(self._whose) / seconds
        self._arrived = 0

    def for_a_while(self, seconds: float) -> None:
        """Let arrive what comes within so many seconds."""
        ends = time.monotonic() + seconds
        while (now := time.monotonic()) < ends:
            self._until(int((now - self._began) * self._rate))
            time.sleep(ARRIVING_SECONDS)

    def all_at_once(self) -> None:
        """Let arrive what is left."""
        self._until(len(self._whose))

    def _until(self, arrived: int) -> None:
        for whose in self._whose[self._arrived : arrived]:
            self._clinic.a_document(whose)
            self._arrived += 1


def _finish(clinic: Clinic, workers: list[WorkerProcess], lane: Lane) -> None:
    """Let the workers do what is left, stop them, and judge."""
    began = time.monotonic()
    clinic.let_settle(SETTLE_SECONDS)
    lane.settled_seconds = time.monotonic() - began
    _wait_until_begun(workers)
    for worker in workers:
        lane.restarts_needed += not worker.is_running
        lane.exit_codes.append(worker.end())
        lane.tracebacks += "Traceback" in worker.said()
    lane.verdict = clinic.judge()
