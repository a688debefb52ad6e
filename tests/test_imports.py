"""The arrows point one way: what we know imports no I/O, and those whom we talk to know nothing of each other."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "sync_worker"
CORE = ("model", "reference", "lifecycle", "convert", "matching", "fields", "cliniko_values")
IO = {
    "httpx",
    "httpcore",
    "sqlalchemy",
    "alembic",
    "apscheduler",
    "structlog",
    "stamina",
    "socket",
    "os",
    "time",
    "threading",
    "subprocess",
    "logging",
    "pydantic",
    "pydantic_settings",
}
EDGES = ("heidi", "cliniko", "ledger")
STORY = {
    "pipeline",
    "collect",
    "diary",
    "doubts",
    "prepare",
    "plan",
    "preview",
    "reading",
    "identity",
    "scheduler",
    "distributed",
    "jobs",
    "upkeep",
    "bootstrap",
    "commands",
    "web",
}


def imports_of(path: Path) -> set[str]:
    """Names of all modules that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module, names) if module:
                found |= {module} | {f"{module}.{name.name}" for name in names}
    return found


def ours(path: Path) -> set[str]:
    """The first part after `sync_worker.` of what a file imports of ours."""
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("sync_worker.")}


def files_of(name: str) -> list[Path]:
    """A module, or all modules of a package."""
    return sorted((PACKAGE / name).glob("*.py")) or [PACKAGE / f"{name}.py"]


@pytest.mark.parametrize("path", [path for name in CORE for path in files_of(name)])
def test_what_we_know_does_no_io_and_asks_no_clock(path: Path) -> None:
    assert {imported.split(".")[0] for imported in imports_of(path)} & IO == set()
    assert ours(path) <= {*CORE, "errors"}
    assert "datetime.now(" not in path.read_text()


@pytest.mark.parametrize("path", [path for name in EDGES for path in files_of(name)])
def test_those_whom_we_talk_to_know_nothing_of_each_other_or_of_the_story(path: Path) -> None:
    own = "ledger" if path.parent.name == "ledger" else path.stem
    assert ours(path) & {*EDGES, *STORY} <= {own}


def test_httpx_is_imported_in_one_module() -> None:
    users = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if {name.split(".")[0] for name in imports_of(path)} & {"httpx", "httpcore"}
    }
    assert users == {"http.py"}


def test_the_sandboxes_know_nothing_of_our_clients() -> None:
    for path in (PACKAGE / "sandbox").glob("*.py"):
        assert ours(path) <= {"sandbox", "model"}, path.name


def test_nothing_but_the_settings_reads_the_environment() -> None:
    readers = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
    }
    assert readers == {"values.py", "bind.py"}


def test_procrastinate_is_imported_where_its_engine_is_and_where_its_tables_are_made() -> None:
    users = {
        path.name for path in PACKAGE.rglob("*.py") if "procrastinate" in {n.split(".")[0] for n in imports_of(path)}
    }
    assert users == {"jobs.py", "queue.py"}
