"""No string of any kind comes out where it does not belong, whatever is done; and what looks for them finds them."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import pytest

from sync_worker.logs import get_logger
from tests.canaries import kinds
from tests.canaries.detector import hits
from tests.canaries.kinds import ADDRESSES, FIXED, LEDGER, MADE, TOLD, value_of
from tests.canaries.paths import Path as Walked
from tests.canaries.paths import all_commands, covered, paths
from tests.canaries.world import World, a_world

ELSEWHERE = {"run", "demo", "sandbox", "health", "alarms test", "support-bundle"}
"""Commands without a path here: the service has its own below; the others show nothing of a real practice."""

NEVER_DONE = {"link", "review resolve"}
"""Commands that end otherwise here: the one waits for a person at a browser, the other for a doubt."""


def walked(folder: Path, chosen: Iterable[Walked], ledger_url: str | None = None, **extra: str) -> World:
    """A world in which these paths were walked, one after the other."""
    with a_world(folder, ledger_url, **extra) as world:
        for path in chosen:
            world.walk(path.name, path.walk)
        world.look_behind()
    return world


def test_nothing_comes_out_on_the_usual_paths(tmp_path: Path) -> None:
    world = walked(tmp_path, [path for path in paths() if path.short])
    assert world.found == []
    assert {kind.name for kind in world.kinds} == {kind.name for kind in FIXED} | set(MADE)
    assert kinds.COUNT >= 40
    assert len(world.paths) >= 50
    assert world.lines > 150


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_nothing_comes_out_on_any_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = walked(tmp_path, paths())
    with capsys.disabled():
        print(f"\ncanaries: {kinds.COUNT} kinds x {len(world.paths)} paths, {len(world.found)} hits")  # noqa: T201
    assert world.found == []
    assert {name for name, codes in world.ended.items() if 0 not in codes} == NEVER_DONE


@pytest.mark.postgres
@pytest.mark.proof
@pytest.mark.timeout(600)
def test_nothing_comes_out_of_postgres(tmp_path: Path, postgres_ledger_url: str) -> None:
    """Its address holds a password here, which the test's server does not ask for."""
    url = postgres_ledger_url.replace("postgres@", f"postgres:{value_of('password of the database')}@")
    world = walked(tmp_path, [path for path in paths() if path.short and not path.name.startswith("command db")], url)
    assert world.found == []
    assert b"INSERT INTO public.entries" in world.dump()


def test_every_command_has_its_path() -> None:
    assert all_commands() - ELSEWHERE <= covered()


# ---------------------------------------------------------------- a process of its own


