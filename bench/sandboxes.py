"""Both stand-ins in a process of their own, so that what they take is not counted as the worker's.

`Sandboxes` starts the process and fills it with a made-up clinic: people of `sync_worker.sandbox.people`, a session
with a document for each appointment, sixteen a day. The same asked for twice gives the same clinic, ids and all, so
that requests recorded against one can be sent to another.
"""

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from random import Random
from types import TracebackType
from typing import Any, Self

from sync_worker.sandbox import Sandbox
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.documents import raw_notes, rewrite
from sync_worker.sandbox.heidi import HeidiSandbox
from sync_worker.sandbox.people import PLAIN, Visit, build_people
from sync_worker.sandbox.wire import Reply, Request

A_DAY = 16
"""Sessions of one clinician's day: half an hour each."""
CHARTS = 400
EMAIL, USER_ID = "a.physio@example.com", "physio-1"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it reached a stand-in, and when its answer was ready, on this machine's monotonic clock."""

    service: str
    request: Request
    came_at: float
    answered_at: float


@dataclass(frozen=True, slots=True)
class Clinic:
    """What a clinic looks like: so many documents, of sessions that are over at `now`, newest of today."""

    documents: int
    now: datetime
    booked: bool = True
    tells_email: bool = False
    """Whether Heidi tells the patients' e-mail addresses, where they have one."""

    @property
    def days(self) -> int:
        """How far back the oldest session is."""
        return self.documents // A_DAY + 2

    def at(self, number: int) -> datetime:
        """When a session began: sixteen a day, the newest one first."""
        day, slot = divmod(number, A_DAY)
        return self.now - timedelta(hours=3) - timedelta(days=day) - slot * timedelta(minutes=30)


class Sandboxes:
    """Both stand-ins, until the block is left."""

    def __init__(self, *, latency_seconds: float = 0.0) -> None:
        """`latency_seconds` pass before each answer, as on a way through a country."""
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, latency_seconds), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self.environment: dict[str, str] = self._here.recv()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._here.send(None)
        self._process.join()

    def fill(self, clinic: Clinic) -> None:
        """Put a clinic into them."""
        self._ask("fill", clinic)

    def add(self, count: int, *, now: datetime) -> None:
        """So many documents more, of sessions that ended just now."""
        self._ask("add", count, now)

    def arrivals(self) -> list[Arrival]:
        """What arrived since the last time that this was asked."""
        return list(self._ask("arrivals"))

    def notes(self) -> int:
        """How many notes there are in Cliniko."""
        return int(self._ask("notes"))

    def _ask(self, name: str, *values: Any) -> Any:
        self._here.send((name, values))
        answer = self._here.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


# ---------------------------------------------------------------- in the other process


def _serve(asked: Connection, latency_seconds: float) -> None:
    house = _House(latency_seconds)
    with house.sandbox:
        asked.send(house.environment())
        while (question := asked.recv()) is not None:
            name, values = question
            try:
                asked.send(getattr(house, name)(*values))
            except Exception as error:  # noqa: BLE001 - whoever asked hears of it
                asked.send(error)


