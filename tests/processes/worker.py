"""One worker's process: what it said so far, and the signals that may befall it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.004
"""How often a proof looks whether something has happened: kills have to fall into gaps of milliseconds."""
PATIENCE_SECONDS = 60.0
"""For what happens within a second or two, on a machine that has something else to do."""


class TooLong(AssertionError):
    """What should have happened did not."""


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Look again and again until something is so. Raises `TooLong`."""
    ends = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > ends:
            raise TooLong(f"waited {seconds:g} s: {what}")
        time.sleep(LOOK_SECONDS)


class WorkerProcess:
    """`python -m sync_worker ...`, started now; its words go to the file `log`."""

    def __init__(self, arguments: tuple[str, ...], *, folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self.arguments = arguments
        self.log = log
        self.stopped_within = 0.0
        self._events: list[dict[str, Any]] = []
        self._read = 0
        self._rest = b""
        with log.open("wb") as sink:
            self.started_at = time.monotonic()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sync_worker", *arguments],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet; a stopped one has not."""
        return self._process.poll() is None

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.started_at

    def said(self) -> str:
        """Everything it wrote."""
        return self.log.read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Its log lines of one kind, as far as they are written."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        self._events += [json.loads(line) for line in lines if line.startswith(b"{")]
        return [event for event in self._events if event.get("event") == name]

    def good_ticks(self) -> int:
        """How many ticks it has completed without trouble."""
        return sum("code" not in event for event in self.events("tick.done"))

    def wait_for_good_tick(self, beyond: int = 0) -> None:
        """Wait until it has completed more than so many ticks. Raises `TooLong`, also where it ended instead."""

        def is_so() -> bool:
            if self.good_ticks() > beyond:
                return True
            if not self.is_running:
                raise TooLong(f"the worker ended with {self.wait()} before its tick: {self.said()[-2000:]}")
            return False

        wait_until(is_so, "a tick")

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait for its end, and give back its exit code; minus the signal's number if one ended it."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TooLong(f"the worker did not end within {seconds:g} s: {self.said()[-2000:]}") from None

    def kill(self) -> bool:
        """kill -9. Whether it was alive to be killed."""
        self._process.kill()  # does nothing to a process that was waited for
        return self.wait() == -signal.SIGKILL

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Ask it to stop, and give back its exit code; `stopped_within` tells how long that took."""
        asked_at = time.monotonic()
        self.send(signal.SIGTERM)
        code = self.wait(seconds)
        self.stopped_within = time.monotonic() - asked_at
        return code
