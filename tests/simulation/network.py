"""The network between the worker and the two services, without sockets and without waiting.

Each httpx request becomes a call of a sandbox, and its reply an httpx answer or failure, as the wire would have it. The
network keeps a journal of what went over it: the oracle judges by that, and by what the services hold.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl

import httpx

from sync_worker import transport
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.faults import wire_fault
from sync_worker.sandbox.heidi import HeidiSandbox
from sync_worker.sandbox.wire import Reply, Request, Wire, json_reply
from tests.simulation.clocks import TrueTime
from tests.simulation.process import Died, Process

HEIDI_URL = "http://127.0.0.1:7001/api/v2/ml-scribe/open-api/"
CLINIKO_URL = "http://127.0.0.1:7002/v1/"
CLINIKO_PORT = 7002
REFERENCE = re.compile(r"ref ([0-9A-HJKMNP-TV-Z]{8})")

NOT_SENT: dict[str, type[httpx.TransportError]] = {
    "refused_connection": httpx.ConnectError,
    "connect_timeout": httpx.ConnectTimeout,
    "pool_timeout": httpx.PoolTimeout,
}
NOT_READ: dict[str, type[httpx.TransportError]] = {"reset": httpx.ReadError, "write_timeout": httpx.WriteTimeout}
"""The request, or a part of it, left; the service never acted on it."""


@dataclass(slots=True)
class Call:
    """One request, as the simulation sees it."""

    sent: httpx.Request
    request: Request
    is_cliniko: bool
    what: str
    """Method and kind of the address, without ids: "GET sessions/documents"."""
    write: str | None
    """The sandbox's name of the writing route, or None for a read."""
    reference: str | None
    """The reference of the document that a POST would file."""

    @property
    def label(self) -> str:
        """What it is, for the story."""
        return f"{self.what} of {self.reference}" if self.reference else self.what

    @property
    def deadline_seconds(self) -> float:
        return float(self.sent.extensions["timeout"]["read"])


@dataclass(slots=True)
class Post:
    """One request to create a note that left a process. `end` says what its sender could know of it."""

    number: int
    at: float
    reference: str
    patient_id: str
    end: str = "lost"
    """`not_sent`, `refused`, `accepted`, or `lost`: then nobody knows."""


@dataclass(frozen=True, slots=True)
class Look:
    """One whole list of an author's notes that arrived."""

    number: int
    at: float
    practitioner_id: str