class _House:
    def __init__(self, latency_seconds: float) -> None:
        self._arrivals: list[Arrival] = []
        noted = _Noted(self._arrivals, latency_seconds)
        self.heidi, self.cliniko = _Heidi(noted), _Cliniko(noted)
        self.cliniko.rate_limit_per_minute = None
        self.sandbox = Sandbox(self.heidi, self.cliniko)
        self.heidi.add_clinician(email=EMAIL, user_id=USER_ID)
        self._user = self.cliniko.add_user(first_name="Ada", last_name="Physio")
        self._visits: list[Visit] = []
        self._charts: dict[str, str] = {}
        self._numbers = 0

    def environment(self) -> dict[str, str]:
        """The settings that point a worker here."""
        mine = {"HEIDI_USER_EMAIL": EMAIL, "HEIDI_USER_ID": USER_ID}
        return self.sandbox.environment() | mine | {"CLINIKO_API_KEY": self.cliniko.key_of(self._user)}

    def fill(self, clinic: Clinic) -> None:
        rng = Random(1)  # noqa: S311 - repeatable on purpose
        today = clinic.now.astimezone(UTC).date()
        people, visits = build_people(rng, today=today, patients=CHARTS, visits=CHARTS // 2)
        names = Counter(f"{one.first_name[0]} {one.last_name}" for one in people)
        alone = {one.key for one in people if names[f"{one.first_name[0]} {one.last_name}"] == 1}  # no namesakes
        self._visits = [visit for visit in visits if visit.story == PLAIN and visit.patient in alone]
        for one in people:
            self._charts[one.key] = self.cliniko.add_patient(
                first_name=one.first_name,
                last_name=one.last_name,
                date_of_birth=one.birth_date.isoformat() if one.birth_date else None,
                email=one.email,
                preferred_first_name=one.preferred_first_name,
                archived=one.archived,
            )
        emails = {one.key: one.email for one in people} if clinic.tells_email else {}
        for number in range(clinic.documents):
            self._add(clinic.at(number), booked=clinic.booked, emails=emails)

    def add(self, count: int, now: datetime) -> None:
        for number in range(count):
            self._add(now - timedelta(hours=1) - number * timedelta(minutes=30), booked=True, emails={})

    def arrivals(self) -> list[Arrival]:
        found = self._arrivals.copy()
        self._arrivals.clear()
        self.heidi.requests.clear()
        self.cliniko.requests.clear()
        return found

    def notes(self) -> int:
        return len(self.cliniko.notes)

    def _add(self, at: datetime, *, booked: bool, emails: dict[str, str | None]) -> None:
        number, self._numbers = self._numbers, self._numbers + 1
        visit = self._visits[number % len(self._visits)]
        patient = str(visit.patient)
        session_id = self.heidi.add_session(
            clinician=USER_ID,
            patient_name=visit.typed_name,
            birth_date=visit.birth_date.isoformat() if visit.birth_date else None,
            email=emails.get(patient),
            created_at=at,
            updated_at=at + timedelta(minutes=25),
        )
        note = _NOTES[number % len(_NOTES)]
        document = rewrite(note, number=number, name="Treatment summary")
        self.heidi.add_document(
            session_id,
            name="Treatment summary",
            content=document.content,
            content_type=document.markup,
            touch=False,
        )
        if booked:
            self.cliniko.add_booking(
                practitioner_id=self.cliniko.practitioner_of(self._user),
                patient_ids=[self._charts[patient]],
                starts_at=at,
                ends_at=at + timedelta(minutes=30),
            )


@dataclass(frozen=True, slots=True)
class _Noted:
    """Notes what arrives at a stand-in, and lets each answer take a while."""

    arrivals: list[Arrival]
    latency_seconds: float

    def handle(self, service: str, answer: Callable[[Request], Reply], request: Request) -> Reply:
        came_at = time.monotonic()
        reply = replace(answer(request), delay_seconds=self.latency_seconds)
        self.arrivals.append(Arrival(service, request, came_at, time.monotonic() + self.latency_seconds))
        return reply


class _Heidi(HeidiSandbox):
    def __init__(self, noted: _Noted) -> None:
        super().__init__()
        self._noted = noted

    def handle(self, request: Request) -> Reply:
        return self._noted.handle("heidi", super().handle, request)


class _Cliniko(ClinikoSandbox):
    def __init__(self, noted: _Noted) -> None:
        super().__init__()
        self._noted = noted

    def handle(self, request: Request) -> Reply:
        return self._noted.handle("cliniko", super().handle, request)


_NOTES = raw_notes()


def seconds_of(arrivals: Sequence[Arrival]) -> float:
    """From the first request's coming to the last one's answer."""
    return max(one.answered_at for one in arrivals) - min(one.came_at for one in arrivals)
