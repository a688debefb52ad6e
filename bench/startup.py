"""How long commands take to start: `python -m bench.startup`.

Each command is started as somebody would, several times, and the median of the seconds from its start to its end is
told, with the modules that it loads. `health` is asked every half minute by a container's supervisor.
"""

import statistics
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.commands import environment
from bench.commands import run as run_command
from bench.figures import Figure, show, write
from bench.sandboxes import Clinic, Sandboxes

TIMES = 7
MOST_SECONDS = 0.3
COMMANDS = (
    (("--help",), MOST_SECONDS),
    (("--version",), MOST_SECONDS),
    (("health",), MOST_SECONDS),
    (("status", "--json"), None),
    (("once", "--json"), None),
)


class _Healthy(BaseHTTPRequestHandler):
    """Stands for a service that is well."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def run(times: int = TIMES) -> list[Figure]:
    """Seconds and modules of each command."""
    figures = []
    with Sandboxes() as services, TemporaryDirectory() as name, HTTPServer(("127.0.0.1", 0), _Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        services.fill(Clinic(0, datetime.now(UTC)))
        place = {"SYNC_WEB_ENABLED": "true", "SYNC_WEB_BIND": f"127.0.0.1:{server.server_port}"}
        folder, url = Path(name), f"sqlite:///{name}/ledger.db"
        settings = environment(services.environment, url) | place
        run_command("once", environment=settings, folder=folder)  # makes the ledger, and what Python compiles
        for arguments, most in COMMANDS:
            called = " ".join(arguments)
            seconds = statistics.median(_seconds(arguments, settings, folder) for _ in range(times))
            modules = run_command(*arguments, environment=settings, folder=folder).modules
            figures.append(Figure(f"`{called}`", seconds, "s", most))
            figures.append(Figure(f"modules that `{called}` loads", modules))
        server.shutdown()
    return figures


def _seconds(arguments: tuple[str, ...], settings: Mapping[str, str], folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 - no shell, and arguments of ours
        [sys.executable, "-m", "sync_worker", *arguments], cwd=folder, env=settings, capture_output=True, check=True
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure, print, write."""
    arguments = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--times", type=int, default=TIMES)
    figures = run(arguments.parse_args().times)
    show("Starting", figures)
    write("startup", figures)


if __name__ == "__main__":
    main()