class Journal:
    """What went over the network, in its order."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.looks: list[Look] = []
        self.calls = 0
        self.spoilt = 0


class Fate(Protocol):
    """What befalls a request."""

    def latency(self) -> float:
        """Seconds until the service has it."""
        ...

    def fault_of(self, call: Call) -> str | None:
        """What goes wrong with it: a key of `NOT_SENT` or `NOT_READ`, or a fault that the sandboxes know."""
        ...


class Network:
    """Carries requests of any process to the two sandboxes."""

    def __init__(
        self,
        time: TrueTime,
        heidi: HeidiSandbox,
        cliniko: ClinikoSandbox,
        fate: Fate,
        *,
        meanwhile: Callable[[Process, Call, bool], None],
        tell: Callable[[str], None],
    ) -> None:
        """`meanwhile` is what else happens before a request leaves, and (True) while it is under way.

        `tell` takes the story.
        """
        self.journal = Journal()
        self.fate = fate
        self._time = time
        self._heidi = heidi
        self._cliniko = cliniko
        self._meanwhile = meanwhile
        self._tell = tell

    def carry(self, process: Process, sent: httpx.Request) -> httpx.Response:
        """Take a request to its service and bring back what the wire leaves of the answer."""
        call = call_of(sent)
        unsafe = call.write is not None
        process.cross("before", call.what, unsafe=unsafe)
        self.journal.calls += 1
        began = self._time.passed
        fault = self.fate.fault_of(call)
        self.journal.spoilt += fault is not None
        with _its_own_guard():
            self._meanwhile(process, call, False)
        transport.about_to_send()
        post = self._enter_post(call)
        self._time.advance(self.fate.latency())
        try:
            self._meanwhile(process, call, True)
            reply = self._served(call, fault)
            self._tell(f"{process.name}: {call.label} -> {fault or reply.status}")
            process.cross("after", call.what, unsafe=unsafe)
            response = self._delivered(call, reply, began)
        except Died:
            self._tell(f"{process.name}: died after {call.what}")
            raise
        except tuple(NOT_SENT.values()):
            if post:
                post.end = "not_sent"
            raise
        if post:
            post.end = _end_of(reply)
        elif reply.status == 200 and reply.wire is Wire.WHOLE:
            self._note_look(call, reply)
        return response

    # ------------------------------------------------------------ to the service

    def _served(self, call: Call, fault: str | None) -> Reply:
        if fault in NOT_SENT or fault in NOT_READ:
            failure = (NOT_SENT | NOT_READ)[fault]
            self._tell(f"{call.what}: {fault}")
            if "timeout" in fault:
                self._time.advance(call.deadline_seconds)
            raise failure("simulated", request=call.sent)
        if not call.is_cliniko:
            return self._read(fault, lambda: self._heidi.handle(call.request))
        if call.write is None:
            return self._read(fault, lambda: self._cliniko.handle(call.request))
        if fault is not None:
            self._cliniko.fail(call.write, fault)
        try:
            return self._cliniko.handle(call.request)
        finally:
            self._cliniko.faults.clear()

    def _read(self, fault: str | None, good: Callable[[], Reply]) -> Reply:
        match fault:
            case None:
                return good()
            case "429":
                reset = str(int(self._time.now().timestamp()) + 2)
                return Reply(429, {"X-RateLimit-Reset": reset, "Retry-After": "2"})
            case "401" | "403" | "500" | "503":
                return json_reply(int(fault), {"message": "simulated"})
        reply = wire_fault(fault, good)
        if reply is None:
            raise ValueError(f"unknown fault {fault!r}")
        return reply

    # ------------------------------------------------------------ and back

    def _delivered(self, call: Call, reply: Reply, began: float) -> httpx.Response:
        deadline = began + call.deadline_seconds
        if reply.wire is Wire.STALL or self._time.passed + reply.delay_seconds > deadline:
            self._wait_until(deadline)
            raise httpx.ReadTimeout("simulated", request=call.sent)
        self._time.advance(reply.delay_seconds)
        if reply.wire is Wire.DROP:
            raise httpx.RemoteProtocolError("simulated", request=call.sent)
        headers = list(reply.headers.items())
        if reply.wire is Wire.WHOLE:
            return httpx.Response(reply.status, headers=headers, content=reply.body, request=call.sent)
        return httpx.Response(reply.status, headers=headers, stream=self._spoilt(call, reply, deadline))

    def _spoilt(self, call: Call, reply: Reply, deadline: float) -> httpx.SyncByteStream:
        def half() -> Iterator[bytes]:
            yield reply.body[: len(reply.body) // 2]
            if reply.wire is Wire.DRIP:
                self._wait_until(deadline)
                raise httpx.ReadTimeout("simulated", request=call.sent)
            raise httpx.RemoteProtocolError("simulated", request=call.sent)

        return _Body(half())

    def _wait_until(self, moment: float) -> None:
        self._time.advance(max(0.0, moment - self._time.passed))

    # ------------------------------------------------------------ the journal

    def _enter_post(self, call: Call) -> Post | None:
        if call.reference is None:
            return None
        patient_id = str(call.request.json["patient_id"])
        post = Post(self.journal.calls, self._time.passed, call.reference, patient_id)
        self.journal.posts.append(post)
        return post

    def _note_look(self, call: Call, reply: Reply) -> None:
        """Count a whole list of an author's notes; its last page says that it is whole."""
        filters = [value for name, value in call.request.query if name == "q[]"]
        author = next((value for value in filters if value.startswith("practitioner_id:=")), None)
        if call.what != "GET treatment_notes" or author is None or "archived_at:*" not in filters:
            return
        if _has_next(reply.body):
            return
        self.journal.looks.append(Look(self.journal.calls, self._time.passed, author.removeprefix("practitioner_id:=")))


@contextmanager
def _its_own_guard() -> Iterator[None]:
    """Keep the guard of the request under way: another process's tick in this thread has requests of its own."""
    guard = transport._deadline.guard
    try:
        yield
    finally:
        transport._deadline.guard = guard


class _Body(httpx.SyncByteStream):
    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


def call_of(sent: httpx.Request) -> Call:
    """What kind of call a request is."""
    url = sent.url
    request = Request(
        method=sent.method,
        path=url.path,
        query=parse_qsl(url.query.decode(), keep_blank_values=True),
        headers=dict(sent.headers),
        body=sent.read(),
    )
    is_cliniko = url.port == CLINIKO_PORT
    words = [part for part in url.path.split("/")[2 if is_cliniko else 5 :] if part and not part[-1].isdigit()]
    what = f"{sent.method} {'/'.join(words)}"
    write = None
    if sent.method != "GET" and is_cliniko:
        write = {"PATCH": "patch", "DELETE": "archive"}.get(sent.method) or (
            "archive" if words[-1] == "archive" else "post"
        )
    reference = None
    if write == "post" and (found := REFERENCE.search(str(request.json.get("title")))):
        reference = found[1]
    return Call(sent, request, is_cliniko, what, write, reference)


def _has_next(body: bytes) -> bool:
    try:
        value: Any = json.loads(body)
        return bool(value.get("links", {}).get("next")) or "treatment_notes" not in value
    except (ValueError, AttributeError):
        return True


def _end_of(reply: Reply) -> str:
    """What the sender of a POST can know from its answer."""
    is_html = "html" in reply.headers.get("Content-Type", "")
    if reply.wire is not Wire.WHOLE:
        return "lost"
    if reply.status in (401, 403, 429) or (reply.status in (400, 404, 422) and not is_html):
        return "refused"
    if reply.status == 201 and not _is_cut(reply.body):
        return "accepted"
    return "lost"


def _is_cut(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return True
    return False
