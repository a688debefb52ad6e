"""The program's commands in processes of their own, as somebody would start them, and what they took.

They are started by `bench.child`, which tells how much memory a command held at most and how many modules it loaded.
To measure only the time, start `python -m sync_worker` itself.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import sqlalchemy as sa

from bench.figures import ROOT

POSTGRES = os.environ.get("SYNC_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432")
LIFTED = {
    "SYNC_SETTLE_SECONDS": "0",
    "SYNC_BRAKE_POSTS_PER_HOUR": "0",
    "SYNC_WEB_ENABLED": "false",
    "SYNC_TIMEZONE": "Australia/Hobart",
    "SYNC_LOOKBACK_DAYS": "3650",
    "SYNC_START_AT": "2015-01-01",
    "CLINIKO_RATE_PER_MINUTE": "100000",
}
"""Settings under which nothing but the worker itself sets the pace."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command took, and what it printed."""

    peak_mb: float
    modules: int
    said: str


def environment(services: Mapping[str, str], database_url: str, **more: str) -> dict[str, str]:
    """The environment of a worker on these services and this ledger: nothing of ours gets into it."""
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    return {**base, **services, **LIFTED, "DATABASE_URL": database_url, **more}


def run(*arguments: str, environment: Mapping[str, str], folder: Path) -> Ran:
    """Run a command. Raises `SystemExit` with what it said where it fails."""
    report = folder / f"{uuid4().hex}.json"
    done = subprocess.run(  # noqa: S603 - no shell, and arguments of ours
        [sys.executable, "-m", "bench.child", *arguments],
        cwd=folder,
        env={**environment, "BENCH_REPORT": str(report)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}")
    kept = json.loads(report.read_text())
    return Ran(peak_mb=kept["peak_kb"] / 1024, modules=kept["modules"], said=done.stdout)


@contextmanager
def databases(*, only: str = "") -> Iterator[dict[str, str]]:
    """The addresses of new databases by kind, gone with the block. Postgres is left out where none answers."""
    with TemporaryDirectory() as folder:
        urls = {"SQLite": f"sqlite:///{folder}/ledger.db"}
        name = f"bench_{uuid4().hex[:12]}"
        engine = sa.create_engine(f"{POSTGRES}/postgres", isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        try:
            with engine.connect() as db:
                db.execute(sa.text(f"CREATE DATABASE {name}"))
            urls["Postgres"] = f"{POSTGRES}/{name}"
        except sa.exc.OperationalError:
            print("No Postgres server answers: measured on SQLite alone.", file=sys.stderr)  # noqa: T201 - tells a person
        try:
            yield {kind: url for kind, url in urls.items() if only.lower() in kind.lower()}
        finally:
            if "Postgres" in urls:
                with engine.connect() as db:
                    db.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
