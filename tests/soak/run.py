"""One soak: the worker's real process, documents that are finished now and then, people at its page, and the looks."""

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from sync_worker.ledger.accounts import Accounts
from sync_worker.ledger.storage import open_engine
from sync_worker.passwords import hash_password
from sync_worker.records import Role
from tests.processes.clinic import Clinic
from tests.processes.databases import fresh_database
from tests.processes.worker import TooLong, WorkerProcess, wait_until
from tests.soak.judges import Soaked
from tests.soak.measure import Sample, look_at
from tests.soak.unlucky import Unlucky
from tests.soak.visitors import Visitors
from tests.web.house import PASSWORD

CLINICIANS = 5
FAULT_SHARE = 0.01
STRANGER_SHARE = 0.04
JUST_OVER = timedelta(minutes=20)
"""How old a session is when its document is finished: sessions of the last two hours are read again at every poll."""
ACCOUNTS = (("owner", Role.ADMIN, None), ("reception", Role.DESK, None), ("physio", Role.CLINICIAN, "physio-1"))
NAP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """How a soak goes. Times are in seconds of real time."""

    warm_up: float
    measured: float
    sessions_per_minute: float
    poll: int
    settle: int
    first_look: int
    second_look: int
    look_every: float
    page_every: float
    patience: float
    """How long the worker may take for what is left at the end."""
    cliniko_rate: int
    """Requests a minute of one clinician: the worker's share; the stand-in refuses more than 200 where it is 90."""

    def settings(self) -> Mapping[str, str]:
        """The worker's settings. No brake: an hour's documents of one clinician are more than it lets pass."""
        return {
            "SYNC_POLL_INTERVAL_SECONDS": str(self.poll),
            "SYNC_SETTLE_SECONDS": str(self.settle),
            "SYNC_DOUBT_FIRST_LOOK_SECONDS": str(self.first_look),
            "SYNC_DOUBT_SECOND_LOOK_SECONDS": str(self.second_look),
            "CLINIKO_RATE_PER_MINUTE": str(self.cliniko_rate),
            "SYNC_BRAKE_POSTS_PER_HOUR": "0",
            "SYNC_WEB_ENABLED": "true",
            "SYNC_WEB_BIND": "127.0.0.1:0",
            "HEIDI_TIMEOUT_SECONDS": "20",
            "CLINIKO_TIMEOUT_SECONDS": "35",
        }


SHORT = Plan(
    warm_up=20,
    measured=30,
    sessions_per_minute=120,
    poll=7,  # a poll may be three seconds late on purpose: the shorter it is, the less of the limit is left for work
    settle=6,  # less than a poll: else a document's second read may come a moment too early
    first_look=1,
    second_look=2,
    look_every=0.4,
    page_every=0.4,
    patience=30,
    cliniko_rate=600,
)


LEAST_HOURS = 0.5
LEAST_WARM_UP = 900
"""The first documents have become notes by then, at the service's own settings."""


def long(hours: float) -> Plan:
    """The service's own settings, five sessions a minute, for so many hours; a twelfth of them warms up."""
    seconds = hours * 3600
    warm_up = max(seconds / 12, LEAST_WARM_UP)
    return Plan(
        warm_up=warm_up,
        measured=seconds - warm_up,
        sessions_per_minute=5,
        poll=120,
        settle=600,
        first_look=30,
        second_look=120,
        look_every=min(30.0, (seconds - warm_up) / 100),
        page_every=20,
        patience=2400,
        cliniko_rate=90,
    )


def soak(plan: Plan, *, database: str = "sqlite", seed: int = 1) -> Soaked:
    """Soak one worker. Raises `TooLong` where it does not come up."""
    with (
        TemporaryDirectory(prefix="sync-worker-proof-") as folder,
        fresh_database(database, Path(folder)) as url,
        Clinic(Path(folder), url, clinicians=CLINICIANS, seed=seed, settings=plan.settings()) as clinic,
    ):
        return _Soak(clinic, url, plan, Random(seed)).run()