def test_a_service_that_has_its_secrets_in_files_shows_them_nowhere(tmp_path: Path) -> None:
    with a_world(tmp_path) as world:
        world.clinic.restart()
        environment = dict(world.terminal.environment)
        for name in ("HEIDI_API_KEY", "CLINIKO_API_KEY", "SYNC_HEARTBEAT_URL"):
            file = tmp_path / name.lower()
            file.write_text(environment.pop(name))
            environment[f"{name}_FILE"] = str(file)
        for name in ("SYNC_ALERT_SMTP_PASSWORD", "SYNC_ALERT_WEBHOOK_URL"):
            environment.pop(name, None)
        world.a_document()
        command = [sys.executable, "-m", "sync_worker", "run"]
        with subprocess.Popen(
            command, env=environment, cwd=world.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as service:
            until = time.monotonic() + 30
            while not world.clinic.notes() and time.monotonic() < until:
                time.sleep(0.05)
            for process in _family_of(service.pid):
                for file in ("cmdline", "environ"):
                    world._look(f"{file} of a process", Path(f"/proc/{process}/{file}").read_bytes(), "service")
            world._look("temporary files", str(list(world.temporary.rglob("*"))), "service")
            service.send_signal(signal.SIGTERM)
            stdout, stderr = service.communicate(timeout=30)
        world._look("stdout and stderr", stdout + stderr, "service")
        world._look("temporary files", str(list(world.temporary.rglob("*"))), "service")
        world.look_behind()
    assert world.clinic.notes()
    assert b"service.ready" in stderr
    # the two addresses of people are no secrets: the settings have them in plain sight
    people = {"clinician's e-mail", "contact's e-mail"}
    assert [hit for hit in world.found if hit.kind not in people or not hit.place.startswith("environ")] == []


def _family_of(pid: int) -> set[int]:
    """A process and its children's children."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it ended meanwhile
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


# ---------------------------------------------------------------- what looks for them does find them


def _ways_to_write(text: str) -> dict[str, str | bytes]:
    return {
        "plain": f"before {text} behind",
        "in capitals": text.upper(),
        "in an address": f"/x?q={quote(text, safe='')}",
        "as JSON": json.dumps({"x": text}),
        "as UTF-16": text.encode("utf-16-le"),
        "in a key": base64.b64encode(f"{text}:".encode()),
        "behind a byte": base64.b64encode(f"x{text}".encode()),
        "in a file": b"\x00\xff" + text.encode() + b"\x00",
    }


@pytest.mark.parametrize("kind", FIXED, ids=lambda kind: kind.name)
def test_each_kind_is_found_in_every_writing(kind: kinds.Kind) -> None:
    for way, found in _ways_to_write(kind.value).items():
        assert [hit.kind for hit in hits([kind], "here", way, found)] == [kind.name], way
    assert list(hits([kind], "here", "nothing", "Heidi answers and takes the practice's key.")) == []


def test_a_string_that_is_planted_is_found_in_every_place(tmp_path: Path) -> None:
    canary, places = value_of("family name"), {}

    def plant(name: str, path: object) -> None:
        before = len(world.found)
        world.walk(name, path)  # type: ignore[arg-type]
        places[name] = {hit.place for hit in world.found[before:] if hit.kind == "family name"}

    with a_world(tmp_path) as world:
        plant("log", lambda _: get_logger().info("tick.ended", clinician=canary))  # a key that free text may stand in
        plant("stderr", lambda _: print(canary, file=sys.stderr))  # noqa: T201
        plant("stdout", lambda one: one.told.append((canary, False)))
        plant("address", lambda one: one.addresses.append(f"/review?name={canary}"))
        plant("temporary file", lambda one: (one.temporary / "x").write_text(canary))
        (world.temporary / "x").unlink()
        plant("name of a temporary file", lambda one: (one.temporary / f"x-{canary}").touch())
        (world.temporary / f"x-{canary}").unlink()
        with world.clinic.ledger.engine.begin() as db:
            db.exec_driver_sql("UPDATE clinicians SET trouble = ?", (canary,))
        for name in ("ledger.db.old", "backup"):
            (world.folder / name).write_text(canary)
        before = len(world.found)
        world.look_behind()
        behind = {hit.place for hit in world.found[before:]}
    assert places == {
        "log": {"log and stderr"},
        "stderr": {"log and stderr"},
        "stdout": {"stdout"},
        "address": {"addresses of our pages"},
        "temporary file": {"temporary files"},
        "name of a temporary file": {"names of temporary files"},
    }
    kept = {"file ledger.db", "file backup", "file ledger.db.old", "rows of the ledger", "journal of the ledger"}
    assert behind == kept


@pytest.mark.postgres
@pytest.mark.proof
def test_a_string_that_is_planted_is_found_in_a_dump_of_postgres(tmp_path: Path, postgres_ledger_url: str) -> None:
    with a_world(tmp_path, postgres_ledger_url) as world:
        with world.clinic.ledger.engine.begin() as db:
            db.exec_driver_sql("UPDATE clinicians SET trouble = %s", (value_of("family name"),))
        world.look_behind()
    assert {hit.place for hit in world.found} == {"rows of the ledger", "dump of the ledger"}


def test_a_string_in_the_arguments_or_the_environment_of_a_process_is_found(tmp_path: Path) -> None:
    canary = value_of("Heidi key")
    code = "import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, canary], env={**os.environ, "X": canary}, stdin=subprocess.PIPE
    ) as child:
        assert child.pid in _family_of(os.getpid())
        for file in ("cmdline", "environ"):
            until = time.monotonic() + 5
            found = b""
            while canary.encode() not in found and time.monotonic() < until:
                found = Path(f"/proc/{child.pid}/{file}").read_bytes()  # a child has ours until it began
            assert list(hits(FIXED, file, "child", found))
        child.communicate(b"")


def test_what_belongs_somewhere_is_let_be_there_and_nowhere_else() -> None:
    patient = kinds.made("patient's id", "1700000000000000777")
    for place in (LEDGER, TOLD, ADDRESSES):
        assert list(hits([patient], place, "here", patient.value, belongs=place)) == []
    assert list(hits([patient], "log", "here", patient.value))
