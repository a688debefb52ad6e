"""Proof: each way in which the one unsafe request can end has its one meaning, over real sockets, from end to end.

Per row of the table a document is filed while Cliniko, or the network, does what the row says. Right after that tick
its entry must stand where the table says; later ticks must end with one note (with none where it was refused); and no
second request may leave before two looks were recorded and the second one's time had come.

    python -m tests.faults.error_table --count 20
"""

import argparse
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote, urlsplit

from sync_worker.sandbox.cliniko import BASE_PATH, ClinikoSandbox
from sync_worker.sandbox.wire import Reply, Request, html_reply, json_reply
from tests import loopback
from tests.faults.report import report
from tests.faults.world import World, a_world, quiet
from tests.loopback import LOOPBACK, Line, RoughServer

SECOND_LOOK_SECONDS = 120
STATUSES = (400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504)
REFUSED, KEY, WAIT = {400, 404, 422}, {401, 403}, {429}

Treatment = Callable[["Crooked", Line], None]
Network = Callable[[World, ExitStack], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table. `made`: whether Cliniko made the note. `slow`: costs a whole deadline in real time."""

    name: str
    status: str
    treatment: Treatment | None = None
    network: Network | None = None
    made: bool = False
    slow: bool = False


class Crooked:
    """Cliniko on a socket: reads are answered by the stand-in, and a request to create a note is treated as planned."""

    def __init__(self, cliniko: ClinikoSandbox) -> None:
        self.cliniko = cliniko
        self.planned: list[Treatment] = []
        self.on_post: Callable[[], None] = lambda: None
        self.server = RoughServer(self._behave)

    def commit(self, line: Line) -> Reply:
        """Read the request and let the stand-in answer it, so that the note is made."""
        line.read_request()
        return self.cliniko.handle(_request(line.received))

    def _behave(self, line: Line) -> None:
        if line._connection.recv(1, socket.MSG_PEEK) != b"P":
            return line.send(_raw(self.commit(line)))
        self.on_post()
        if self.planned:
            return self.planned.pop(0)(self, line)
        return line.send(_raw(self.commit(line)))


def _request(raw: bytes) -> Request:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    parts = urlsplit(target)
    return Request(method, unquote(parts.path), parse_qsl(parts.query, keep_blank_values=True), headers, body)


def _raw(reply: Reply) -> bytes:
    headers = {**reply.headers, "Content-Length": str(len(reply.body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {reply.status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body


# ---------------------------------------------------------------- what can become of the request


def says(reply: Reply) -> Treatment:
    """An answer without any effect."""

    def treat(_: Crooked, line: Line) -> None:
        line.read_request()
        line.send(_raw(reply))

    return treat


def does(behave: Callable[[Line], None]) -> Treatment:
    """Something below HTTP, without any effect."""
    return lambda _, line: behave(line)


def makes_the_note_and(then: Callable[[Line, Reply], None]) -> Treatment:
    """The note is made; the answer suffers."""

    def treat(crooked: Crooked, line: Line) -> None:
        then(line, crooked.commit(line))

    return treat


def hangs_up_after_reading(line: Line) -> None:
    line.read_request()


def resets_in_the_upload(line: Line) -> None:
    line._connection.recv(40)
    line.reset()


def _cut_body(line: Line, reply: Reply) -> None:
    line.send(_raw(reply)[: -len(reply.body) // 2])


def _drip(line: Line, reply: Reply) -> None:
    whole = _raw(reply)
    line.send(whole[: -len(reply.body)])
    line.drip([whole[-1:]] * 5000)


def _silence(line: Line, _: Reply) -> None:
    line.stopping.wait()


def _instead(reply: Reply) -> Callable[[Line, Reply], None]:
    return lambda line, _: line.send(_raw(reply))


# ---------------------------------------------------------------- what the network can do before it


def port_closed(world: World, stack: ExitStack) -> None:
    """Nobody listens any more."""
    _meet_at(world, stack, loopback.a_refused_url())


def no_address(_: World, stack: ExitStack) -> None:
    """The name of the host has no address."""
    stack.enter_context(patch("socket.getaddrinfo", side_effect=socket.gaierror(-2, "Name or service not known")))


def nobody_accepts(world: World, stack: ExitStack) -> None:
    """The queue of the listener is full: connecting takes for ever."""
    listener = stack.enter_context(socket.socket())
    listener.bind((LOOPBACK, 0))
    listener.listen(0)
    for _ in range(3):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())
    _meet_at(world, stack, f"http://{LOOPBACK}:{listener.getsockname()[1]}/")


def _meet_at(world: World, stack: ExitStack, url: str) -> None:
    client: Any = world.worker.pipelines["physio-1"].cliniko._http
    stack.enter_context(patch.object(client, "base_url", url))


# ---------------------------------------------------------------- the table


def rows() -> Iterator[Row]:
    """Every row."""
    yield Row("port closed", "pending", network=port_closed)
    yield Row("no address", "pending", network=no_address)
    yield Row("connecting takes for ever", "pending", network=nobody_accepts, slow=True)
    yield Row("reset before a byte is read", "in_doubt", does(loopback.hangs_up_unread))
    yield Row("reset in the upload", "in_doubt", does(resets_in_the_upload))
    yield Row("reset halfway", "in_doubt", does(loopback.hangs_up_halfway))
    yield Row("hangs up after reading", "in_doubt", does(hangs_up_after_reading))
    yield Row("silence", "in_doubt", does(loopback.stays_silent), slow=True)
    yield Row("not HTTP", "in_doubt", does(loopback.speaks_otherwise))
    yield Row("cut headers", "in_doubt", does(loopback.cuts_its_head))
    lost: dict[str, Callable[[Line, Reply], None]] = {
        "hangs up": lambda line, _: None,
        "resets": lambda line, _: line.reset(),
        "201 with a cut body": _cut_body,
        "201 with bad JSON": _instead(Reply(201, {"Content-Type": "application/json"}, b'{"id": ')),
        "201 without a body": _instead(Reply(201)),
        "201 without an id": _instead(json_reply(201, {"title": "x"})),
        "201 as a page": _instead(html_reply(201, "Created")),
        "200": _instead(json_reply(200, {})),
        "a redirect": _instead(Reply(302, {"Location": "https://elsewhere.example/"})),
    }
    for name, then in lost.items():
        yield Row(f"made, then {name}", "in_doubt", makes_the_note_and(then), made=True)
    yield Row(
        "made, then silence",
        "in_doubt",
        makes_the_note_and(_silence),
        made=True,
        slow=True,
    )
    yield Row("made, then a dripping body", "in_doubt", makes_the_note_and(_drip), made=True, slow=True)
    for status in STATUSES:
        for page in (False, True):
            yield from _status_rows(status, page=page)


def _status_rows(status: int, *, page: bool) -> Iterator[Row]:
    reply = html_reply(status, "Said by a gateway") if page else json_reply(status, {"message": "No", "errors": {}})
    name = f"{status} as {'a page' if page else 'JSON'}"
    if status in KEY:
        yield Row(name, "pending", says(reply))
    elif status in WAIT:
        yield Row(name, "posted", says(reply))
    elif status in REFUSED and not page:
        yield Row(name, "review", says(reply))
    else:
        yield Row(name, "in_doubt", says(reply))
        yield Row(f"made, then {name}", "in_doubt", makes_the_note_and(_instead(reply)), made=True)


# ---------------------------------------------------------------- filing one document under each


@dataclass
class Bench:
    """A clinic whose Cliniko is crooked."""

    world: World
    crooked: Crooked
    posts: int = 0
    early: list[str] = field(default_factory=list)

    def file(self, row: Row) -> list[str]:
        """File one document while the row happens; what of the table did not hold."""
        world = self.world
        world.clock.advance(3 * 3600)  # nothing of the row before is read again
        self.posts, self.early = 0, []
        notes = len(world.cliniko.notes)
        document = world.a_document(world.a_session(), f"# Plan\n\nRest, {row.name}, {notes}.")
        with ExitStack() as stack:
            self._prepare(row, stack)
            world.tick(full=False)
        broken = [] if (now := self._status(document)) == row.status else [f"the entry was {now}, not {row.status}"]
        ticks_at_rest = 0
        for seconds in (20, 15, 60, 30, 60, 130, 130):
            world.clock.advance(seconds)
            world.tick(full=False)
            ticks_at_rest += self._status(document) in ("posted", "review")
            if ticks_at_rest == 2:
                break
        made = len(world.cliniko.notes) - notes
        posts = 0 if row.network else 1
        posts += 0 if row.made or row.status == "review" else 1
        final, wanted = self._status(document), ("review", 0) if row.status == "review" else ("posted", 1)
        if (final, made) != wanted:
            broken.append(f"in the end the entry was {final}, with {made} notes")
        if self.posts != posts:
            broken.append(f"{self.posts} requests arrived instead of {posts}")
        return [f"{row.name}: {one}" for one in (*broken, *self.early)]

    def _prepare(self, row: Row, stack: ExitStack) -> None:
        if row.treatment is not None:
            self.crooked.planned = [row.treatment]
        if row.network is None:
            return
        attempts, network = self.world.ledger.attempts, row.network
        claim = attempts.claim

        def claim_and_lose_the_way(*args: Any, **named: Any) -> Any:
            attempt = claim(*args, **named)
            network(self.world, stack)
            return attempt

        stack.enter_context(patch.object(attempts, "claim", claim_and_lose_the_way))

    def arrived(self) -> None:
        """A request to create a note arrives: the doubts before it must have been looked for, twice and late enough."""
        self.posts += 1
        query = (
            "SELECT a.looks, a.ended_at FROM attempts a JOIN entries e ON e.id = a.entry_id"
            " WHERE e.status = 'posting' AND a.outcome = 'in_doubt'"
        )
        with self.world.ledger.engine.connect() as db:
            for looks, ended_at in db.exec_driver_sql(query):
                waited = (
                    self.world.clock.now().replace(tzinfo=None) - datetime.fromisoformat(ended_at)
                ).total_seconds()
                if looks < 2 or waited < SECOND_LOOK_SECONDS:
                    self.early.append(f"sent again after {looks} looks and {waited:.0f} s")

    def _status(self, document: str) -> str:
        return self.world.entries().get(document, "missing")


@contextmanager
def a_bench(timeout_seconds: float = 1.0) -> Iterator[Bench]:
    """A clinic on real sockets towards Cliniko."""
    with a_world(CLINIKO_TIMEOUT_SECONDS=str(timeout_seconds)) as world:
        crooked = Crooked(world.cliniko)
        with crooked.server:
            world.cliniko_url = crooked.server.url.rstrip("/") + BASE_PATH
            bench = Bench(world, crooked)
            crooked.on_post = bench.arrived
            world.a_patient()
            yield bench
            world.restart()


# ---------------------------------------------------------------- the long form


def main() -> int:
    """Every row, so many times. 1 if a verdict was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20)
    count = parser.parse_args().count
    quiet()
    table = list(rows())
    broken: list[str] = []
    for row in table:
        with a_bench() as bench:
            broken += [promise for _ in range(count) for promise in bench.file(row)]
    figures = {"rows": len(table), "times_each": count, "requests_judged": len(table) * count, "wrong": len(broken)}
    return report("error_table", figures, broken)


if __name__ == "__main__":
    sys.exit(main())
