"""Proof: a backlog uses the whole of a clinician's share of Cliniko's limit, and never more: on a real clock.

A worker works off documents that wait, while each answer of both stand-ins takes as long as a far service's.
Counted where requests arrive, from Cliniko's first one on: how much of the share was used, the most in any 60 seconds,
and how often the stand-in, which has no more than the share to give, had to refuse. Every note must come out once.

    python -m tests.rate --seconds 120 --per-minute 120 --latency 0.4
"""

import argparse
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from tempfile import TemporaryDirectory

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.commands.setup import open_ledger
from sync_worker.sandbox import Sandbox
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.heidi import HeidiSandbox
from sync_worker.sandbox.wire import Reply, Request
from sync_worker.settings import load_settings
from tests.faults.world import quiet
from tests.proofs import record

LEAST_USED = 0.97
WINDOW_SECONDS = 60.0
SLOW_AFTER = "/patients"
"""Sessions are taken in at full speed, which is not what is measured; from the first chart on all is slow."""


@dataclass
class Arrivals:
    """When Cliniko's requests arrived, and how many were refused."""

    latency: float
    at: list[float] = field(default_factory=list)
    refused: int = 0
    began: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, request: Request, reply: Reply, came_at: float) -> Reply:
        with self._lock:
            if request.path.endswith(SLOW_AFTER):
                self.began.set()
            if self.began.is_set():
                self.at.append(came_at)
            self.refused += reply.status == 429
        return self.slow(reply)

    def slow(self, reply: Reply) -> Reply:
        return replace(reply, delay_seconds=self.latency) if self.began.is_set() else reply

    def used(self, per_minute: int, seconds: float) -> float:
        """The share of what could be sent within so many seconds of the first request that was."""
        return sum(at - self.at[0] < seconds for at in self.at) / (per_minute * seconds / 60)

    def most_in_a_window(self) -> int:
        """The most that arrived within any 60 seconds."""
        first, most = 0, 0
        for number, at in enumerate(self.at):
            while at - self.at[first] >= WINDOW_SECONDS:
                first += 1
            most = max(most, number - first + 1)
        return most


class SlowHeidi(HeidiSandbox):
    """Heidi, far away."""

    def __init__(self, arrivals: Arrivals) -> None:
        super().__init__()
        self._arrivals = arrivals

    def handle(self, request: Request) -> Reply:
        return self._arrivals.slow(super().handle(request))


class SlowCliniko(ClinikoSandbox):
    """Cliniko, far away; it answers after it did what it was asked."""

    def __init__(self, arrivals: Arrivals) -> None:
        super().__init__()
        self._arrivals = arrivals

    def handle(self, request: Request) -> Reply:
        came_at = time.monotonic()
        return self._arrivals.note(request, super().handle(request), came_at)


def backlog(sandbox: Sandbox, user_id: str, documents: int, clock: SystemClock) -> None:
    """So many patients who came one after another, each with a booking and a document that is finished."""
    heidi, cliniko = sandbox.heidi, sandbox.cliniko
    for number in range(documents):
        born = f"{1940 + number % 60}-{number % 12 + 1:02}-{number % 28 + 1:02}"
        family = "".join(chr(ord("a") + int(digit)) for digit in f"{number:04}").capitalize()
        begins = clock.now() - timedelta(hours=2) - number * timedelta(minutes=30)
        patient = cliniko.add_patient(first_name="Mary", last_name=f"Jones{family}", date_of_birth=born)
        cliniko.add_booking(
            practitioner_id=cliniko.practitioner_of(user_id),
            patient_ids=[patient],
            starts_at=begins,
            ends_at=begins + timedelta(minutes=30),
        )
        session = heidi.add_session(
            clinician="physio-1", patient_name=f"Mary Jones{family}", birth_date=born, created_at=begins
        )
        heidi.add_document(session, name="Letter", content=f"# Plan\n\nRest {number} days.")


def measure(seconds: float, per_minute: int, latency: float) -> tuple[Arrivals, Sandbox]:
    """Let a worker work off a backlog for so many seconds from Cliniko's first request on."""
    clock, arrivals = SystemClock(), Arrivals(latency)
    sandbox = Sandbox(SlowHeidi(arrivals), SlowCliniko(arrivals))
    sandbox.cliniko.rate_limit_per_minute = per_minute
    sandbox.heidi.add_clinician(email="a.physio@example.com", user_id="physio-1")
    user_id = sandbox.cliniko.add_user(first_name="Ada", last_name="Physio")
    backlog(sandbox, user_id, int(per_minute * (seconds / 60 + 1) / 2), clock)
    with sandbox, TemporaryDirectory() as folder:
        environment = sandbox.environment() | {
            "HEIDI_USER_EMAIL": "a.physio@example.com",
            "HEIDI_USER_ID": "physio-1",
            "CLINIKO_API_KEY": sandbox.cliniko.key_of(user_id),
            "CLINIKO_RATE_PER_MINUTE": str(per_minute),
            "DATABASE_URL": f"sqlite:///{folder}/ledger.db",
            "SYNC_START_AT": (clock.now() - timedelta(days=30)).date().isoformat(),
            "SYNC_LOOKBACK_DAYS": "30",
            "SYNC_SETTLE_SECONDS": "0",
            "SYNC_BRAKE_POSTS_PER_HOUR": "0",
            "SYNC_TIMEZONE": "Australia/Hobart",
        }
        settings = load_settings(environment, env_file=None)
        worker = Worker(settings, open_ledger(settings, clock), clock)
        ticking = threading.Thread(target=worker.tick_all, kwargs={"full": True})
        ticking.start()
        try:
            arrivals.began.wait(60)
            time.sleep(seconds)
        finally:
            clock.stop.set()
            ticking.join()
            worker.close()
    return arrivals, sandbox


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, record. 1 if the share was not used, or too much was sent, or a note is there twice."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=120.0)
    options.add_argument("--per-minute", type=int, default=120)
    options.add_argument("--latency", type=float, default=0.4)
    wanted = options.parse_args(argv)
    quiet()
    arrivals, sandbox = measure(wanted.seconds, wanted.per_minute, wanted.latency)
    notes = list(sandbox.cliniko.notes.values())
    figures: dict[str, str | int | float] = {
        "seconds": round(wanted.seconds),
        "per_minute": wanted.per_minute,
        "latency_ms": round(wanted.latency * 1000),
        "requests": len(arrivals.at),
        "notes": len(notes),
        "used": f"{arrivals.used(wanted.per_minute, wanted.seconds):.1%}",
        "most_in_60_seconds": arrivals.most_in_a_window(),
        "answers_of_429": arrivals.refused,
        "twice": len(notes) - len({note.patient_id for note in notes}),
    }
    print(" · ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items()))  # noqa: T201
    record("rate", figures)
    is_well = (
        arrivals.used(wanted.per_minute, wanted.seconds) >= LEAST_USED
        and arrivals.most_in_a_window() <= wanted.per_minute
        and not arrivals.refused
        and not figures["twice"]
    )
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
