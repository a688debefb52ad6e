"""A person's own words for a patient: what Cliniko is asked with them, and which of its charts they fit. Pure.

Cliniko's filters know neither "or" nor, for certain, capitals, accents and apostrophes: so each word asks for its plain
letters alone, and which charts fit all that was typed is seen here.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from anyascii import anyascii

from sync_worker.model import Patient

MOST_WORDS = 6
FEW_LETTERS = 3
"""A word of so few letters is asked for whole: as a part of names it would fetch half of the practice."""
_WORD = re.compile(r"[^\W\d_]+(?:['’`\-][^\W\d_]+)*")
_LETTERS = re.compile("[A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of what was typed. `part` is what a name holds however it is spelt; "" where it is asked for whole."""

    typed: str
    folded: str
    part: str

    def fits(self, patient: Patient) -> bool:
        """Whether a chart has this word: a short one at the beginning of a name, a longer one anywhere in it."""
        names = _names(patient)
        if len(self.folded) <= FEW_LETTERS:
            return any(name.startswith(self.folded) for name in names)
        return any(self.folded in name for name in names)


def words_of(name: str) -> list[Word]:
    """The words that were typed; none where there are no letters in it."""
    found = _WORD.findall(unicodedata.normalize("NFC", name))[:MOST_WORDS]
    return [Word(word, _folded(word), _part(word)) for word in found if _folded(word)]


def fitting(charts: Iterable[Patient], words: Sequence[Word], born: date | None) -> list[Patient]:
    """The charts that fit, best first: all words and the day; else all words; else some word and the day."""
    known = list({chart.patient_id: chart for chart in charts}.values())
    named = [chart for chart in known if all(word.fits(chart) for word in words)]
    of_day = [chart for chart in known if born is not None and chart.birth_date == born]
    both = [chart for chart in named if chart in of_day]
    alike = [chart for chart in of_day if any(word.fits(chart) for word in words)]
    return sorted(both or named or alike, key=lambda chart: _rank(chart, words))


def _rank(chart: Patient, words: Sequence[Word]) -> tuple[bool, int, str, str]:
    """Charts in use first, then those with most of the words as whole names, then by the alphabet."""
    whole = sum(word.folded in _names(chart) for word in words)
    return chart.archived or chart.merged_into is not None, -whole, _folded(chart.last_name), _folded(chart.first_name)


def _part(word: str) -> str:
    """The longest run of plain letters, without its first one, which may be a capital; of a few letters none."""
    run = max(_LETTERS.findall(word), key=len, default="")
    if len(run) > FEW_LETTERS:
        return run[1:].lower()
    return run if len(run) == FEW_LETTERS and not word.isalpha() else ""


def _names(patient: Patient) -> list[str]:
    """A chart's names, each whole without what divides it, and its parts."""
    names = (patient.first_name, patient.preferred_first_name or "", patient.last_name)
    parts = [part for name in names for part in (name, *re.split(r"[\s\-()]+", name))]
    return [folded for part in parts if (folded := _folded(part))]


def _folded(text: str) -> str:
    return "".join(filter(str.isalpha, anyascii(text).lower()))
