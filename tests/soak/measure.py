"""What the kernel says of a process, asked from outside of it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process. `at` is in seconds since the measuring began; `rss_kib` is its resident memory."""

    at: float
    rss_kib: int
    threads: int
    handles: int


def look_at(pid: int, at: float) -> Sample:
    """Look at a process now. Raises OSError where it is gone."""
    folder = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    handles = sum(1 for _ in (folder / "fd").iterdir())
    return Sample(at, int(status["VmRSS"].split()[0]), int(status["Threads"]), handles)
