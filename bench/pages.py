"""How long the web page takes to answer from a large ledger: `python -m bench.pages`.

Fills a ledger with 100,000 entries and their trail, opens the page on it over a loopback socket, and asks each page
again and again as an admin, who sees everything. Neither service is asked: what they take is not ours. Prints a
table, writes bench/results/pages.json, asserts nothing on time.
"""

import json
import platform
import statistics
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from rich.console import Console
from rich.table import Table
from uvicorn import Config, Server

from bench.figures import Figure
from bench.ledgers import PATIENT, Filling, fill
from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.commands.setup import open_ledger
from sync_worker.ledger.accounts import Accounts, Logins
from sync_worker.records import Role
from sync_worker.settings import load_settings
from sync_worker.web.app import build_app
from sync_worker.web.office import office_of

ENTRIES, ASKED = 100_000, 30
EVERY_WAITING = 50
"""One entry in so many waits for a person."""
RESULTS = Path(__file__).parent / "results" / "pages.json"


@dataclass(frozen=True, slots=True)
class Measurement:
    """How long one page took, over so many times, in milliseconds."""

    path: str
    median_ms: float
    slowest_ms: float
    bytes: int


@contextmanager
def serving(url: str, entries: int) -> Iterator[httpx.Client]:
    """The page on a filled ledger, asked by an admin."""
    settings = load_settings(
        {
            "HEIDI_API_KEY": "k",
            "HEIDI_USER_EMAIL": "a@example.com",
            "HEIDI_USER_ID": "physio-1",
            "CLINIKO_API_KEY": "key-au1",
            "CLINIKO_CONTACT_EMAIL": "a@example.com",
            "SYNC_TIMEZONE": "Australia/Hobart",
            "DATABASE_URL": url,
        },
        env_file=None,
    )
    clock = SystemClock()
    ledger = open_ledger(settings, clock)
    fill(ledger.engine, Filling(entries, waiting=entries // EVERY_WAITING))
    account = Accounts(ledger.engine).add(
        "owner", Role.ADMIN, "x", heidi_user_id=None, wants_second_factor=False, now=clock.now()
    )
    token = Logins(ledger.engine).begin(account.account_id, clock.now(), second_factor_passed=True)
    worker = Worker(settings, ledger, clock)
    office = replace(office_of(settings, worker, clock), live={})
    server = Server(
        Config(build_app(office, hosts=frozenset({"127.0.0.1:8765"})), port=8765, log_config=None, lifespan="off")
    )
    running = threading.Thread(target=server.run)
    running.start()
    while not server.started:
        time.sleep(0.01)
    try:
        with httpx.Client(base_url="http://127.0.0.1:8765", cookies={"sync_worker": token}, timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        running.join()
        worker.close()


def measure(client: httpx.Client, path: str, times: int) -> Measurement:
    """Ask a page so often, after once to warm up."""
    answer = client.get(path)
    if answer.status_code != 200:
        raise SystemExit(f"{path} answers {answer.status_code}")
    took = []
    for _ in range(times):
        started = time.perf_counter()
        client.get(path)
        took.append((time.perf_counter() - started) * 1000)
    return Measurement(path, round(statistics.median(took), 1), round(max(took), 1), len(answer.content))


def run(entries: int = ENTRIES, times: int = ASKED // 3) -> list[Figure]:
    """How long each page takes to answer."""
    return [Figure(f"`{one.path}`, {entries:,} entries", one.median_ms, "ms") for one in measurements(entries, times)]


def measurements(entries: int, times: int) -> list[Measurement]:
    """Each page on a ledger of so many entries, asked so often."""
    middle = entries // 2 - entries // 2 % 50 + 2
    paths = (
        "/",
        "/review",
        "/review?for=desk",
        "/review?for=desk&page=50",
        f"/review/{middle}",
        f"/patients?patient_id={PATIENT}",
        "/history",
        f"/history?before={entries}",
        f"/history?entry={middle}",
        "/metrics",
    )
    with TemporaryDirectory() as folder, serving(f"sqlite:///{folder}/ledger.db", entries) as client:
        return [measure(client, path, times) for path in paths]


def main() -> None:
    """Fill, measure, print, write."""
    arguments = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--entries", type=int, default=ENTRIES)
    arguments.add_argument("--times", type=int, default=ASKED)
    asked = arguments.parse_args()
    found = measurements(asked.entries, asked.times)
    shown = Table("page", "median ms", "slowest ms", "bytes", title=f"{asked.entries:,} entries in the ledger")
    for one in found:
        shown.add_row(one.path, f"{one.median_ms:.1f}", f"{one.slowest_ms:.1f}", f"{one.bytes:,}")
    Console(width=130).print(shown)
    RESULTS.parent.mkdir(exist_ok=True)
    about = {"python": platform.python_version(), "machine": platform.platform(), "entries": asked.entries}
    RESULTS.write_text(json.dumps(about | {"measurements": [asdict(each) for each in found]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
