"""docs/privacy.md names every column of the ledger, and says the purge's own times."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sync_worker.ledger import purge
from sync_worker.ledger.accounts import IDLE, LONGEST
from sync_worker.ledger.tables import Base
from tests.test_cli import Terminal, terminal  # noqa: F401 - a fixture

DOCS = Path(__file__).parent.parent / "docs"
PRIVACY = (DOCS / "privacy.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| ((?:`\w+`(?:, )?)+) \| (.+?) \| (.+) \|$", re.MULTILINE)
TEN_STEPS = (
    "Threshold assessment",
    "Plan the PIA",
    "Describe the project",
    "Identify and consult with stakeholders",
    "Map information flows",
    "Privacy impact analysis and compliance check",
    "Privacy management",
    "Recommendations",
    "Report",
    "Respond and review",
)


def told() -> dict[str, str]:
    """Until when each column is kept, by table and column."""
    found: dict[str, str] = {}
    for table, columns, _, until in ROW.findall(PRIVACY):
        for column in re.findall(r"\w+", columns):
            assert f"{table}.{column}" not in found, "named twice"
            found[f"{table}.{column}"] = until
    return found


def test_every_column_of_the_ledger_is_named_once_and_no_other() -> None:
    kept = {f"{table.name}.{column.name}" for table in Base.metadata.sorted_tables for column in table.columns}
    assert told().keys() == kept


def test_the_times_are_those_of_the_purge() -> None:
    until = told()
    for column in ("entries.evidence", "entries.hint_hash", "entries.text_hash", "attempts.fingerprint"):
        assert f"{purge.SETTLED_FOR.days} days after" in until[column]
    assert f"`SYNC_LOOKBACK_DAYS` and {purge.BEYOND_LOOKBACK.days} days more" in until["sessions.session_id"]
    assert f"{IDLE.seconds // 60} minutes unused, {LONGEST.seconds // 3600} hours" in until["logins.token_hash"]


def test_the_assessment_follows_the_ten_steps_in_their_order() -> None:
    text = (DOCS / "privacy-impact-assessment.md").read_text()
    headings = re.findall(r"^## (\d+)\. (.+)$", text, re.MULTILINE)
    assert headings == [(str(number), step) for number, step in enumerate(TEN_STEPS, 1)]


@pytest.mark.parametrize("name", ["privacy.md", "privacy-impact-assessment.md", "breach-drill.md"])
def test_every_link_among_them_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", (DOCS / name).read_text()):
        assert not target or (DOCS / target).exists(), target


def test_the_drill_prints_what_it_says(terminal: Terminal) -> None:  # noqa: F811
    drill = " ".join((DOCS / "breach-drill.md").read_text().replace("\n> ", " ").split())
    terminal.a_document()
    terminal.run("once")
    told = terminal.run("log", "1").stdout.splitlines()
    assert told[0] == "Entry 1 is posted."
    for arguments, sentence in {
        "pause": "Posting is paused for everybody. Sessions are still taken in. `sync-worker resume` ends it.",
        "audit": "Heidi, the ledger and Cliniko agree since ",
        "undo 1 --reason wrong_patient": " is archived with the next tick, if nobody touches it.",
        "once": "",
        "log 1": "that request ended, posted -> withdrawn",
        "resume": "Posting is on again for everybody.",
    }.items():
        done = terminal.run(*arguments.split())
        assert sentence in drill, arguments
        assert sentence in done.stdout, arguments
        assert done.returncode == (arguments == "once"), "a tick says so as long as a wrong patient is reported"


def test_the_drill_names_the_charts_that_were_written_to(terminal: Terminal) -> None:  # noqa: F811
    terminal.a_document()
    terminal.run("once")
    [code] = re.findall(r'python3 -c "\n(.*?)"\n', (DOCS / "breach-drill.md").read_text(), re.DOTALL)
    code = textwrap.dedent(code).replace("2026-11-21T00", "2000-01-01T00").replace("2026-11-22T00", "2999-01-01T00")
    told = terminal.run("log", "--csv").stdout
    done = subprocess.run([sys.executable, "-c", code], input=told, capture_output=True, text=True, check=True)
    [patient] = terminal.sandbox.cliniko.patients
    assert done.stdout.endswith(f" entry 1 patient {patient}\n")


def test_every_command_of_the_drill_exists() -> None:
    from typer.main import get_command

    from sync_worker.__main__ import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    used = set(re.findall(r"sync-worker ([a-z-]+)", (DOCS / "breach-drill.md").read_text()))
    assert used
    assert used <= known
