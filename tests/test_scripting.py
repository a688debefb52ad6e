"""The JSON that scripts read: each command prints the fields that docs/scripting.md names, and no others."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from sync_worker.ledger.queue import QueueSeen
from tests.test_cli import Terminal, terminal  # noqa: F401 - a fixture

PAGE = Path(__file__).parent.parent / "docs" / "scripting.md"
ONLY_WITH_OTHER_SETTINGS = {
    "status": {f"queue.{one.name}" for one in fields(QueueSeen)},
    "check --residency": {
        "override.by",
        "override.reason",
        "override.hosts[]",
        "unused_hosts[]",
    },
}
"""Fields of several workers, and of data that may leave Australia."""
UNLINKED = {"HEIDI_USER_EMAIL": "nobody@example.com"}


def told(heading: str) -> set[str]:
    """The fields that the page names under the heading of a command, or of a few."""
    sections = PAGE.read_text().split("\n## ")[1:]
    [section] = [part for part in sections if heading in part.split("\n")[0].replace("`", "").split(", ")]
    cells = [line.split("|")[1] for line in section.split("\n") if line.startswith("| `")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def fields_of(value: Any, path: str = "") -> Iterator[str]:
    """Every field of a JSON value, by its path; an empty list or object counts by its own."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from fields_of(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from fields_of(inner, f"{path}[]")
    elif value != []:
        yield path


@pytest.fixture
def practice(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:  # noqa: F811
    """A practice with one of everything: a note that is filed, one that is gone, a question, a refusal, an account."""
    terminal.a_document()
    terminal.run("once")
    terminal.sandbox.cliniko.notes.clear()
    session = next(iter(terminal.sandbox.heidi.sessions))
    terminal.sandbox.heidi.add_document(
        session, name="Letter", content="# Letter\n\nTo the GP.", template_id="template-1"
    )
    terminal.a_document("# Plan\n\nOf somebody new.", name="Nora Newcomer")
    terminal.sandbox.cliniko.fail_post("422")
    terminal.a_document("# Plan\n\nRefused.")
    monkeypatch.setattr("sys.stdin", io.StringIO("a-long-and-good-passphrase\n"))
    assert terminal.run("users", "add", "Ada", "--role", "admin").returncode == 0
    return terminal


@pytest.mark.parametrize(
    "command",
    ["once", "plan", "check", "check --residency", "status", "review list", "review show", "audit", "users list"],
)
def test_every_field_of_a_command_is_told_and_none_that_it_has_not(practice: Terminal, command: str) -> None:
    seen: set[str] = set()
    for settings in ({}, UNLINKED):
        practice.run("once", **settings)
        for entry in ("1", "2", "3") if command == "review show" else ("",):
            done = practice.run(*command.split(), *entry, "--json", **settings)
            seen |= set(fields_of(json.loads(done.stdout)))
    elsewhere = ONLY_WITH_OTHER_SETTINGS.get(command, set())
    assert elsewhere <= told(command)
    assert seen == told(command) - elsewhere


def test_a_preview_has_the_fields_that_are_told(practice: Terminal) -> None:
    practice.run("once")
    shown = practice.json("review", "show", "3", "--preview")
    assert told("review show --preview") - set(fields_of(shown)) == {"content.sections[].name"}, (
        "the page calls it absent"
    )
    [planned, *_] = practice.json("plan", "--preview")["entries"]
    assert set(planned) == set(shown) | {name.removeprefix("entries[].") for name in told("plan") if "." in name}


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("review assign", "2 --patient 1"),
        ("review dismiss", "2 --reason filed_by_hand"),
        ("review retry", "2"),
        ("undo", "1 --reason wrong_patient"),
    ],
)
def test_a_decision_tells_how_the_entry_stands(
    terminal: Terminal,  # noqa: F811
    command: str,
    options: str,
) -> None:
    for name in ("Mary Jones", "Nora Newcomer"):
        terminal.a_document(name=name)
        terminal.run("once")
    assert set(fields_of(terminal.json(*command.split(), *options.split()))) == told(command)


@pytest.mark.parametrize(("command", "code"), [("status", 2), ("review show 99", 1), ("no-such-command", 2)])
def test_what_could_not_be_done_is_one_object_too(practice: Terminal, command: str, code: int) -> None:
    settings = {"HEIDI_API_KEY": ""} if command == "status" else {}
    failed = practice.json(*command.split(), code=code, **settings)
    assert set(fields_of(failed)) == told("Any command that could not do it")
