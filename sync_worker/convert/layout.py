"""A document's parts laid into the practice's own template.

Owns which heading belongs to which section and question, by name or by a common synonym. Refuses to tick, draw or
date anything: those questions are left to the clinician.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sync_worker.convert.parts import Part
from sync_worker.model import Question, Section, Template

WRITTEN = ("paragraph", "text")
"""Kinds of question that a document's words may answer."""

LEFT_BLANK = ("checkboxes", "radiobuttons", "date")
"""Kinds that only the clinician answers. Others (body charts) cannot be sent at all (Cliniko's content schema)."""

_SAME_MEANING = (
    ("subjective", "s", "history", "subjective history", "subjective assessment", "subjective examination"),
    (
        "objective",
        "o",
        "examination",
        "exam",
        "on examination",
        "o e",
        "physical examination",
        "objective examination",
        "objective assessment",
        "objective findings",
        "examination findings",
    ),
    ("assessment", "a", "impression", "clinical impression", "analysis"),
    ("plan", "p", "management", "management plan", "treatment plan", "plan of management"),
    (
        "history of presenting condition",
        "history of presenting complaint",
        "history of presenting illness",
        "history of present illness",
        "presenting condition",
        "presenting complaint",
        "present complaint",
        "current history",
        "hpc",
        "hopc",
        "hpi",
        "pc",
    ),
    ("past medical history", "medical history", "past history", "pmh", "pmhx"),
    ("social history", "shx", "sh"),
    ("medications", "medication", "current medications", "meds"),
    ("treatment", "intervention", "interventions", "treatment provided", "treatment today", "rx", "tx"),
    ("home exercise program", "home exercise programme", "home exercises", "exercise program", "hep"),
    ("range of movement", "range of motion", "rom", "arom", "active range of movement", "active range of motion"),
    ("goals", "patient goals", "goal"),
    ("investigations", "investigation", "ix"),
)
_MEANING = {name: number for number, names in enumerate(_SAME_MEANING) for name in names}

Key = str | int
"""What two names are compared by: their folded text, or the number of their meaning."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A question of the note, and the parts of the document that answer it, in the document's order.

    `question` is the template's, or one of the document's own. `names_them`: the first part's heading need not be
    said again, since the question or its section bears that name.
    """

    question: Question
    parts: tuple[Part, ...] = ()
    names_them: bool = True


@dataclass(frozen=True, slots=True)
class Laid:
    """One section of the note to be: its name and description, its questions, and the headings that its name says."""

    name: str | None
    description: str | None
    questions: tuple[Answered, ...]
    said: tuple[Part, ...] = ()


def lay_out(parts: Sequence[Part], template: Template) -> list[Laid]:
    """Lay a document's parts into a template: every part once, and every question of the template that can be sent.

    A heading goes to the question of its name; failing that, to the section of its name, as the answer of the
    section's only question or as a question of its own. The rest keeps its own question, right behind the part before
    it, or in a first section without a name. Names are compared without case, accents and punctuation, first as they
    are, then by common synonyms ("History" is "Subjective"); a name that fits twice fits not at all, unless one of
    the two is in the section that the heading stands under.
    """
    return list(_Sheet(template).fill(parts))


def _same_name(one: str, other: str | None) -> bool:
    folded = _folded(one)
    return bool(folded) and folded == _folded(other or "")


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[^\W_]+", letters.replace("&", " and ")))


def _keys(name: str | None) -> Iterator[Key]:
    folded = _folded(name or "")
    if folded:
        yield folded
    if folded in _MEANING:
        yield _MEANING[folded]


# ---------------------------------------------------------------- filling in

Place = tuple[int, int]
"""A section, and a question of it; HEAD is before its first question."""

HEAD = -1


class _Sheet:
    """A template while a document is written into it."""

    def __init__(self, template: Template) -> None:
        sections = [replace(section, questions=_sendable(section)) for section in template.sections]
        self._sections = [section for section in sections if section.questions]
        self._questions: dict[Key, list[Place]] = defaultdict(list)
        self._heads: dict[Key, list[Place]] = defaultdict(list)
        for number, section in enumerate(self._sections):
            for key in _keys(section.name):
                self._heads[key].append((number, HEAD))
            for position, question in enumerate(section.questions):
                for key in _keys(question.name):
                    self._questions[key].append((number, position))
        self._answers: dict[Place, list[Part]] = defaultdict(list)
        self._beside: dict[Place, list[Part]] = defaultdict(list)
        self._said: dict[int, list[Part]] = defaultdict(list)
        self._before: list[Part] = []

    def fill(self, parts: Sequence[Part]) -> Iterator[Laid]:
        """The sections of the note: what fits nowhere before the first part that does, then the template's own."""
        self._place_all(parts)
        if self._before:
            yield Laid(None, None, tuple(_own_questions(self._before)))
        for number, section in enumerate(self._sections):
            questions = list(_own_questions(self._beside[number, HEAD]))
            for position in range(len(section.questions)):
                questions.append(self._answered(number, position))
                questions.extend(_own_questions(self._beside[number, position]))
            yield Laid(section.name, section.description, tuple(questions), tuple(self._said[number]))

    def _place_all(self, parts: Sequence[Part]) -> None:
        above: list[tuple[int, int]] = []  # the headings that the next one may stand under: level, section
        last: Place | None = None
        for part in parts:
            while above and above[-1][0] >= part.level:
                above.pop()
            place = self._place_of(part, above[-1][1] if above else None)
            if place is not None:
                last = self._put(part, place)
                above.append((part.level, place[0]))
            elif last is not None:
                self._beside[last].append(part)
            else:
                self._before.append(part)

    def _place_of(self, part: Part, section: int | None) -> Place | None:
        if part.level == 0:
            return None
        return self._find(part.name, self._questions, section) or self._find(part.name, self._heads, section)

    def _find(self, name: str, places: dict[Key, list[Place]], section: int | None) -> Place | None:
        for key in _keys(name):
            found = places.get(key, [])
            here = [place for place in found if place[0] == section]
            for some in (here, found):
                if len(some) == 1:
                    return some[0]
        return None

    def _put(self, part: Part, place: Place) -> Place:
        """Put a part at its place; say behind what the next one stands that has none."""
        number, position = place
        section = self._sections[number]
        if position == HEAD and part.is_blank and _same_name(part.name, section.name):
            self._said[number].append(part)
            return place
        written = [n for n, one in enumerate(section.questions) if one.kind in WRITTEN]
        if position == HEAD and len(written) == 1:
            position = written[0]
        if position in written:
            self._answers[number, position].append(part)
        else:
            self._beside[number, position].append(part)
        return number, position

    def _answered(self, number: int, position: int) -> Answered:
        section = self._sections[number]
        question, parts = section.questions[position], tuple(self._answers[number, position])
        names = (question.name, section.name)
        return Answered(
            question, parts, names_them=bool(parts) and any(_same_name(parts[0].name, one) for one in names)
        )


def _sendable(section: Section) -> tuple[Question, ...]:
    """A section's questions without its body charts, which cannot be sent."""
    kinds = (*WRITTEN, *LEFT_BLANK)
    return tuple(one for one in section.questions if one.kind in kinds and one.name.strip())


def _own_questions(parts: Iterable[Part]) -> Iterator[Answered]:
    return (Answered(Question(part.name), (part,)) for part in parts)
