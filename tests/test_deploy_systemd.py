"""The units of deploy/systemd: sound, shut tight by systemd's own judgement, and at one with the program."""

import os
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from sync_worker.clock import SystemClock
from sync_worker.commands import audit, database, run
from sync_worker.notify import FEEDINGS
from sync_worker.settings import SECRETS
from sync_worker.upkeep import WATCH_SECONDS
from tests.processes.sigterm import LONGEST_STOP_SECONDS

FOLDER = Path(__file__).parent.parent / "deploy" / "systemd"
PROGRAM = "/opt/sync-worker/.venv/bin/sync-worker"
SERVICES = ("sync-worker", "sync-worker-backup", "sync-worker-audit")
MOST_EXPOSED = "12"
"""Tenths, as systemd-analyze counts: 1.2 of 10. A unit without any of it has 9.6."""
OWN_TO_EACH = {"Type", "ExecStart", "ExecStartPre", "ExecStartPost", "TimeoutStartSec"}
OF_THE_SERVICE = {"WatchdogSec", "Restart", "RestartSec", "RestartPreventExitStatus", "TimeoutStopSec"}
KEPT = 14

Section = dict[str, list[str]]


@pytest.fixture
def analyze() -> str:
    """systemd's own judge of units; it needs no systemd that runs."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("no systemd-analyze: it comes with systemd")
    return found


def section_of(unit: str, name: str = "Service") -> Section:
    """What a section says: each setting's values in their order."""
    section: Section = defaultdict(list)
    current = ""
    for line in (FOLDER / unit).read_text().splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif current == name and line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section[key].append(value)
    return section


def shell_of(unit: str, setting: str) -> list[str]:
    """A command line's words as the kernel gets them: systemd turns %% into % and $$ into $."""
    (line,) = section_of(unit)[setting]
    return [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)]


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_shut_tight(analyze: str, service: str) -> None:
    judged = subprocess.run(
        [
            analyze,
            "security",
            "--no-pager",
            "--offline=true",
            f"--threshold={MOST_EXPOSED}",
            FOLDER / f"{service}.service",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout.splitlines()[-1]
    assert judged.stderr == ""


def test_systemd_finds_nothing_wrong_with_the_units(analyze: str, tmp_path: Path) -> None:
    for unit in FOLDER.iterdir():  # the program is not installed here, which is not what is asked
        if unit.name == "sync-worker-container.service":
            continue  # another way to run the same, judged by itself
        (tmp_path / unit.name).write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
    units = sorted(tmp_path.iterdir())
    assert {unit.name for unit in units} == {
        *(f"{service}.service" for service in SERVICES),
        *(f"{service}.timer" for service in SERVICES[1:]),
    }
    judged = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")


def test_all_three_have_the_same_settings_secrets_and_limits() -> None:
    service, *others = (
        {k: v for k, v in section_of(f"{one}.service").items() if k not in OWN_TO_EACH} for one in SERVICES
    )
    expected = {key: values for key, values in service.items() if key not in OF_THE_SERVICE}
    assert all(other == expected for other in others)


def test_every_secret_has_its_credential_under_the_name_that_the_settings_look_for() -> None:
    loaded = section_of("sync-worker.service")["LoadCredential"]
    names = [name for name, _, _ in (line.partition(":") for line in loaded)]
    assert set(SECRETS) <= set(names)
    assert loaded == [f"{name}:sync-worker.{name}" for name in names]


def test_the_commands_are_there() -> None:
    assert shell_of("sync-worker.service", "ExecStart") == [PROGRAM, run.run.__name__]
    assert shell_of("sync-worker-audit.service", "ExecStart") == [PROGRAM, audit.audit.__name__]
    assert f"{PROGRAM} db {database.backup.__name__} " in shell_of("sync-worker-backup.service", "ExecStart")[-1]


def test_the_service_has_time_to_stop_and_is_fed_often_enough() -> None:
    service = section_of("sync-worker.service")
    assert service["Type"] == ["notify"]
    assert int(service["TimeoutStopSec"][0]) > LONGEST_STOP_SECONDS
    assert int(service["WatchdogSec"][0]) / FEEDINGS + WATCH_SECONDS < int(service["WatchdogSec"][0]) / 2


def test_no_core_and_no_swap_holds_a_patients_words() -> None:
    for service in SERVICES:
        section = section_of(f"{service}.service")
        assert (section["LimitCORE"], section["MemorySwapMax"], section["UMask"]) == (["0"], ["0"], ["0077"])


# ---------------------------------------------------------------- the backup's two lines of shell


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """The state directory, with a stand-in of the program that writes what it is told to back up into."""
    program = tmp_path / "sync-worker"
    program.write_text('#!/bin/sh\n[ "$1 $2" = "db backup" ] && [ -z "$BROKEN" ] && echo copy > "$3"\n')
    program.chmod(0o755)
    state = tmp_path / "state"
    (state / "backups").mkdir(parents=True)
    return state


def step(state: Path, setting: str, **environ: str) -> int:
    words = [
        word.replace(PROGRAM, str(state.parent / "sync-worker"))
        for word in shell_of("sync-worker-backup.service", setting)
    ]
    return subprocess.run(words, cwd=state, env={**os.environ, **environ}, check=False).returncode


def test_the_program_is_called_without_keys_where_none_stands_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "systemd-run").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "systemd-run").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    script = ["/bin/sh", str(FOLDER.parent / "sync-worker"), "status"]
    said = subprocess.run(script, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "status"
    assert "*" not in said


def test_a_backup_is_named_by_its_moment(backup: Path) -> None:
    assert step(backup, "ExecStartPre") == 0
    assert step(backup, "ExecStart") == 0
    (made,) = (backup / "backups").iterdir()
    assert re.fullmatch(r"ledger-\d{8}T\d{6}Z\.db", made.name)
    assert made.name[7:11] == str(SystemClock().now().year)


def test_a_backup_that_fails_says_so(backup: Path) -> None:
    assert step(backup, "ExecStart", BROKEN="yes") != 0
    assert list((backup / "backups").iterdir()) == []


def test_the_newest_fourteen_are_kept_and_nothing_else_is_touched(backup: Path) -> None:
    names = [f"ledger-202611{day:02}T153000Z.db" for day in range(1, 21)]
    for name in [*reversed(names), "ledger-before-the-move.db", "notes.txt"]:
        (backup / "backups" / name).write_text("copy")
    assert step(backup, "ExecStartPost") == 0
    left = sorted(path.name for path in (backup / "backups").iterdir())
    assert left == sorted([*names[-KEPT:], "ledger-before-the-move.db", "notes.txt"])


@pytest.mark.parametrize("count", [0, 1, KEPT])
def test_fewer_backups_than_that_are_all_kept(backup: Path, count: int) -> None:
    for day in range(count):
        (backup / "backups" / f"ledger-202611{day + 1:02}T153000Z.db").write_text("copy")
    step(backup, "ExecStartPost")
    assert len(list((backup / "backups").iterdir())) == count


@pytest.mark.parametrize("timer", ["sync-worker-backup.timer", "sync-worker-audit.timer"])
def test_each_night_even_if_the_machine_slept_through_it(timer: str) -> None:
    section = section_of(timer, "Timer")
    assert section["Persistent"] == ["yes"]
    assert re.fullmatch(r"\*-\*-\* 0[0-5]:\d\d:00", section["OnCalendar"][0])
