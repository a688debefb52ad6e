"""Where a running service's secrets are not: in core files, in what other processes see of it."""

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.clinic import Clinic
from tests.processes.worker import WorkerProcess

linux_only = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="shown by /proc, which only Linux has")
CANARIES = {
    "HEIDI_API_KEY": "sandbox-heidi-key",
    "SYNC_HEARTBEAT_URL": "http://127.0.0.1:9/canary-heartbeat",
}


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    """A clinic whose secrets stand in files and among systemd's credentials, none in the environment."""
    with Clinic(tmp_path, f"sqlite:///{tmp_path}/canary-ledger.db") as made:
        credentials = tmp_path / "credentials"
        credentials.mkdir()
        (credentials / "DATABASE_URL").write_text(made.environment.pop("DATABASE_URL"))
        (credentials / "CLINIKO_API_KEY_1").write_text(made.environment.pop("CLINIKO_API_KEY_1"))
        made.environment["CREDENTIALS_DIRECTORY"] = str(credentials)
        for name, value in CANARIES.items():
            made.environment.pop(name, None)
            (tmp_path / name.lower()).write_text(value)
            made.environment[f"{name}_FILE"] = str(tmp_path / name.lower())
        yield made


@linux_only
def test_secrets_that_stand_in_files_or_credentials_are_in_neither_environment_nor_arguments(clinic: Clinic) -> None:
    process = clinic.start("run")
    process.wait_for_good_tick()
    seen = b"".join(seen_of(process, name) for name in ("environ", "cmdline"))
    assert process.end() == 0
    key = (clinic.folder / "credentials" / "CLINIKO_API_KEY_1").read_text()
    for secret in (*CANARIES.values(), key, "canary-ledger"):
        assert secret.encode() not in seen
        assert secret not in process.said()


def seen_of(process: WorkerProcess, name: str) -> bytes:
    """What this user sees of it; nothing, unless root, since it lets nobody look."""
    try:
        return Path(f"/proc/{process.pid}/{name}").read_bytes()
    except PermissionError:
        return b""


@linux_only
def test_a_service_that_is_aborted_leaves_no_core_where_another_program_leaves_one(clinic: Clinic) -> None:
    allowed = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (allowed[1], allowed[1]))  # what we start inherits it
    try:
        aborted = subprocess.run([sys.executable, "-c", "import os; os.abort()"], cwd=clinic.folder, check=False)
        process = clinic.start("run")
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, allowed)
    assert aborted.returncode == -signal.SIGABRT
    before = cores_in(clinic.folder)
    process.wait_for_good_tick()
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    process.send(signal.SIGABRT)
    assert process.wait() == -signal.SIGABRT
    assert cores_in(clinic.folder) == before
    assert [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")] == [["0", "0"]]
    if allowed[1] and not Path("/proc/sys/kernel/core_pattern").read_text().startswith(("|", "/")):
        assert before


def cores_in(folder: Path) -> set[tuple[str, int]]:
    """The core files, as far as the kernel names them so, and when each was written."""
    return {(path.name, path.stat().st_mtime_ns) for path in folder.glob("core*")}


@linux_only
def test_other_programs_of_the_same_user_cannot_look_into_a_command() -> None:
    ask = "import ctypes; from sync_worker.commands import setup; setup.forbid_core_dumps(); "
    ask += "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert told.stdout == "0\n"
