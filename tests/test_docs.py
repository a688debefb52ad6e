"""The documents beside the code: what the code knows is told there, and nothing is told that does not exist."""

import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from sync_worker import lifecycle
from sync_worker.__main__ import app
from sync_worker.advice import trouble_of
from sync_worker.errors import LeaseLost, LedgerMismatch, LedgerUnavailable, RemoteError
from sync_worker.ledger.tables import Base
from sync_worker.model import Route
from sync_worker.records import AlarmCode, PauseReason, Reason, Status
from sync_worker.settings import SECRETS, Settings
from sync_worker.web.words import TROUBLES

ROOT = Path(__file__).parent.parent
README, EXAMPLE, RUNBOOK = ROOT / "README.md", ROOT / ".env.example", ROOT / "docs/runbook.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
DOCS = sorted({README, CONTRIBUTING, *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")})
"""What people read."""
DEPLOYED = [*sorted(path for path in (ROOT / "deploy").rglob("*") if path.is_file()), ROOT / "Dockerfile"]
"""What hosts read; comments in it are read by people too."""
FOLDERS = ("sync_worker", "tests", "deploy", "docs", "migrations", "bench", "requirements")
"""How a path of this repository begins."""
PLACEHOLDERS = {"ENTRY": "1", "DATE": "2026-11-01", "ID": "1", "NAME": "name", "FILE": "file"}
"""What stands for a value in a command, and a value that fits."""


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ---------------------------------------------------------------- reading Markdown


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def everything() -> str:
    """All that people read, with line ends as blanks: a span of code may go on in the next line."""
    return " ".join(" ".join(text_of(path).split()) for path in (*DOCS, EXAMPLE))


def blocks_and_prose(text: str) -> tuple[list[str], str]:
    """The lines of code blocks, and what is left without them: indented by four beyond its list, or fenced."""
    lines: list[str] = []
    prose: list[str] = []
    is_fenced, is_after_blank, is_code, indent = False, True, False, 4
    for line in text.split("\n"):
        width = len(line) - len(line.lstrip())
        if item := re.match(r"( *)(?:[-*]|\d+\.) +", line):
            indent = len(item[0]) + 4
        elif line.strip() and width == 0:
            indent = 4
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
        elif is_fenced:
            lines.append(line.strip())
        elif line.strip() and width >= indent and not item and (is_after_blank or is_code):
            lines.append(line.strip())
            is_code, is_after_blank = True, False
            continue
        elif line.strip() or not is_code:
            prose.append(line)
            is_code = False
        is_after_blank = not line.strip()
    return lines, "\n".join(prose)


def spans_of(prose: str) -> list[str]:
    """What stands between backticks."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]


def code_of(path: Path) -> list[str]:
    """Every line of a code block, and every span of code."""
    blocks, prose = blocks_and_prose(text_of(path))
    return blocks + spans_of(prose)


def headings_of(path: Path) -> list[str]:
    _, prose = blocks_and_prose(text_of(path))
    return [line.lstrip("#").strip() for line in prose.split("\n") if re.match(r"#{1,6} ", line)]


def anchors_of(path: Path) -> set[str]:
    """As GitHub makes them: small letters, blanks as hyphens, no other signs."""
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings_of(path)]
    return {*slugs, *(f"{slug}-{n}" for slug in slugs for n in range(1, slugs.count(slug)))}


def links_of(path: Path) -> list[str]:
    _, prose = blocks_and_prose(text_of(path))
    return re.findall(r"\]\(\s*([^)\s]+)\s*\)", re.sub(r"`[^`]+`", "code", prose))


def table_below(path: Path, heading: str) -> dict[str, list[str]]:
    """The table under a heading: first column without backticks -> the others."""
    after = text_of(path).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in after.split("\n") if line.startswith("|")]
    return {row[0].strip("`"): row[1:] for row in rows[2:]}


# ---------------------------------------------------------------- settings


def settings() -> set[str]:
    return {name.upper() for name in Settings.model_fields}


def settings_told(text: str) -> Iterator[str]:
    """Words that look like a setting, without `_FILE`; one that ends in a star stands for all that begin so."""
    names_of_keys = set(re.findall(r'env = "(\w+)"', everything()))
    for name, star in re.findall(r"\b((?:SYNC|HEIDI|CLINIKO)_[A-Z0-9_]+)(\*?)", text):
        plain = name if name in settings() else name.removesuffix("_FILE")
        is_known = any(one.startswith(name) for one in settings()) if star else plain in settings() | names_of_keys
        if not is_known:
            yield name + star


def test_every_setting_stands_in_the_example_and_a_secret_with_its_file() -> None:
    told = text_of(EXAMPLE)
    assert [name for name in sorted(settings()) if not re.search(rf"^#? ?{name}=", told, re.MULTILINE)] == []
    assert [name for name in SECRETS if f"{name}_FILE" not in everything()] == []


@pytest.mark.parametrize("path", [*DOCS, EXAMPLE, *DEPLOYED], ids=named)
def test_no_setting_is_told_that_does_not_exist(path: Path) -> None:
    assert sorted(set(settings_told(text_of(path)))) == []


# ---------------------------------------------------------------- troubles


def test_every_trouble_that_status_names_leads_to_a_heading_of_the_runbook() -> None:
    look_first = text_of(RUNBOOK).split("## Look first")[1].split("## ")[0]
    of_services = {f"{service}_{kind}" for service in ("heidi", "cliniko") for kind in TROUBLES}
    never = {"heidi_not_permitted", "heidi_not_a_practitioner", "heidi_another_key", "cliniko_not_linked"}
    of_ours = {trouble_of(error("")).code for error in (LedgerUnavailable, LedgerMismatch, LeaseLost, ValueError)}
    expected = of_services - never | of_ours | {*PauseReason, "settings", "heidi_list_repeats"}
    told = {span for line in look_first.splitlines() if "|" in line for span in spans_of(line.split("|")[1])}
    assert told == expected


def test_every_code_of_a_service_has_its_words() -> None:
    def codes(kind: type[RemoteError]) -> set[str]:
        return {kind.code}.union(*(codes(one) for one in kind.__subclasses__()))

    assert codes(RemoteError) - {"remote_error"} <= set(TROUBLES)


# ---------------------------------------------------------------- commands


def commands(group: Any = None, before: str = "") -> dict[str, Any]:
    """Every command of the program, by how it is called."""
    found: dict[str, Any] = {}
    for name, command in (group or typer.main.get_command(app)).commands.items():
        called = f"{before}{name}"
        found |= commands(command, f"{called} ") if hasattr(command, "commands") else {called: command}
    return found


def calls_of(line: str) -> Iterator[list[str]]:
    """The arguments of each call of the program in a line of code; a mere name of the service is none."""
    for part in re.split(r"\|\||&&|[;|>]|2>&1", line.split("  #")[0]):
        try:
            words = shlex.split(part)
        except ValueError:
            continue
        if "systemctl" in words:
            continue
        at = max((n for n, word in enumerate(words) if word.rpartition("/")[2] == "sync-worker"), default=None)
        if at is not None and words[at + 1 :] and re.fullmatch(r"[a-z][a-z-]+", words[at + 1]):
            yield words[at + 1 :]


def what_is_wrong_with(words: list[str]) -> str | None:
    """Why the program would refuse a call; None if it would not, or if it is only named."""
    called = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in commands()), None)
    if called is None:
        groups = {name.partition(" ")[0] for name in commands() if " " in name}
        return None if len(words) == 1 and words[0] in groups else "no such command"
    arguments = [PLACEHOLDERS.get(word, word) for word in words[called.count(" ") + 1 :]]
    if not arguments:
        return None
    try:
        commands()[called].make_context(called, arguments)
    except Exception as error:  # noqa: BLE001 - whatever the parser of arguments has to say
        return str(error)
    return None


@pytest.mark.parametrize("called", sorted(commands()))
def test_every_command_is_told(called: str) -> None:
    assert re.search(rf"(?:sync-worker |`){called}(?![\w-])", everything())


@pytest.mark.parametrize("path", DOCS, ids=named)
def test_every_call_in_the_documents_is_one_that_the_program_takes(path: Path) -> None:
    calls = [words for line in code_of(path) for words in calls_of(line)]
    wrong = {"sync-worker " + " ".join(words): what_is_wrong_with(words) for words in calls}
    assert {call: why for call, why in wrong.items() if why} == {}


def test_every_target_of_make_that_is_told_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    told = {
        (path.name, target)
        for path in DOCS
        for line in code_of(path)
        for target in re.findall(r"^(?:cd \S+ && )?make ([a-z-]+)", line)
    }
    assert {one for one in told if one[1] not in targets} == set()


# ---------------------------------------------------------------- reasons and alarms


def alarm_codes() -> set[str]:
    """What people can be told of."""
    return {one.value for one in AlarmCode}


def reasons() -> set[str]:
    """Those with which an entry can wait."""
    return {reason.value for reason in lifecycle.WAITS_ON}


def test_a_posting_that_paused_itself_is_an_alarm() -> None:
    assert {one.value for one in PauseReason} <= alarm_codes()


@pytest.mark.parametrize("code", sorted(alarm_codes() | reasons()))
def test_the_runbook_has_a_heading_for_each_alarm_and_each_reason(code: str) -> None:
    assert f"\n### {code}\n" in text_of(RUNBOOK)


def test_the_runbook_has_no_heading_for_a_code_that_does_not_exist() -> None:
    headings = [one for one in headings_of(RUNBOOK) if re.fullmatch(r"[a-z]+(_[a-z]+)*", one)]
    assert [one for one in headings if one not in alarm_codes() | reasons()] == []
    assert len(headings) == len(set(headings))


def test_a_reason_for_skipping_is_told_somewhere() -> None:
    told = everything()
    assert [one.value for one in Reason if f"`{one.value}`" not in told and f"### {one.value}" not in told] == []


# ---------------------------------------------------------------- metrics


def metrics() -> Iterable[str]:
    if importlib.util.find_spec("sync_worker.metrics") is None:
        return set()
    return {one.name for one in importlib.import_module("sync_worker.metrics").METRICS}


def test_every_metric_is_told_and_none_that_does_not_exist() -> None:
    told = text_of(ROOT / "docs/metrics.md")
    assert [name for name in metrics() if name not in told] == []
    texts = [text_of(path) for path in (*DOCS, *DEPLOYED) if "monitoring" in path.parts or path.suffix == ".md"]
    words = {word for text in texts for word in re.findall(r"\bsync_worker_[a-z_]+\b", text)}
    assert words - set(metrics()) == set()


# ---------------------------------------------------------------- places


@pytest.mark.parametrize("path", DOCS, ids=named)
def test_every_link_leads_somewhere(path: Path) -> None:
    broken = []
    for link in links_of(path):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (anchor and anchor not in anchors_of(there)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("path", [*DOCS, EXAMPLE, *DEPLOYED], ids=named)
def test_every_file_of_this_repository_that_is_told_exists(path: Path) -> None:
    without_links = re.sub(r"\]\([^)]*\)", "", text_of(path))
    told = set(re.findall(rf"(?<![\w./-])((?:{'|'.join(FOLDERS)})/[\w./-]*[\w/])", without_links))
    assert sorted(one for one in told if not (ROOT / one).exists()) == []


def test_every_file_that_contributors_are_sent_to_exists() -> None:
    """Without a folder before it: in the program, or among its tests."""
    places = (ROOT, ROOT / "sync_worker", ROOT / "tests")
    told = [one for one in spans_of(text_of(CONTRIBUTING)) if re.fullmatch(r"[\w./*-]+(\.py|\.md|/)", one)]
    assert len(told) > 30
    assert [one for one in told if not any(list(place.glob(one)) for place in places)] == []


def test_every_option_of_a_route_is_told() -> None:
    _, after = text_of(README).split("\n## Several clinicians, and routes\n")
    assert [one.name for one in fields(Route) if f"{one.name} = " not in after.split("\n## ")[0]] == []


# ---------------------------------------------------------------- architecture


def test_the_statuses_are_told_with_their_moves_as_the_code_has_them() -> None:
    told = table_below(ROOT / "docs/architecture.md", "Statuses of an entry")
    moves = {
        status.value: ", ".join(f"`{to.value}`" for to in sorted(allowed)) or "nothing"
        for status, allowed in lifecycle.ALLOWED_MOVES.items()
    }
    assert {status: row[1] for status, row in told.items()} == moves
    assert list(told) == [status.value for status in Status]


def test_every_table_of_the_ledger_is_told() -> None:
    told = table_below(ROOT / "docs/architecture.md", "The ledger's tables")
    assert sorted(told) == sorted(Base.metadata.tables)


def test_every_decision_is_on_the_list_of_decisions() -> None:
    folder = ROOT / "docs/adr"
    pages = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [link for link in links_of(folder / "README.md") if link[0].isdigit()] == pages
    parts = ["Context", "Decision", "Consequences", "Not taken"]
    assert {page: headings_of(folder / page)[1:] for page in pages} == dict.fromkeys(pages, parts)
