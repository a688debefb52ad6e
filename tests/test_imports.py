"""The arrows point one way: what we know imports no I/O, and those whom we talk to know nothing of each other."""

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "sync_worker"
LAYERS = {
    "what we know": {
        "advice",
        "audit",
        "cliniko_values",
        "convert",
        "errors",
        "fields",
        "lifecycle",
        "matching",
        "model",
        "records",
        "reference",
        "search",
    },
    "tools": {
        "background",
        "clock",
        "counts",
        "egress",
        "fresh",
        "logs",
        "passwords",
        "pulse",
        "rate",
        "settings",
    },
    "whom we talk to": {"channels", "cliniko", "heidi", "http", "ledger", "transport"},
    "the story": {
        "ahead",
        "amend",
        "audit_reading",
        "charts",
        "collect",
        "diary",
        "doubts",
        "first_look",
        "identity",
        "one_patient",
        "outbox",
        "patients",
        "pipeline",
        "plan",
        "posting",
        "prepare",
        "preview",
        "reading",
        "siblings",
        "templates",
    },
    "who is told": {"alarms", "digest", "metrics", "notices", "quiet_day"},
    "the wiring": {"bootstrap", "clients", "pipelines", "workbench"},
    "the service": {"distributed", "jobs", "notify", "scheduler", "upkeep", "watch", "web"},
    "the program": {"__main__", "commands"},
}
"""Every module and package, from the bottom up: each imports from its own layer and those above it in this list."""
APART = {"__init__": set[str](), "sandbox": {"model", "records"}}
"""What stands beside the layers, and what of ours it may import."""
CORE = LAYERS["what we know"]
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
}
EDGES = {"channels", "cliniko", "heidi", "ledger"}
"""Those whom we talk to; `http` and `transport` are how."""


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
    """The first part after `sync_worker.` of what a file imports of ours; `__init__` for the package's own names."""
    found = {name.split(".")[1] for name in imports_of(path) if name.startswith("sync_worker.")}
    return {name if name in modules() else "__init__" for name in found}


def files_of(name: str) -> list[Path]:
    """A module, or all modules of a package."""
    return sorted((PACKAGE / name).glob("*.py")) or [PACKAGE / f"{name}.py"]


@cache
def modules() -> set[str]:
    """Every module and package at the top of the program."""
    paths = [*PACKAGE.glob("*.py"), *(path.parent for path in PACKAGE.glob("*/__init__.py"))]
    return {path.stem for path in paths}


def layer_of(name: str) -> int:
    return next(n for n, members in enumerate(LAYERS.values()) if name in members)


def layered() -> list[str]:
    return [name for members in LAYERS.values() for name in sorted(members)]


def test_every_module_has_one_place() -> None:
    """A new module belongs into one of `LAYERS`, and one that is gone leaves it."""
    placed = [*layered(), *APART]
    assert len(placed) == len(set(placed))
    assert modules() - set(placed) == set(), "modules without a place: put each into a layer of LAYERS"
    assert set(placed) - modules() == set(), "places without a module: take them out of LAYERS"


@pytest.mark.parametrize("name", layered())
def test_a_module_imports_from_its_own_layer_and_those_below(name: str) -> None:
    apart = {"sandbox"} if name == "commands" else set()  # `demo` and `sandbox` start the stand-ins
    allowed = {one for one in layered() if layer_of(one) <= layer_of(name)} | {"__init__"} | apart
    used = {one for path in files_of(name) for one in ours(path)}
    assert used - allowed == set()


def test_no_module_needs_itself_by_way_of_others() -> None:
    arrows = {name: {one for path in files_of(name) for one in ours(path)} - {name} for name in modules()}
    TopologicalSorter(arrows).prepare()  # raises CycleError, which names those in the circle


@pytest.mark.parametrize("path", [path for name in sorted(CORE) for path in files_of(name)], ids=lambda path: path.stem)
def test_what_we_know_does_no_io_and_asks_no_clock(path: Path) -> None:
    assert {imported.split(".")[0] for imported in imports_of(path)} & IO == set()
    assert "datetime.now(" not in path.read_text()


@pytest.mark.parametrize("name", sorted(EDGES))
def test_those_whom_we_talk_to_know_nothing_of_each_other(name: str) -> None:
    assert {one for path in files_of(name) for one in ours(path)} & EDGES <= {name}


def test_httpx_is_imported_where_services_are_asked_and_below() -> None:
    users = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if {name.split(".")[0] for name in imports_of(path)} & {"httpx", "httpcore"}
    }
    assert users == {"http.py", "transport.py"}


@pytest.mark.parametrize("name", sorted(APART))
def test_the_sandboxes_know_nothing_of_our_clients(name: str) -> None:
    for path in files_of(name):
        assert ours(path) - {name} <= APART[name], path.name


def test_nothing_but_the_settings_reads_the_environment() -> None:
    readers = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
    }
    assert readers == {"loading.py", "bind.py"}


def test_procrastinate_is_imported_where_its_engine_is_and_where_its_tables_are_made() -> None:
    users = {
        path.name for path in PACKAGE.rglob("*.py") if "procrastinate" in {n.split(".")[0] for n in imports_of(path)}
    }
    assert users == {"jobs.py", "queue.py"}
