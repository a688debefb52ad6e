"""A document's parts laid into the practice's own template.

Owns which heading belongs to which section and question, by name or by a common synonym. Refuses to guess: a heading
whose question is not plain keeps its own, in the document's order, so that no value comes under a name that it does not
belong to. Refuses to tick, draw or date anything: those questions are left to the clinician.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import unescape

from sync_worker.convert.parts import Part
from sync_worker.convert.words import fold
from sync_worker.model import Question, Section, Template

WRITTEN = ("paragraph", "text")
"""Kinds of question that a document's words may answer."""

LEFT_BLANK = ("checkboxes", "radiobuttons", "date")
"""Kinds that only the clinician answers. Others (body charts) cannot be sent at all (Cliniko's content schema)."""

_SAME_MEANING = (
    ("subjective", "history", "subjective history", "subjective assessment", "subjective examination"),
    (
        "objective",
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
    ("assessment", "impression", "clinical impression", "analysis"),
    ("plan", "management", "management plan", "treatment plan", "plan of management"),
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
    ("social history", "shx"),
    ("medications", "medication", "current medications", "meds"),
    ("treatment", "intervention", "interventions", "treatment provided", "treatment today"),
    ("home exercise program", "home exercise programme", "home exercises", "hep"),
    ("range of movement", "range of motion", "rom"),
    ("active range of movement", "active range of motion", "arom"),
    ("goals", "patient goals", "goal"),
    ("investigations", "investigation", "ix"),
)
_MEANING = {name: number for number, names in enumerate(_SAME_MEANING) for name in names}
_SOAP = {name[0]: _MEANING[name] for name in ("subjective", "objective", "assessment", "plan")}
"""Single letters, which mean this where a document has more than one of them."""

_GENERAL = frozenset(
    ["notes", "note", "comments", "comment", "details", "findings", "summary", "description", "general"]
)
"""Names of questions that ask for whatever there is to say."""

Key = str | int
"""What two names are compared by: their folded text, or the number of their meaning."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A question of the note, and the part of the document that answers it, if any does.

    `question` is the template's, or one of the document's own. `names_it`: the part's heading need not be said again,
    since the question or its section bears that name.
    """

    question: Question
    part: Part | None = None
    names_it: bool = True


@dataclass(frozen=True, slots=True)
class Laid:
    """One section of the note to be: its name and description, its questions, and the headings that its name says."""

    name: str | None
    description: str | None
    questions: tuple[Answered, ...]
    said: tuple[Part, ...] = ()


def lay_out(parts: Sequence[Part], template: Template) -> list[Laid]:
    """Lay a document's parts into a template: every part once, and every question of the template that can be sent.

    A heading goes to the question of its name; failing that, to the section of its name, as the answer where the
    section asks one general thing, else as a question of its own. Only headings that stand under no other one (but
    the document's title) look through the whole template; those under a section's heading look through that section;
    those under any other heading stay with it, as they may be about the left side, a parent, or what is planned.

    Where two headings fit one question, or one heading two questions, nothing is placed. The rest keeps its own
    question, right behind the part before it, or in a first section without a name. Names are compared without case,
    accents and punctuation, first as they are, then by common synonyms ("History" is "Subjective").
    """
    return list(_Sheet(template, parts).fill())


def _same_words(one: str, other: str | None) -> bool:
    """Whether a heading need not be said beside a name: "PLAN:" is "Plan", but "Slump (+)" is not "Slump"."""
    return _plainly(one) == _plainly(other or "") != ""


def _plainly(name: str) -> str:
    return fold(name).casefold().removesuffix(":").rstrip()


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKD", unescape(name)).casefold()
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[^\W_]+", letters.replace("&", " and ")))


# ---------------------------------------------------------------- filling in

Place = tuple[int, int]
"""A section, and a question of it; HEAD is before its first question."""

HEAD = -1


class _Sheet:
    """A template while a document is written into it."""

    def __init__(self, template: Template, parts: Sequence[Part]) -> None:
        sections = [replace(section, questions=sendable(section)) for section in template.sections]
        self._sections = [section for section in sections if section.questions]
        self._parts = parts
        asked = [name for section in self._sections for name in _names(section)]
        self._uses_soap = any(len(set(map(_folded, names)) & set(_SOAP)) > 1 for names in (asked, _headings(parts)))
        self._questions: dict[Key, list[Place]] = defaultdict(list)
        self._heads: dict[Key, list[Place]] = defaultdict(list)
        for number, section in enumerate(self._sections):
            for key in self._keys(section.name):
                self._heads[key].append((number, HEAD))
            for position, question in enumerate(section.questions):
                for key in self._keys(question.name):
                    self._questions[key].append((number, position))
        self._places: dict[int, Place] = {}  # by a part's number in the document
        self._answers: dict[Place, Part] = {}
        self._beside: dict[Place, list[Part]] = defaultdict(list)
        self._said: dict[int, list[Part]] = defaultdict(list)
        self._before: list[Part] = []

    def fill(self) -> Iterator[Laid]:
        """The sections of the note: what fits nowhere before the first part that does, then the template's own."""
        self._find_places()
        self._put_all()
        if self._before:
            yield Laid(None, None, tuple(_own_questions(self._before)))
        for number, section in enumerate(self._sections):
            questions = list(_own_questions(self._beside[number, HEAD]))
            for position in range(len(section.questions)):
                questions.append(self._answered(number, position))
                questions.extend(_own_questions(self._beside[number, position]))
            yield Laid(section.name, section.description, tuple(questions), tuple(self._said[number]))

    # ------------------------------------------------------------ which part goes where

    def _find_places(self) -> None:
        below: dict[int | None, list[int]] = defaultdict(list)
        for number, parent in enumerate(_parents(self._parts)):
            below[parent].append(number)
        first = [number for number in below[None] if self._parts[number].level]
        self._assign(first, below, section=None)
        if len(first) == 1 and first[0] not in self._places:  # the document's title
            self._assign(below[first[0]], below, section=None)

    def _assign(self, group: list[int], below: dict[int | None, list[int]], *, section: int | None) -> None:
        """Find places for parts that stand side by side, and for those below the ones that are a section's heading."""
        fits: dict[Place, list[int]] = defaultdict(list)
        for number in group:
            if (place := self._place_of(self._parts[number].name, section)) is not None:
                fits[place].append(number)
        for place, numbers in fits.items():
            if (chosen := self._only_one(place, numbers)) is not None:
                self._places[chosen] = place
                if place[1] == HEAD:
                    self._assign(below[chosen], below, section=place[0])

    def _only_one(self, place: Place, numbers: list[int]) -> int | None:
        """The one part that fits a place, or the only one of exactly its name."""
        name = _folded(self._name_at(place))
        exact = [number for number in numbers if _folded(self._parts[number].name) == name]
        best = exact or numbers
        return best[0] if len(best) == 1 and place not in self._places.values() else None

    def _place_of(self, name: str, section: int | None) -> Place | None:
        """Where a heading belongs: in one section, or in the whole template."""
        for places in (self._questions, self._heads if section is None else {}):
            for key in self._keys(name):
                found = [place for place in places.get(key, []) if section in (None, place[0])]
                if len(found) == 1:
                    return found[0]
                if found:
                    return None
        return None

    def _keys(self, name: str | None) -> Iterator[Key]:
        folded = _folded(name or "")
        if folded:
            yield folded
        if folded in _MEANING:
            yield _MEANING[folded]
        elif self._uses_soap and folded in _SOAP:
            yield _SOAP[folded]

    def _name_at(self, place: Place) -> str:
        section = self._sections[place[0]]
        return (section.name or "") if place[1] == HEAD else section.questions[place[1]].name

    # ------------------------------------------------------------ writing

    def _put_all(self) -> None:
        last: Place | None = None
        for number, part in enumerate(self._parts):
            place = self._places.get(number)
            if place is not None:
                last = self._put(part, place)
            elif last is not None:
                self._beside[last].append(part)
            elif part.level or not part.is_blank:
                self._before.append(part)

    def _put(self, part: Part, place: Place) -> Place:
        """Put a part at its place; say behind what the next one stands that has none."""
        number, position = place
        section = self._sections[number]
        if position == HEAD and part.is_blank and _same_words(part.name, section.name):
            self._said[number].append(part)
            return place
        if position == HEAD and not part.is_blank:
            position = self._general_question(number)
        if position != HEAD and section.questions[position].kind in WRITTEN:
            self._answers[number, position] = part
        else:
            self._beside[number, position].append(part)
        return number, position

    def _general_question(self, number: int) -> int:
        """The question of a section that takes what stands right under its heading; HEAD where none does."""
        section = self._sections[number]
        written = [position for position, one in enumerate(section.questions) if one.kind in WRITTEN]
        if len(written) != 1 or (number, written[0]) in self._places.values():
            return HEAD
        name = section.questions[written[0]].name
        is_general = _folded(name) in _GENERAL or bool(set(self._keys(name)) & set(self._keys(section.name)))
        return written[0] if is_general else HEAD

    def _answered(self, number: int, position: int) -> Answered:
        section = self._sections[number]
        question, part = section.questions[position], self._answers.get((number, position))
        names = (question.name, section.name)
        return Answered(question, part, names_it=part is None or any(_same_words(part.name, one) for one in names))


def sendable(section: Section) -> tuple[Question, ...]:
    """A section's questions without those that cannot be sent, such as body charts."""
    kinds = (*WRITTEN, *LEFT_BLANK)
    return tuple(one for one in section.questions if one.kind in kinds and one.name.strip())


def _names(section: Section) -> list[str]:
    return [section.name or "", *(question.name for question in section.questions)]


def _headings(parts: Sequence[Part]) -> list[str]:
    return [part.name for part in parts if part.level]


def _own_questions(parts: Iterable[Part]) -> Iterator[Answered]:
    return (Answered(Question(part.name), part) for part in parts)


def _parents(parts: Sequence[Part]) -> Iterator[int | None]:
    """For each part the number of the one whose heading it stands under."""
    above: list[int] = []
    for number, part in enumerate(parts):
        while above and parts[above[-1]].level >= part.level:
            above.pop()
        yield above[-1] if above else None
        if part.level:
            above.append(number)
