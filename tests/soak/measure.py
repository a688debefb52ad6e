"""What the kernel says of a process, asked from outside of it."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ESTABLISHED = "01"
"""How the kernel's list of TCP sockets calls a connection in use or kept for the next request."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process. `at` is in seconds since the measuring began; `rss_kib` is its resident memory."""

    at: float
    rss_kib: int
    threads: int
    handles: int
    """Open files and sockets, but for connections."""
    connections: int = 0
    """Established ones: the clients keep theirs for a few seconds, as many as were in use at once."""


def look_at(pid: int, at: float) -> Sample:
    """Look at a process now. Raises OSError where it is gone."""
    folder = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    open_ones = list[str]()
    for handle in (folder / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            open_ones.append(str(handle.readlink()))
    connected = _connected(folder)
    connections = sum(one in connected for one in open_ones)
    memory, threads = int(status["VmRSS"].split()[0]), int(status["Threads"])
    return Sample(at, memory, threads, len(open_ones) - connections, connections)


def _connected(folder: Path) -> set[str]:
    """The sockets of established TCP connections, as links to handles name them."""
    rows = [line.split() for kind in ("tcp", "tcp6") for line in (folder / "net" / kind).read_text().splitlines()[1:]]
    return {f"socket:[{row[9]}]" for row in rows if row[3] == ESTABLISHED}
