"""What is done with the canaries: each path is a name and a function of the world. `short` ones run with the tests."""

import inspect
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyotp

from sync_worker import errors
from sync_worker.__main__ import app, database, review, users
from sync_worker.commands.errors import exit_code_of
from sync_worker.ledger.accounts import Accounts
from sync_worker.logs import get_logger
from sync_worker.records import Role
from sync_worker.sandbox.cliniko import READ_FAULTS, READ_ROUTES, WRITE_FAULTS, WRITE_ROUTES
from sync_worker.sandbox.heidi_state import FAULTS, ROUTES
from sync_worker.sandbox.wire import Reply
from tests.canaries import kinds
from tests.canaries.kinds import BORN, FIRST, LAST, value_of
from tests.canaries.world import LOUD, World
from tests.loopback import Service

SHORT_FAULTS = {
    ("session", "html_200"),
    ("documents", "500"),
    ("patients", "cut"),
    ("post", "422"),
    ("post", "401"),
    ("post", "commit_then_drop"),
}
SHORT_COMMANDS = {"status", "check", "once", "review list", "log", "users add", "settings that are wrong"}
STATUSES = (200, 201, 302, 400, 401, 403, 404, 422, 429, 500, 503)
EXCEPTION = value_of("text of an exception")

Walk = Callable[[World], object]


@dataclass(frozen=True, slots=True)
class Path:
    """One thing that is done; `short` says that it also runs with the tests."""

    name: str
    walk: Walk
    short: bool = True


def paths() -> Iterator[Path]:
    """Every path, the happy one first."""
    yield Path("a note is filed", happy)
    yield Path("every question", questions)
    for route, fault in _heidi_faults():
        yield Path(f"Heidi {route} {fault}", _heidi(route, fault), (route, fault) in SHORT_FAULTS)
    for route, fault in _cliniko_faults():
        yield Path(f"Cliniko {route} {fault}", _cliniko(route, fault), (route, fault) in SHORT_FAULTS)
    for service in ("HEIDI", "CLINIKO"):
        for status in STATUSES:
            yield Path(f"{service} echoes with {status}", _echo(service, status), status == 422)
    for kind in exceptions():
        yield Path(f"{kind.__name__} is logged", _logged(kind))
        yield Path(f"{kind.__name__} ends a tick", _in_a_tick(kind), kind is errors.InvalidResponse)
    for foreign in (ValueError, KeyError, UnicodeEncodeError):
        yield Path(f"{foreign.__name__} ends a command", _ends_a_command(foreign))
    yield Path("nobody catches it", uncaught)
    yield from (Path(f"{name} says all it has", _library(name)) for name in LOUD)
    yield from (Path(f"command {name}", walk, name in SHORT_COMMANDS) for name, walk in commands())
    yield from (Path(f"pages of the {role.value}", _pages(role), role is Role.CLINICIAN) for role in Role)
    yield Path("logins that fail", failing_logins, short=False)
    yield Path("a second factor", second_factor)
    yield Path("requests that are none", odd_requests)
    yield Path("pages while both services are down", pages_in_trouble, short=False)


# ---------------------------------------------------------------- ticks


def happy(world: World) -> None:
    """Filed, seen in Cliniko: the canaries do travel."""
    world.a_document()
    world.clinic.ticks(2)
    assert value_of("text of the document") in str([note.content for note in world.clinic.notes()])


def questions(world: World) -> None:
    """Documents that wait for a person, each for another reason."""
    world.clinic.a_patient("Twin" + FIRST, LAST, BORN)
    world.clinic.a_patient("Twin" + FIRST, LAST, BORN)
    world.a_document(f"Twin{FIRST} {LAST}")
    world.a_document(f"{FIRST} {LAST}", "1999-01-02")
    world.a_document(f"{FIRST} {LAST}", None)
    world.a_document(f"{LAST} {FIRST}", "1961-07-31")
    patient = next(iter(world.clinic.cliniko.patients))
    title, text = value_of("name of the document"), value_of("text of a note that somebody wrote by hand")
    content = {"sections": [{"name": "By hand", "questions": [{"name": "What", "type": "paragraph", "answer": text}]}]}
    world.clinic.cliniko.add_note_by_hand(patient, world.clinic.practitioner_id, title, content)
    session = world.a_document()
    world.clinic.ticks(2)
    world.clinic.heidi.edit_patient(session, patient_name=value_of("name of another who was searched for"))
    world.clinic.ticks(2, every=3600)


def _heidi_faults() -> Iterator[tuple[str, str]]:
    yield from ((route, fault.replace("SECONDS", "0.01")) for route in ROUTES for fault in sorted(FAULTS))


