"""Real notes: the 57 published ones of acted consultations, as they are and laid out as scribes do it."""

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from tests.conversion.documents import Entry, Made, Part, Piece, Words, heading, listing, made, paragraph, table

PRIMOCK = Path(__file__).parent.parent.parent / "sync_worker" / "sandbox" / "data" / "primock57_notes.jsonl"
NOTES = [json.loads(line)["note"] for line in PRIMOCK.read_text(encoding="utf-8").splitlines()]

_NUMBER = re.compile(r"\s*\d{1,2}[.)]\s+")
_BULLET = re.compile(r"^\s*[-*]\s+", re.MULTILINE)


def as_markdown(note: str) -> Made:
    """A note as it is, read as Markdown: a dash before a line makes it an item."""
    return Made(note, "", tuple(_BULLET.sub("", note).split()), "paragraph")


def as_html(note: str) -> Made:
    """A note as it is, with a paragraph for each block and a break for each line."""
    html = "".join(f"<p>{escape(block).replace(chr(10), '<br>')}</p>" for block in re.split(r"\n\s*\n", note.strip()))
    return Made("", html, tuple(note.split()), "paragraph")


def laid_out(note: str) -> Made:
    """A note with headings, lists and tables in place of lines that end in a colon, are numbered or name a value."""
    return made([part for block in re.split(r"\n\s*\n", note.strip()) for part in _parts(block.strip().split("\n"))])


def _parts(lines: list[str]) -> Iterator[Part]:
    lines = [line for line in lines if line.strip()]
    if lines and lines[0].rstrip().endswith(":"):
        yield heading([Piece(tuple(lines[0].split()))], 2)
        lines = lines[1:]
    if lines and all(_NUMBER.match(line) for line in lines):
        yield listing([_entry(_NUMBER.sub("", line, count=1)) for line in lines], start=1)
    elif len(lines) > 1 and all(re.match(r"[^:]{1,30}:.*\S", line) for line in lines):
        yield table([("Item",), ("Finding",)], [_row(line) for line in lines])
    elif len(lines) > 1:
        yield listing([_entry(line) for line in lines])
    elif lines:
        yield paragraph([[Piece(tuple(lines[0].split()))]])


def _entry(line: str) -> Entry:
    return Entry(((Piece(tuple(line.split())),),))


def _row(line: str) -> tuple[Words, Words]:
    name, _, value = line.partition(":")
    return tuple(name.split()), tuple(value.split())
