"""Where data can go: told without asking anybody. An override stands in the audit trail before the first request."""

import json
from pathlib import Path
from typing import Any

import pytest

from sync_worker.ledger import Ledger
from sync_worker.ledger.storage import open_engine
from sync_worker.ledger.trail import Event, Step, Trail
from sync_worker.sandbox.heidi import BASE_PATH
from sync_worker.sandbox.wire import LoopbackServer, Reply, Request
from sync_worker.settings import load_settings
from sync_worker.settings.destinations import destinations
from sync_worker.web.history import sentence
from tests.conftest import TestClock
from tests.test_cli import Terminal, terminal  # noqa: F401 - the fixture
from tests.test_settings import PRACTICE

OWNER, WHY = "Dr Zoë O'Owner", "The account moves to Australia in March."
OVERRIDE = {
    "SYNC_DATA_RESIDENCY": "OVERRIDE",
    "SYNC_RESIDENCY_OVERRIDE_BY": OWNER,
    "SYNC_RESIDENCY_OVERRIDE_REASON": WHY,
    "HEIDI_REGION": "us",
}


def steps(terminal: Terminal) -> list[Step]:  # noqa: F811
    """What the trail says of residency, oldest first."""
    trail = Trail(open_engine(terminal.environment["DATABASE_URL"], read_only=True))
    assert trail.breaks() == []
    return [step for step, _ in trail.steps() if step.event.startswith("residency")]


def requests(terminal: Terminal) -> int:  # noqa: F811
    """How many requests reached either service."""
    return len(terminal.sandbox.heidi.requests) + len(terminal.sandbox.cliniko.requests)


# ---------------------------------------------------------------- where data can go


def by_name(environment: dict[str, str]) -> dict[str, Any]:
    settings = load_settings(PRACTICE | environment, env_file=None)
    return {one.name: one for one in destinations(settings)}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        ("postgresql://worker@/ledger?host=db.us.example", ["db.us.example"]),
        ("postgresql://worker@localhost/ledger?host=db.us.example:5433", ["db.us.example"]),
        (
            "postgresql://worker@/ledger?host=a.example&host=b.example,c.example",
            ["a.example", "b.example", "c.example"],
        ),
        ("postgresql://worker@localhost/ledger?hostaddr=203.0.113.9", ["203.0.113.9"]),
        ("postgresql://worker@/ledger?host=/run/postgresql", ["localhost"]),
        ("postgresql://worker@db.example/ledger", ["db.example"]),
    ],
)
def test_a_ledgers_host_is_told_however_its_address_names_it(address: str, hosts: list[str]) -> None:
    settings = load_settings(PRACTICE | {"DATABASE_URL": address}, env_file=None)
    assert [one.host for one in destinations(settings) if one.name == "ledger"] == hosts


def test_each_destination_is_told_with_what_goes_there_and_what_lets_it() -> None:
    found = by_name(
        {
            "SYNC_HEARTBEAT_URL": "https://ping.example/secret-path",
            "SYNC_ALLOWED_HOSTS": "ping.example",
            "DATABASE_URL": "postgresql://worker:db-password@db.example/ledger",
        }
    )
    assert list(found) == ["Heidi", "Cliniko", "heartbeat", "ledger"]
    heidi, cliniko, heartbeat, ledger = found.values()
    assert (heidi.host, heidi.country, heidi.patients_data) == ("au.api.heidihealth.com", "Australia", True)
    assert (cliniko.host, cliniko.country, cliniko.patients_data) == ("api.au3.cliniko.com", "Australia", True)
    assert (heidi.allowed_by, cliniko.allowed_by) == ("HEIDI_REGION=au", "the shard au3 of the keys")
    assert (heartbeat.host, heartbeat.country, heartbeat.patients_data) == ("ping.example", None, False)
    assert heartbeat.allowed_by == "SYNC_HEARTBEAT_URL and SYNC_ALLOWED_HOSTS"
    assert (ledger.host, ledger.allowed_by) == ("db.example", "DATABASE_URL alone")
    assert "Heidi's promise" in heidi.promised
    assert not [word for word in ("secret-path", "db-password", "heidi-secret") if word in str(found)]


def test_an_override_is_told_beside_the_host_that_it_lets_pass() -> None:
    found = by_name(
        {**OVERRIDE, "CLINIKO_BASE_URL": "https://gateway.example/", "SYNC_ALLOWED_HOSTS": "gateway.example"}
    )
    assert (found["Heidi"].country, OWNER in found["Heidi"].allowed_by) == ("the United States", True)
    assert found["Cliniko"].country is None
    assert found["Cliniko"].allowed_by == "CLINIKO_BASE_URL and SYNC_ALLOWED_HOSTS"


def test_the_command_tells_it_and_asks_nobody(terminal: Terminal) -> None:  # noqa: F811
    done = terminal.run("check", "--residency", SYNC_ALLOWED_HOSTS="spare.example")
    assert done.returncode == 0
    for word in ("Heidi: 127.0.0.1", "Cliniko: 127.0.0.1", "goes there", "patients' data: YES", "Residency: AU"):
        assert word in done.stdout
    assert "spare.example is in SYNC_ALLOWED_HOSTS, and nothing goes there" in done.stdout
    told = terminal.json("check", "--residency", **OVERRIDE)
    assert told["residency"] == "OVERRIDE"
    assert told["override"] == {"by": OWNER, "reason": WHY, "hosts": ["us.api.heidihealth.com"]}
    assert {one["country"] for one in told["destinations"]} == {"this machine"}
    assert OWNER in terminal.run("check", "--residency", **OVERRIDE).stdout
    assert terminal.run("check", "--residency", HEIDI_REGION="us").returncode == 2
    assert requests(terminal) == 0
    assert not (terminal.folder / "ledger.db").exists()