def _cliniko_faults() -> Iterator[tuple[str, str]]:
    for routes, faults in ((READ_ROUTES, READ_FAULTS), (WRITE_ROUTES, WRITE_FAULTS)):
        yield from ((route, fault.replace("SECONDS", "0.01")) for route in routes for fault in sorted(faults))


def _heidi(route: str, fault: str) -> Walk:
    def walk(world: World) -> None:
        if route == "jwt":
            world.clinic.restart()
        world.clinic.heidi.fail(route, fault, times=3)
        _file(world)
        world.clinic.heidi.faults.clear()

    return walk


def _cliniko(route: str, fault: str) -> Walk:
    def walk(world: World) -> None:
        world.clinic.cliniko.fail(route, fault, times=3)
        _file(world)
        if route in ("patch", "archive"):
            world.say("undo", "1", "--reason", "wrong_patient")
            world.clinic.tick(full=False)
        world.clinic.cliniko.faults.clear()

    return walk


def _file(world: World) -> None:
    world.a_document()
    world.clinic.tick(full=False)


def _echo(service: str, status: int) -> Walk:
    """A service, or whatever stands before it, sends back everything that nobody should repeat."""

    def walk(world: World) -> None:
        said = " ".join(kind.value for kind in [*kinds.PATIENT, *kinds.SECRETS, *kinds.FOREIGN])
        body = json.dumps(
            {"message": said, "errors": {said: said}, "detail": [{"loc": [said], "msg": said}], "id": said}
        )
        header = value_of("header of an answer")
        headers = {
            "Content-Type": "application/json",
            "Retry-After": "0",
            "X-Echo": header,
            "Location": f"https://{header}.example/{header}",
        }
        with Service(Reply(status, headers, body.encode())) as echo:
            world.say("once", **{f"{service}_BASE_URL": echo.url})
            world.say("check", **{f"{service}_BASE_URL": echo.url})

    return walk


# ---------------------------------------------------------------- exceptions


def exceptions() -> list[type[errors.SyncWorkerError]]:
    """Every class of errors.py."""
    found = inspect.getmembers(errors, inspect.isclass)
    return [one for _, one in found if issubclass(one, errors.SyncWorkerError)]


def _raised(kind: type[BaseException]) -> BaseException:
    """One with a text that nobody may repeat, and with a cause that has one too."""
    if issubclass(kind, errors.RemoteError):
        error: BaseException = kind("cliniko", "find_patients", status=500, hint=EXCEPTION)
    elif issubclass(kind, UnicodeEncodeError):
        error = UnicodeEncodeError("ascii", EXCEPTION + "é", 0, 1, EXCEPTION)
    else:
        error = kind([EXCEPTION]) if issubclass(kind, errors.ConfigurationError) else kind(EXCEPTION)
    error.__cause__ = ValueError(EXCEPTION)
    return error


def _logged(kind: type[BaseException]) -> Walk:
    def walk(world: World) -> None:
        try:
            raise _raised(kind)
        except kind as error:
            get_logger().exception("tick.failed")
            get_logger().error("tick.failed", exc_info=error, reason=str(error), stack_info=True)
            logging.getLogger("apscheduler.executors.default").exception("Job %s raised", error)

    return walk


def _in_a_tick(kind: type[BaseException]) -> Walk:
    """The pipeline meets it in the middle of a tick; what it lets out is what the scheduler would log."""

    def walk(world: World) -> None:
        error = _raised(kind)

        def fail(*_: object, **__: object) -> None:
            raise error

        pipeline = world.clinic.worker.pipelines["physio-1"]
        http = pipeline.cliniko._http
        kept, http.read = http.read, fail  # type: ignore[method-assign,assignment]
        try:
            world.a_document()
            world.clinic.tick(full=False)
        except kind:
            get_logger().exception("tick.failed")
        finally:
            http.read = kept  # type: ignore[method-assign]

    return walk


def _ends_a_command(kind: type[BaseException]) -> Walk:
    def walk(world: World) -> None:
        def fail() -> int:
            raise _raised(kind)

        assert exit_code_of(fail, as_json=False) == 1

    return walk


def uncaught(world: World) -> None:
    """In a thread, at the end of the program, and where Python can raise nothing."""

    def fail() -> None:
        raise LookupError(EXCEPTION)

    class Dying:
        def __del__(self) -> None:
            raise LookupError(EXCEPTION)

    thread = threading.Thread(target=fail, name=EXCEPTION)
    thread.start()
    thread.join()
    Dying()
    error = LookupError(EXCEPTION)
    sys.excepthook(type(error), error, None)


