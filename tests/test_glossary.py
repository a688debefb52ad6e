"""One word, one thing: a name in the code does not call by another word what the README's table of words names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sync_worker"
INSTEAD_OF = {
    "encounter": "session",
    "consultation": "session",
    "visit": "session",
    "lookup": "match",
    "guess": "match",
    "cache": "ledger",
    "job": "entry",
    "task": "entry",
    "offset": "cursor",
    "tries": "attempt",
    "retries": "attempt",
    "queue": "outbox",
    "dead_letter": "review",
    "uncertain": "in doubt",
    "unknown_outcome": "in doubt",
    "finish": "settle, or resolve",
    "fix": "settle, or resolve",
    "cycle": "tick",
    "iteration": "tick",
}
"""A word that would be a second one for the same thing, and the one that the table has for it."""
OTHER_THINGS = {
    "visit": {
        r"web/.*": "a person's request to the page, with their account",
        r"sandbox/.*": "an appointment of the made-up practice",
    },
    "cache": {r"ledger/tables\.py": "SQLAlchemy's name for what it asks a type about itself"},
    "job": {r"(jobs|upkeep)\.py": "a tick that is planned: APScheduler's and Procrastinate's word"},
    "task": {
        r"jobs\.py": "what a worker of Procrastinate's does",
        r"commands/demo\.py": "a bar of rich's progress",
    },
    "offset": {
        r"commands/check\.py|sandbox/cliniko.*": "how far two clocks are apart",
        r"convert/html_repair\.py": "a column that a cell spans",
    },
    "tries": {
        r"(http|clients)\.py": "how often a read is sent",
        r"web/throttle\.py": "passwords that were typed",
    },
    "queue": {
        r"(distributed|jobs|metrics|commands/status|ledger/queue|web/office)\.py": "ticks that wait for a worker",
        r"sandbox/(faults|wire)\.py": "what the stand-in answers, in turn",
    },
    "finish": {r"ledger/copies\.py": "the last steps of a copy"},
}
"""Where such a word means something that the table has no word for: modules, and what it means there."""
A_LOGIN_IS_NO_SESSION = ("web/logging_in.py", "web/throttle.py", "ledger/accounts.py", "passwords.py")


def names_in(source: str) -> Iterator[str]:
    """What a module itself names: classes, functions, arguments, attributes, variables; not what it calls of others."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                yield name


def words_of(name: str) -> str:
    """The name's words in small letters, between underscores: `_FaultQueue` is `_fault_queue_`."""
    return "_" + "_".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)).lower() + "_"


def second_words_in(source: str, module: str) -> set[str]:
    """Each name that holds a second word for something, and which word it should hold."""
    found = set()
    for name in names_in(source):
        for word, right in INSTEAD_OF.items():
            if re.search(f"_{word}s?_", words_of(name)) and not is_another_thing(word, module):
                found.add(f"{name} in {module}: say {right}")
    return found


def is_another_thing(word: str, module: str) -> bool:
    return any(re.fullmatch(pattern, module) for pattern in OTHER_THINGS.get(word, {}))


def sources() -> dict[str, str]:
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")}


def test_no_name_in_the_code_is_a_second_word_for_something() -> None:
    assert {one for module, source in sources().items() for one in second_words_in(source, module)} == set()


def test_nothing_is_allowed_that_is_not_there() -> None:
    """A word that no name holds any more needs no leave."""
    needed = {
        (word, pattern)
        for module, source in sources().items()
        for name in names_in(source)
        for word, patterns in OTHER_THINGS.items()
        for pattern in patterns
        if re.fullmatch(pattern, module) and re.search(f"_{word}s?_", words_of(name))
    }
    assert needed == {(word, pattern) for word, patterns in OTHER_THINGS.items() for pattern in patterns}


@pytest.mark.parametrize("module", A_LOGIN_IS_NO_SESSION)
def test_a_login_is_never_called_a_session(module: str) -> None:
    source = (PACKAGE / module).read_text()
    assert [name for name in names_in(source) if "_session" in words_of(name)] == []


def test_a_session_is_never_one_with_the_database() -> None:
    """The ledger's connections are called `db`."""
    of_the_database = re.compile(r"^from sqlalchemy.*\b(Session|sessionmaker)\b", re.MULTILINE)
    assert [module for module, source in sources().items() if of_the_database.search(source)] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("class EncounterReader: ...", {"EncounterReader in a.py: say session"}),
        ("def post_job(): ...", {"post_job in a.py: say entry"}),
        ("def post(*, tasks): ...", {"tasks in a.py: say entry"}),
        ("self.retry_queue = []", {"retry_queue in a.py: say outbox"}),
        ("for LAST_CYCLE in (): ...", {"LAST_CYCLE in a.py: say tick"}),
        ("class Page:\n    dead_letters: int", {"dead_letters in a.py: say review"}),
        ("scheduler.add_job(self.queue.get)", set()),
        ("def finished_prefix(fixed): ...", set()),
    ],
)
def test_a_second_word_is_found_in_what_a_module_names_itself(source: str, found: set[str]) -> None:
    assert second_words_in(source, "a.py") == found


def test_each_word_that_is_to_be_used_stands_in_the_table_of_words() -> None:
    table = (ROOT / "README.md").read_text().split("\n## Words\n")[1].split("\n## ")[0]
    words = set(re.findall(r"^\| \*\*([\w ]+)\*\*", table, re.MULTILINE))
    verbs = {"settle, or resolve"}
    assert {*INSTEAD_OF.values(), "login"} - verbs <= words
