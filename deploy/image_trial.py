"""Tries an image from inside: `make image-rehearsal` hands this to the image's own Python.

Everything is made up: the demo, then a service against the stand-ins, asked for its health and ended by SIGTERM. One
line for each thing tried; exit 1 at the first that is not as it should be.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

Environment = dict[str, str]
PATIENCE_SECONDS = 60


def main() -> None:
    """The whole trial."""
    who_we_are()
    demo()
    settings_that_are_missing()
    sandbox, settings = stand_ins()
    try:
        address_that_is_missing(settings)
        settings["SYNC_WEB_BASE_URL"] = "https://sync.example.com.au"
        prove("check against the stand-ins", command("check", **settings), 0, "")
        a_service(settings)
    finally:
        sandbox.terminate()
        sandbox.wait(PATIENCE_SECONDS)


def who_we_are() -> None:
    """The user, and under HARDENED what the kernel says of us."""
    tell(f"uid {os.getuid()}, gid {os.getgid()}", os.getuid() == os.getgid() == 10001)
    if not os.environ.get("HARDENED"):
        return
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    for name, wanted in (("CapEff", "0" * 16), ("CapBnd", "0" * 16), ("NoNewPrivs", "1")):
        tell(f"{name} {status[name]}", status[name] == wanted)
    for place in ("/", "/opt/sync-worker", "/var/tmp", "/etc"):
        tell(f"{place} cannot be written", not can_write(Path(place)))
    for place in ("/tmp", "/data"):
        tell(f"{place} can be written", can_write(Path(place)))


def demo() -> None:
    """The main job, without a setting."""
    done = command("demo")
    print(done.stdout.rstrip())
    prove("demo", done, 0, "Documents in")


def settings_that_are_missing() -> None:
    """`run` as the image starts it, with nothing set."""
    done = command("run")
    prove("run without settings", done, 2, "HEIDI_API_KEY is not set")
    tell("  and it says so without a traceback", "Traceback" not in done.stderr)


def stand_ins() -> tuple["subprocess.Popen[str]", Environment]:
    """Both services on loopback, and the settings of a worker for them."""
    sandbox = subprocess.Popen(["sync-worker", "sandbox"], stdout=subprocess.PIPE, text=True)
    settings: Environment = {}
    for line in sandbox.stdout or ():
        if line.startswith("#"):
            break
        name, _, value = line.rstrip("\n").partition("=")
        settings[name] = value
    del settings["DATABASE_URL"]  # the image's own place for the ledger
    return sandbox, settings


def address_that_is_missing(settings: Environment) -> None:
    """The image's page listens to the network: without the address of its proxy nothing starts."""
    done = command("run", **settings)
    prove("run without SYNC_WEB_BASE_URL", done, 2, "SYNC_WEB_BASE_URL")
    tell("  in one sentence: " + done.stderr.strip(), done.stderr.strip().count("\n") == 0)


def a_service(settings: Environment) -> None:
    """From start to SIGTERM."""
    prove("health before there is a service", command("health"), 1, "Nothing answers")
    print(f"    which took {min(seconds_of('health') for _ in range(5)):.2f} seconds, the fastest of five")
    service = subprocess.Popen(["sync-worker", "run"], env=os.environ | settings, stderr=subprocess.DEVNULL)
    try:
        wait_for("health", lambda: command("health").returncode == 0)
        wait_for("health --ready", lambda: command("health", "--ready").returncode == 0)
        prove("health", command("health"), 0, "The service is alive.")
        tell("the ledger is /data/sync_worker.db", Path("/data/sync_worker.db").exists())
        tell("  readable by its owner alone", Path("/data/sync_worker.db").stat().st_mode & 0o077 == 0)
    finally:
        service.send_signal(signal.SIGTERM)
        code = service.wait(PATIENCE_SECONDS)
    tell(f"SIGTERM ended the service with exit code {code}", code == 0)
    prove("status of the ledger it left", command("status", **settings), 0, "")


def command(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """One command of the image."""
    environment = os.environ | {"COLUMNS": "100"} | settings
    return subprocess.run(["sync-worker", *arguments], env=environment, capture_output=True, text=True, timeout=300)


def seconds_of(*arguments: str) -> float:
    """How long one command takes."""
    began = time.monotonic()
    command(*arguments)
    return time.monotonic() - began


def wait_for(what: str, happened: Callable[[], bool]) -> None:
    """Ask again and again until it is so."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        if time.monotonic() > until:
            tell(what, False)
        time.sleep(0.2)
    tell(what, True)


def prove(what: str, done: "subprocess.CompletedProcess[str]", code: int, said: str) -> None:
    """Fail unless a command ended and spoke as it should."""
    as_it_should = done.returncode == code and said in done.stdout + done.stderr
    if not as_it_should:
        print(done.stdout, done.stderr, sep="\n")
    tell(f"{what}: exit {done.returncode}", as_it_should)


def tell(what: str, is_so: bool) -> None:
    """One line; the end of the trial where it is not so."""
    print("ok " if is_so else "NOT", what, flush=True)
    if not is_so:
        sys.exit(1)


def can_write(folder: Path) -> bool:
    """Whether a file can be made there."""
    try:
        (folder / "trial").touch()
        (folder / "trial").unlink()
    except OSError:
        return False
    return True


main()