def _library(name: str) -> Walk:
    def walk(world: World) -> None:
        logger = logging.getLogger(f"{name}.canary")
        said = " ".join(kind.value for kind in kinds.FIXED)
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
            logger.log(level, "said %s", said, extra={"patient": said})
            logger.log(level, said, said)  # which cannot even be formatted
        try:
            raise ValueError(said)
        except ValueError:
            logger.exception(said, stack_info=True)

    return walk


# ---------------------------------------------------------------- commands


def commands() -> Iterator[tuple[str, Walk]]:
    """Every command, in an order in which each finds something to do. What a command must show is not looked at."""
    piped = value_of("password that was piped in") + "\n"
    yield "status", lambda world: (world.say("status"), world.say("status", "--json"))
    yield "check", lambda world: (world.say("check"), world.say("check", "--json"), world.say("check", "--residency"))
    yield "once", lambda world: (world.a_document(), world.say("once"), world.say("once", "--json"))
    yield "plan", lambda world: (world.say("plan"), world.say("plan", "--since", "2020-01-01", "--json"))
    yield "plan with preview", lambda world: world.say("plan", "--since", "2020-01-01", "--preview", shows_all=True)
    yield "review list", lambda world: (world.say("review", "list"), world.say("review", "list", "--json"))
    yield "review show", lambda world: [world.say("review", "show", str(entry), "--json") for entry in (1, 2, 3)]
    yield "review show with preview", lambda world: world.say("review", "show", "2", "--preview", shows_all=True)
    yield (
        "review assign",
        lambda world: world.say("review", "assign", "2", "--patient", next(iter(world.clinic.cliniko.patients))),
    )
    yield "review dismiss", lambda world: world.say("review", "dismiss", "3", "--reason", "filed_by_hand")
    yield "review retry", lambda world: world.say("review", "retry", str(world.house.waiting()[0]))
    yield (
        "review resolve",
        lambda world: (
            world.say("review", "resolve", "4", "--not-there"),
            world.say("review", "resolve", "4", "--note", "77"),
        ),
    )
    yield "pause", lambda world: world.say("pause")
    yield "resume", lambda world: world.say("resume")
    yield "undo", lambda world: (world.say("undo", "1", "--reason", "wrong_patient"), world.clinic.tick())
    yield "audit", lambda world: (world.say("audit"), world.say("audit", "--json"))
    yield "log", lambda world: (world.say("log"), world.say("log", "1"), world.say("log", "--csv"))
    yield "backfill", _backfill
    yield "link", _link
    yield "users add", lambda world: world.say("users", "add", "canaryless", "--role", "admin", typed=piped)
    yield "users list", lambda world: (world.say("users", "list"), world.say("users", "list", "--json"))
    yield "users password", lambda world: world.say("users", "password", "canaryless", typed=piped)
    yield "users second-factor", lambda world: world.say("users", "second-factor", "canaryless")
    yield "users disable", lambda world: world.say("users", "disable", "canaryless")
    yield "users enable", lambda world: world.say("users", "enable", "canaryless")
    yield "db current", lambda world: world.say("db", "current")
    yield "db upgrade", lambda world: world.say("db", "upgrade")
    yield "db backup", lambda world: world.say("db", "backup", str(world.folder / "backup"))
    yield "db restore", _restore
    yield "db move", _move
    yield "settings that are wrong", _wrong_settings
    yield "a ledger that cannot be reached", _no_database


def covered() -> set[str]:
    """The commands that have a path, by their names."""
    return {name.partition(" with ")[0] for name, _ in commands()}


def all_commands() -> set[str]:
    """Every command that the program has."""
    found = {str(one.name or one.callback.__name__) for one in app.registered_commands if one.callback}
    for group, name in ((review, "review"), (users, "users"), (database, "db")):
        found |= {f"{name} {one.name}" for one in group.registered_commands}
    return found


def _backfill(world: World) -> None:
    world.say("backfill", "--since", "2026-01-01")


def _link(world: World) -> None:
    from sync_worker.commands import link

    world.clinic.heidi.add_clinician(email=value_of("clinician's e-mail"), user_id="physio-1", linked=False)
    kept, link.WAIT_SECONDS = link.WAIT_SECONDS, 0
    try:
        world.say("link", shows_all=True)
    finally:
        link.WAIT_SECONDS = kept
        world.clinic.heidi.link(value_of("clinician's e-mail"))


def _restore(world: World) -> None:
    world.say("db", "restore", str(world.folder / "backup"), "--replace")
    world.say("db", "restore", str(world.folder / "no-such-backup"), "--replace")