# ---------------------------------------------------------------- the override in the audit trail


def test_an_override_is_in_the_trail_before_the_first_request(terminal: Terminal) -> None:  # noqa: F811
    before: list[int] = []

    def handle(request: Request) -> Reply:
        before.append(len(steps(terminal)))
        return terminal.sandbox.heidi.handle(request)

    with LoopbackServer(handle) as heidi:
        terminal.run("once", HEIDI_BASE_URL=heidi.url + BASE_PATH, **OVERRIDE)
    [step] = steps(terminal)
    assert (step.event, step.actor) == (Event.RESIDENCY_OVERRIDDEN, OWNER)
    assert json.loads(step.details or "") == {"hosts": ["us.api.heidihealth.com"], "why": WHY}
    assert f"{OWNER} let clinical data leave Australia to us.api.heidihealth.com: {WHY}" in sentence(step)
    assert before
    assert set(before) == {1}


def test_it_is_written_once_and_again_only_where_something_changed(terminal: Terminal) -> None:  # noqa: F811
    for _ in range(3):
        terminal.run("db", "upgrade", **OVERRIDE)
    assert len(steps(terminal)) == 1
    for changed in (
        {"SYNC_RESIDENCY_OVERRIDE_BY": "Another Owner"},
        {"SYNC_RESIDENCY_OVERRIDE_REASON": "The account does not move after all."},
        {"CLINIKO_BASE_URL": "https://gateway.example/"},
    ):
        terminal.run("db", "upgrade", **OVERRIDE | changed)
        terminal.run("db", "upgrade", **OVERRIDE | changed)
    assert len(steps(terminal)) == 4
    terminal.run("db", "upgrade")
    terminal.run("db", "upgrade")
    terminal.run("db", "upgrade", **OVERRIDE)
    events = [step.event for step in steps(terminal)]
    assert events == ["residency_overridden"] * 4 + ["residency_restored", "residency_overridden"]


@pytest.mark.parametrize(
    "command", [["plan"], ["check"], ["link"], ["audit"], ["review", "show", "1", "--preview"], ["undo", "1"]]
)
def test_what_may_not_write_asks_nobody_before_an_override_is_in_the_trail(
    terminal: Terminal,  # noqa: F811
    command: list[str],
) -> None:
    terminal.run("db", "upgrade")
    more = ["--reason", "wrong_patient"] if command[0] == "undo" else []
    done = terminal.run(*command, *more, **OVERRIDE)
    assert (done.returncode, requests(terminal)) == (1, 0)
    assert "`sync-worker db upgrade`" in done.stdout + done.stderr
    terminal.run("db", "upgrade", **OVERRIDE)
    assert "is not in the audit trail yet" not in terminal.run(*command, *more, **OVERRIDE).stderr


def test_it_is_told_as_long_as_it_stands_and_the_log_never_holds_the_owners_words(
    terminal: Terminal,  # noqa: F811
) -> None:
    for _ in range(2):
        done = terminal.run("once", SYNC_LOG_FORMAT="json", SYNC_LOG_LEVEL="DEBUG", **OVERRIDE)
        [line] = [json.loads(one) for one in done.stderr.splitlines() if "residency.overridden" in one]
        assert (line["level"], line["host"]) == ("warning", "us.api.heidihealth.com")
        assert "lets clinical data leave Australia" in done.stderr
        assert not [word for word in (OWNER, "Owner", WHY, "March") if word in done.stderr + done.stdout]
    for command in ("check", "status"):
        assert "lets clinical data leave Australia" in terminal.run(command, **OVERRIDE).stdout.replace("\n", " ")
    assert "residency" not in terminal.json("status", **OVERRIDE)
    told = terminal.run("log", **OVERRIDE).stdout
    assert f"clinical data was let out of Australia, by {OWNER}, hosts us.api.heidihealth.com; why {WHY}" in told


def test_each_clinicians_trail_holds_it_on_every_database(ledger: Ledger, clock: TestClock) -> None:
    hosts = {"hosts": ["us.api.heidihealth.com"], "why": WHY}
    one, other = (ledger.clinicians.enter(name).clinician_id for name in ("physio-1", "physio-2"))
    for _ in range(2):
        ledger.clinicians.override_residency(one, OWNER, hosts, clock.now())
    assert ledger.clinicians.told_of_residency(one, OWNER, hosts)
    assert not ledger.clinicians.told_of_residency(one, "Another Owner", hosts)
    assert not ledger.clinicians.told_of_residency(other, OWNER, hosts)
    for _ in range(2):
        ledger.clinicians.restore_residency(clock.now())
    assert not ledger.clinicians.told_of_residency(one, OWNER, hosts)
    told = [(step.clinician_id, step.event, step.actor) for step, _ in ledger.trail.steps()]
    assert told == [(one, "residency_overridden", OWNER), (one, "residency_restored", "worker")]
    assert ledger.trail.breaks() == []
