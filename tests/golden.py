"""Golden files: Heidi documents, each beside the note that we agreed on.

`tests/data/convert` holds NAME.md or NAME.html, as Heidi hands it over, and NAME.note.html, the note: its first line
says with which options it was made, then every question has its name as a heading and its answer below. A browser
shows it much as a reader of the note sees it. After a change that is meant, `python -m tests.golden --write` writes the
notes anew; a person reads the difference before it is committed.
"""

import re
import shlex
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from sync_worker.convert import render_note_content
from sync_worker.errors import ConversionError
from sync_worker.model import Document, NoteContent, Question, Section, Template

FOLDER = Path(__file__).parent / "data" / "convert"
SOURCE = "Heidi document, session of 18 Nov 2026 10:30, ref ABCDEFGH"

TEMPLATES = {
    "none": None,
    "initial": Template(
        "1",
        "Initial assessment",
        (
            Section(
                (Question("Presenting complaint"), Question("Past medical history"), Question("Pain now", "text")),
                "Subjective",
                "What the patient tells",
            ),
            Section(
                (Question("Range of movement"), Question("Special tests"), Question("Body chart", "bodycharts")),
                "Objective",
            ),
            Section((Question("Impression"),), "Assessment"),
            Section((Question("Management"), Question("Consent", "checkboxes", choices=("Given", "Declined"))), "Plan"),
        ),
    ),
}

_NOTE = ".note.html"
_HEAD = '<!doctype html><meta charset="utf-8">'
_FIRST_LINE = re.compile(r"<!-- (.*) -->\n")
_NAMED = {"\u00a0": "&nbsp;", "\u00ad": "&shy;", "\u200d": "&zwj;"}
_BEFORE = re.compile(r"(?<!^)(?<!\n)(?=<(?:p|div|h1|h2|ul|ol|li|blockquote)>)")
_AFTER = re.compile(r"(?:<br>|</(?:p|div|h1|h2|ul|ol|li|blockquote)>)(?!$|\n)")


@dataclass(frozen=True)
class Case:
    """One document, and with which options it becomes a note."""

    path: Path
    document_name: str
    label: str
    """Heidi's content type; "none" where it says none."""
    layout: str
    html: str
    template: str
    """The practice's template that it is laid into, of those in TEMPLATES."""

    @property
    def note_path(self) -> Path:
        """Where the note is that we agreed on."""
        return self.path.with_suffix(_NOTE)

    @property
    def content(self) -> str:
        """The document as Heidi hands it over."""
        return self.path.read_bytes().decode()

    def note(self) -> NoteContent:
        """The note as it is made today; raises ConversionError."""
        label = None if self.label == "none" else self.label
        document = Document("doc-1", "session-1", self.document_name, self.content, label)
        template = TEMPLATES[self.template]
        return render_note_content(document, source=SOURCE, layout=self.layout, html=self.html, template=template)

    def written(self) -> str:
        """What the golden file should say."""
        options = {"document": self.document_name, "label": self.label, "layout": self.layout, "html": self.html}
        options |= {"template": self.template} if self.template != "none" else {}
        first = " ".join(f"{name}={shlex.quote(value)}" for name, value in options.items())
        try:
            parts = [part for section in self.note().sections for part in _section(section)]
        except ConversionError as refusal:
            parts = [f"<!-- no note, but a person is asked: {refusal.code} -->\n"]
        return "\n".join([f"<!-- {first} -->\n{_HEAD}\n", *parts])


def cases() -> list[Case]:
    """Every document of the folder, by name."""
    return [_case(path) for path in sorted(FOLDER.iterdir()) if not path.name.endswith(_NOTE)]


def laid_out(answer: str) -> str:
    """An answer with a line for each block and line of text, and with its invisible characters spelt out.

    An answer has no line ends of its own (Cliniko strips them), so no two answers are laid out alike.
    """
    return "".join(map(_visible, _AFTER.sub("\\g<0>\n", _BEFORE.sub("\n", answer))))


def _case(path: Path) -> Case:
    options = {"document": "Progress report", "label": {".md": "MARKDOWN", ".html": "HTML"}[path.suffix]}
    options |= {"layout": "sections", "html": "full", "template": "none"}
    note = path.with_suffix(_NOTE)
    if note.exists() and (first := _FIRST_LINE.match(note.read_text(encoding="utf-8"))):
        options |= dict(option.split("=", 1) for option in shlex.split(first[1]))
    return Case(path, options["document"], options["label"], options["layout"], options["html"], options["template"])


def _section(section: Section) -> Iterator[str]:
    if section.name:
        yield f"<h2>{escape(section.name, quote=False)}</h2>\n"
    if section.description:
        yield f"<i>{escape(section.description, quote=False)}</i>\n"
    yield from map(_question, section.questions)


def _question(question: Question) -> str:
    name = "".join(map(_visible, escape(question.name, quote=False)))
    kind = "" if question.kind == "paragraph" else f" <!-- {question.kind} -->"
    if question.choices:
        kind = f" <!-- {question.kind}: {', '.join(map(str, question.choices))} -->"
    if question.answer is None:
        return f"<h3>{name}</h3>{kind}\n<!-- no answer -->\n"
    answer = question.answer if question.kind == "paragraph" else escape(question.answer, quote=False)
    return f"<h3>{name}</h3>{kind}\n{laid_out(answer)}\n"


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cf", "Zs", "Zl", "Zp") and character != " "
    return _NAMED.get(character, f"&#x{ord(character):X};") if hidden else character


def _stale() -> Iterator[Case]:
    for case in cases():
        if not case.note_path.exists() or case.note_path.read_text(encoding="utf-8") != case.written():
            yield case


def main(arguments: list[str]) -> int:
    """Name the golden notes that differ from what is made today; with --write, write them anew."""
    stale = list(_stale())
    for case in stale:
        print(case.note_path.name)  # noqa: T201
        if "--write" in arguments:
            case.note_path.write_text(case.written(), encoding="utf-8")
    return 0 if "--write" in arguments else len(stale) and 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