def _move(world: World) -> None:
    old = f"sqlite:///{world.folder / 'copy.db'}"
    world.say("db", "restore", str(world.folder / "backup"), DATABASE_URL=old)
    world.say("db", "move", f"sqlite:///{world.folder / 'moved.db'}", DATABASE_URL=old)
    world.say("db", "move", f"postgresql://postgres:{value_of('password of the database')}@127.0.0.1:9/none")


def _wrong_settings(world: World) -> None:
    for name in (
        "HEIDI_API_KEY",
        "CLINIKO_API_KEY",
        "DATABASE_URL",
        "SYNC_HEARTBEAT_URL",
        "HEIDI_BASE_URL",
        "HEIDI_USER_EMAIL",
    ):
        world.say("check", **{name: " ".join(kind.value for kind in kinds.SECRETS) + "\n'"})
    world.say("check", SYNC_RESIDENCY_OVERRIDE_BY=value_of("whole name"), SYNC_DATA_RESIDENCY=value_of("family name"))


def _no_database(world: World) -> None:
    password = value_of("password of the database")
    for command in ("status", "once", "check"):
        world.say(
            command,
            DATABASE_URL=f"postgresql://{value_of('given name')}:{password}@127.0.0.1:9/{value_of('family name')}",
        )


# ---------------------------------------------------------------- the page


def _pages(role: Role) -> Walk:
    def walk(world: World) -> None:
        person = world.logged_in(role)
        patient = next(iter(world.clinic.cliniko.patients))
        for page in (
            "/",
            "/review",
            "/history",
            f"/patients?patient_id={patient}",
            "/connect",
            "/healthz",
            "/readyz",
            "/metrics",
        ):
            world.open(person, page)
        for page in ("/healthz", "/readyz", "/metrics"):
            answer = world.house.somebody().client.get(page)
            world.stream.write(answer.text if answer.status_code == 200 else "")  # as secret as the log
        for entry in world.house.waiting()[:3]:
            world.open(person, f"/review/{entry}")
            if "Search" in person.buttons:
                born = value_of("birth date of another who was searched for")
                answer = person.press("Search", name=value_of("name of another who was searched for"), born=born)
                world.addresses.append(str(answer.url))
        person.get("/")
        person.press("Log out") if "Log out" in person.buttons else None

    return walk


def failing_logins(world: World) -> None:
    """Nobody's name, a wrong password, too many tries, a token that is none."""
    somebody = world.house.somebody()
    for _ in range(6):
        somebody.log_in(value_of("name that nobody has at a login"), value_of("password that was typed wrongly"))
    somebody.send(
        "/login", name=value_of("whole name"), password=value_of("password that was typed wrongly"), csrf="none"
    )
    world.addresses.append(str(somebody.page.url))


def second_factor(world: World) -> None:
    """Enrolled, mistyped and passed."""
    name = f"careful-{len(world.paths)}"
    world.house.an_account(name, Role.ADMIN, second_factor=True)
    person = world.house.somebody()
    person.log_in(name)
    person.press("Go on", code="000000")
    person.get("/second-factor")
    shown = person.page.text.partition("into the app: <code>")[2].partition("</code>")[0]
    secret = "".join(shown.split())
    assert len(secret) > 15
    world.kinds.append(kinds.made("secret of the second factor", secret))
    person.press("Go on", code=pyotp.TOTP(secret).at(world.clinic.clock.now()))
    world.addresses.append(str(person.page.url))
    assert Accounts(world.clinic.ledger.engine).find(name)


def odd_requests(world: World) -> None:
    """Addresses, headers and forms that a browser of ours never sends, with and without a login."""
    person = world.logged_in(Role.DESK)
    typed = value_of("path that a visitor typed")
    headers = {
        "User-Agent": value_of("program of a visitor"),
        "Referer": f"https://{value_of('page that a visitor came from')}/",
    }
    for who in (person, world.house.somebody()):
        for path in (
            f"/{typed}",
            f"/review/{typed}",
            f"/patients?patient_id={typed}",
            f"/history?entry={typed}",
            f"/login?next=//{typed}",
        ):
            who.client.get(path, headers=headers)
        who.client.post(f"/review/1/{typed}", data={typed: typed}, headers=headers)
        who.client.post("/login", content=b"\xff" * 100_000, headers=headers)
        who.client.request("BREW", f"/{typed}", headers=headers)


def pages_in_trouble(world: World) -> None:
    """The page asks, and nobody answers well."""
    person = world.logged_in(Role.CLINICIAN)
    world.clinic.cliniko.fail("patients", "500", times=9)
    world.clinic.heidi.fail("session", "html_200", times=9)
    for page in ("/", "/review", *(f"/review/{entry}" for entry in world.house.waiting()[:2])):
        world.open(person, page)
    world.clinic.cliniko.faults.clear()
    world.clinic.heidi.faults.clear()