class _Soak:
    def __init__(self, clinic: Clinic, database_url: str, plan: Plan, random: Random) -> None:
        self.clinic = clinic
        self.plan = plan
        self.random = random
        self.database_url = database_url
        self.finished: dict[str, tuple[datetime, float]] = {}
        """When each document was finished, and so many seconds into the soak."""
        self.samples: list[Sample] = []
        self.strangers = 0
        clinic.cliniko.rate_limit_per_minute = 200 if plan.cliniko_rate < 200 else None
        self.luck = [
            Unlucky(FAULT_SHARE, Random(random.random()), too_many=said) for said in ("429_retry_after", "429")
        ]
        clinic.heidi.faults, clinic.cliniko.faults = self.luck

    def run(self) -> Soaked:
        process = self.clinic.start("run")
        people = [name for name, _, _ in ACCOUNTS]
        url = self._page_of(process)
        random = Random(self.random.random())
        with Visitors(url, people, every=self.plan.page_every, random=random, more=self._more_addresses) as visitors:
            self._let_time_pass(process, visitors)
            self.clinic.let_settle(self.plan.patience)
        exit_code = process.end() if process.is_running else process.wait()
        return self._soaked(exit_code, visitors.answers)

    def _page_of(self, process: WorkerProcess) -> str:
        """Wait for the page, and give people their logins."""
        wait_until(lambda: bool(process.events("page.ready")) or not process.is_running, "the page")
        if not process.is_running:
            raise TooLong(f"the worker ended: {process.said()[-2000:]}")
        engine = open_engine(self.database_url)
        hashed, now = hash_password(PASSWORD), datetime.now(UTC)
        for name, role, whose in ACCOUNTS:
            Accounts(engine).add(name, role, hashed, heidi_user_id=whose, wants_second_factor=False, now=now)
        engine.dispose()
        return f"http://127.0.0.1:{process.events('page.ready')[0]['port']}"

    def _more_addresses(self) -> Sequence[str]:
        """Each patient's documents, and each clinician's newest entries that wait for a person and that do not."""
        newest = "SELECT max(id) AS id FROM entries GROUP BY clinician_id, status = 'review' ORDER BY id"
        entries = [f"/review/{row.id}" for row in self.clinic.ask_ledger(newest)]
        return [*(f"/patients?patient_id={one}" for one in self.clinic.cliniko.patients), *entries]

    # ------------------------------------------------------------ while it soaks

    def _let_time_pass(self, process: WorkerProcess, visitors: Visitors) -> None:
        plan, began = self.plan, time.monotonic()
        next_document, next_look, next_round = 0.0, plan.warm_up, plan.warm_up * 0.9
        while (at := time.monotonic() - began) < plan.warm_up + plan.measured and process.is_running:
            if at >= next_document:
                next_document += 60 / plan.sessions_per_minute
                self._finish_a_document(at)
            if at >= next_round:
                next_round = math.inf
                visitors.open_all()
            if at >= next_look:
                next_look += plan.look_every
                self.samples.append(look_at(process.pid, at))
                self._forget_requests()
            time.sleep(NAP_SECONDS)

    def _finish_a_document(self, at: float) -> None:
        known = self.random.random() >= STRANGER_SHARE
        self.strangers += not known
        reference = self.clinic.a_document(self.random.randrange(CLINICIANS), age=JUST_OVER, known=known)
        self.finished[reference] = (datetime.now(UTC), at)

    def _forget_requests(self) -> None:
        """Half a day of them would fill this process's memory; they are counted where luck is asked."""
        for stand_in in (self.clinic.heidi, self.clinic.cliniko):
            with stand_in.lock:
                stand_in.requests.clear()

    # ------------------------------------------------------------ afterwards

    def _soaked(self, exit_code: int, pages: Counter[int]) -> Soaked:
        return Soaked(
            samples=self.samples,
            waits=list(self._waits()),
            settle=self.plan.settle,
            poll=self.plan.poll,
            verdict=self.clinic.judge(),
            strangers=self.strangers,
            pages=pages,
            requests=sum(luck.requests for luck in self.luck),
            faults=sum((luck.struck for luck in self.luck), Counter[str]()),
            exit_code=exit_code,
        )

    def _waits(self) -> list[float]:
        """From each document's end to its first note."""
        stored: dict[str, datetime] = {}
        for note in self.clinic.cliniko.notes.values():
            reference = note.title.rpartition("ref ")[2]
            stored[reference] = min(stored.get(reference, note.committed_at), note.committed_at)
        measured = {ref: when for ref, (when, at) in self.finished.items() if at >= self.plan.warm_up}
        return [(stored[ref] - when).total_seconds() for ref, when in measured.items() if ref in stored]
