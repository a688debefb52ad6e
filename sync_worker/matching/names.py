"""People's names: folded so that spelling habits do not matter, read as typed, and compared with a chart's.

Owns what "the same name" means: folding, titles and suffixes, word order, other given names in brackets, and a
given name's short form. It refuses to guess: a typed name is never cut into given and family name on its own, it
is laid beside a chart and fits only where the chart's family name and given name are both found whole; nothing here
is phonetic or nearly right; and a name that says too little, or names two people, is not read at all.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from anyascii import anyascii

from sync_worker.matching.short_forms import is_one_step, is_short_form

Words = tuple[str, ...]


class NameFit(StrEnum):
    """How well a typed name fits a chart's."""

    EXACT = "name_exact"
    """Equal after folding; middle names, titles and suffixes aside."""
    NICKNAME = "name_nickname"
    """Family name exact, given name one dictionary step away; never two, as from Alexander to Alexandra by Alex."""


@dataclass(frozen=True, slots=True)
class _Split:
    """One way to divide a typed name, beside the family name it would leave."""

    given: Words
    family_first: bool
    has_middle: bool
    """Whether words after the given name may be middle names. Behind "Ryan Kelly Smith" they may be a family name."""


@dataclass(frozen=True, slots=True)
class TypedName:
    """A name as somebody typed it, with every way to divide it by the family name, written without spaces."""

    splits: Mapping[str, tuple[_Split, ...]]
    other_given: tuple[Words, ...]
    """What stood in brackets or quotes: "Robert (Bob) Jones"."""
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class NameComparison:
    """A typed name beside a chart's: how it fits, or which parts differ. A part missing on the chart never differs."""

    fit: NameFit | None
    by_first_name: bool = False
    """Whether the chart's own first name fits, not only its preferred one."""
    given_differs: bool = False
    family_differs: bool = False


def read_name(text: str) -> TypedName | None:
    """Read a typed name; None if it cannot identify one person.

    None means: no given and family name, initials only, two people in one name ("John & Mary Smith"), or a
    placeholder ("New Patient", "Baby of Jane Smith").
    """
    folded = _strip_note(_plain(text))
    plain, other_given = _take_other_given(folded)
    if _TWO_PEOPLE.search(folded) or _is_placeholder(plain):
        return None
    parts = _comma_parts(plain)
    full = [chunk for part in parts for chunk in part if _is_full(chunk)]
    if not 2 <= len(full) <= _LONGEST_NAME or len(parts) > 2 or _same_family_twice(parts):
        return None
    words = frozenset(word for part in parts for chunk in part for word in (*chunk, "".join(chunk)))
    return TypedName(_all_splits(parts), other_given, words)


def compare_name(typed: TypedName, *, first: str, last: str, preferred: str = "") -> NameComparison:
    """Lay a typed name beside a chart's, in both word orders, the chart's names swapped included."""
    given, bracketed = _chart_given(first)
    family = _chart_family(last)
    family_found = "".join(family) in typed.splits
    # Most charts of a list share no name with the hint: they end here.
    if given and family and (family_found or "".join(given) in typed.splits):
        others = (*bracketed, _chart_given(preferred)[0]) if preferred or bracketed else ()
        found = _best(_fits(typed, given, family, others))
        if found:
            return found
    given_found = bool(given) and (given[0] in typed.words or "".join(given) in typed.words)
    return NameComparison(
        None,
        given_differs=bool(first) and (family_found or not given_found),
        family_differs=bool(last) and not family_found,
    )


def same_given_name(one: str, other: str) -> bool:
    """Whether two charts' first names are the same after folding."""
    return "".join(_chart_given(one)[0]) == "".join(_chart_given(other)[0])


def family_key(last: str) -> str:
    """A chart's family name, folded and without spaces, to count different ones."""
    return "".join(_chart_family(last))


# ---------------------------------------------------------------- fitting a given name


def _fits(typed: TypedName, given: Words, family: Words, others: tuple[Words, ...]) -> Iterator[NameComparison]:
    for split in typed.splits.get("".join(family), ()):
        yield _fit_given(split, typed.other_given, given, others)
    # Charts are sometimes filled in the wrong way round. Both names must then be found whole: half of a double
    # family name must not pass for a shortened given name.
    for split in typed.splits.get("".join(given), ()):
        if "".join(split.given) == "".join(family):
            yield NameComparison(NameFit.EXACT, by_first_name=True)
        # With both sides the wrong way round it would be the family name that has the nickname.
        elif not split.family_first and is_one_step("".join(split.given), "".join(family)):
            yield NameComparison(NameFit.NICKNAME, by_first_name=True)


def _fit_given(
    split: _Split, other_given: tuple[Words, ...], first: Words, others: tuple[Words, ...]
) -> NameComparison:
    if _same(split, first) or (split.family_first and _ends_with(split.given, first)):
        return NameComparison(NameFit.EXACT, by_first_name=True)
    # A name in brackets speaks only for the chart's own first name: "Alexander (Alex)" is not "Alexandra",
    # even if she too prefers Alex.
    if any("".join(other) == "".join(first) and _is_full(other) for other in other_given):
        return NameComparison(NameFit.EXACT, by_first_name=True)
    if any(_same(split, preferred) for preferred in others):
        return NameComparison(NameFit.EXACT)
    if _one_step(split, first):
        return NameComparison(NameFit.NICKNAME, by_first_name=True)
    # Only downwards, from a preferred name to its short form. Upwards would be a second step: from Alexander, by
    # the preferred name Alex, to a chart of Alexandra.
    if any(is_short_form("".join(split.given), of=preferred[0]) for preferred in others if preferred):
        return NameComparison(NameFit.NICKNAME)
    return NameComparison(None)


def _best(found: Iterable[NameComparison]) -> NameComparison | None:
    fits = [one for one in found if one.fit]
    return min(fits, key=lambda one: (one.fit is not NameFit.EXACT, not one.by_first_name), default=None)


def _same(split: _Split, own: Words) -> bool:
    """Whether two given names are equal: spaces aside, middle names left out on one side only."""
    typed = split.given
    return any(
        "".join(typed[:i]) == "".join(own[:j]) and _is_full(typed[:i]) and _compatible(typed[i:], own[j:])
        for i in range(1 if split.has_middle else len(typed), len(typed) + 1)
        for j in range(1, len(own) + 1)
    )


def _one_step(split: _Split, own: Words) -> bool:
    typed = split.given
    return any(
        is_one_step("".join(typed[:i]), "".join(own[:j])) and _compatible(typed[i:], own[j:])
        for i in ({1, len(typed)} if split.has_middle else {len(typed)})
        for j in {1, len(own)}
    )


def _ends_with(typed: Words, own: Words) -> bool:
    """Vietnamese order puts the given name last, after the middle name: "Nguyen Van Anh"."""
    end = "".join(own)
    return len(end) > 1 and any("".join(typed[i:]) == end for i in range(len(typed)))


def _compatible(one: Words, other: Words) -> bool:
    """Whether two runs of middle names do not contradict: Maria Luisa and Maria Elena may well be twins."""
    return not one or not other or _within(one, other) or _within(other, one)


def _within(few: Words, many: Words) -> bool:
    rest = iter(many)
    return all(any(a == b or (1 in (len(a), len(b)) and a[0] == b[0]) for b in rest) for a in few)


# ---------------------------------------------------------------- a chart's names


def _chart_given(text: str) -> tuple[Words, tuple[Words, ...]]:
    """A chart's given name and what stands beside it in brackets. A joint chart ("John & Mary") has none."""
    if simple := _simple(text):
        return simple, ()
    folded = _strip_note(_plain(text))
    if _TWO_PEOPLE.search(folded):
        return (), ()
    plain, others = _take_other_given(folded)
    # Joined, so that they are met whole or not at all: "Tom (Anna mum)" is not Anna.
    return _flat(_without_titles(_chunks(plain), keep=1)), tuple(("".join(other),) for other in others)


def _chart_family(text: str) -> Words:
    if simple := _simple(text):
        return simple
    plain, _ = _take_other_given(_strip_note(_plain(text)))
    return _flat(_without_suffixes(_chunks(plain), keep=1))


def _simple(text: str) -> Words:
    """The words of a name of plain letters ("Jones", "O'Brien", "Smith-Jones"), as most are; else nothing."""
    if not text.isascii() or not text[:1].isalpha() or not text[-1:].isalpha():
        return ()
    letters = text.replace("'", "")
    if letters.isalpha():
        return (letters.lower(),)
    words = letters.lower().split("-")
    return tuple(words) if all(map(str.isalpha, words)) else ()


# ---------------------------------------------------------------- reading

_LONGEST_NAME = 12
"""Words. The longest plausible full names have eight or nine; beyond that somebody pasted a sentence."""


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _word_set("mr mrs ms miss mx dr prof professor mister doctor")
_RARE_TITLES = _word_set("master mstr sir dame lady lord rev reverend fr father sr sister br brother capt")
"""Also people's names (John Lord): dropped only where a name is left without them."""
_SUFFIXES = _word_set("jr jnr snr sr junior senior ii iii iv phd md mbbs oam esq")
"""Also people's names (John Senior): dropped only where a name is left without them."""
_TWO_PEOPLE = re.compile(r"[&+/;]|\b(?:and|with|for)\b")
_PLACEHOLDERS = _word_set(
    "test testing tester unknown unnamed unidentified noname patient patients client anonymous anon walkin dummy "
    "placeholder tbc tba none nil baby infant newborn twin twins family couple group session consult of"
)
"""Words that stand where a name should. "of" is for "baby of", "mother of"; no name holds it."""
_WALK_IN = re.compile(r"\bwalk[ -]?in\b")
_TITLE_WITH_SLASH = re.compile(r"\b(?:a|assoc|associate|asst|assistant|adj|adjunct)[\s./]*prof(?:essor)?\b")
_BESIDE = re.compile(r"""\(([^()]*)\)|\[([^\[\]]*)\]|"([^"]*)"|(?<!\w)'([^']+)'(?!\w)""")
_NOTE = re.compile(r"\s-+\s")
_CARELESS_HYPHEN = re.compile(r"(?<=\w)-\s+(?=\w)|(?<=\w)\s+-(?=\w)")
_INITIAL_DOT = re.compile(r"(?<![a-z])([a-z])\.")
_CHUNK = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*")
_SYLLABLE = re.compile(r"([\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3])")
_QUOTES = str.maketrans(
    dict.fromkeys("’‘`´ʼʻ′ʹ＇‛", "'")
    | dict.fromkeys("“”„«»″＂", '"')
    | dict.fromkeys("‐‑‒–−﹣－", "-")
    | dict.fromkeys("—―", " - ")
)


def _plain(text: str) -> str:
    """Fold to lower-case ASCII. Punctuation that divides a name stays; emoji and zero-width characters go."""
    if not text.isascii():
        # The acute accent as an apostrophe must be caught before NFKC, which makes a space of it.
        text = unicodedata.normalize("NFKC", text.translate(_QUOTES))
        text = "".join(character for character in text if unicodedata.category(character) not in _NO_LETTERS)
        # Chinese and Korean names have no spaces; a Latin chart may hold them in any grouping.
        text = anyascii(_SYLLABLE.sub(r" \1 ", text))
    folded = text.replace("`", "'").casefold()
    return _TITLE_WITH_SLASH.sub("prof", folded) if "prof" in folded else folded


_NO_LETTERS = frozenset({"Cf", "Co", "Cs", "Cn", "So", "Sk"})


def _strip_note(plain: str) -> str:
    """Cut a note behind a spaced dash; a dash with one space is a careless hyphen ("Smith -Jones")."""
    return _CARELESS_HYPHEN.sub("-", _NOTE.split(plain, maxsplit=1)[0])


def _take_other_given(plain: str) -> tuple[str, tuple[Words, ...]]:
    """Lift what stands in brackets or quotes out of a name."""
    if not any(mark in plain for mark in "([\"'"):
        return plain, ()
    others = [_flat(_chunks("".join(filter(None, found.groups())))) for found in _BESIDE.finditer(plain)]
    return _BESIDE.sub(" ", plain), tuple(filter(None, others))


def _chunks(plain: str) -> list[Words]:
    """The words of a name; those joined by a hyphen stay together, so that no family name is found in a half."""
    plain = _INITIAL_DOT.sub(r"\1 ", plain).replace(".", "").replace("'", "")
    return [tuple(filter(None, chunk.split("-"))) for chunk in _CHUNK.findall(plain)]


def _flat(chunks: Iterable[Words]) -> Words:
    return tuple(word for chunk in chunks for word in chunk)


def _is_full(words: Words) -> bool:
    """Whether this is more than initials and numbers."""
    return any(len(word) > 1 and word.isalpha() for word in words)


def _comma_parts(plain: str) -> list[list[Words]]:
    """A name's words, without titles and suffixes, as its commas divide them ("Jones, Robert"; "Robert Jones, PhD")."""
    pieces = [chunks for chunks in map(_chunks, plain.split(",")) if chunks]
    names = [piece for piece in pieces if not all(chunk[0] in _SUFFIXES for chunk in piece)]
    if sum(map(len, names)) > 1:
        pieces = names
    keep = 2 if len(pieces) == 1 else 1
    bare = (_without_suffixes(_without_titles(piece, keep=keep), keep=keep) for piece in pieces)
    return [piece for piece in bare if piece]


def _without_titles(chunks: list[Words], *, keep: int) -> list[Words]:
    while chunks and (chunks[0][0] in _TITLES or (len(chunks) > keep and chunks[0][0] in _RARE_TITLES)):
        chunks = chunks[1:]
    return chunks


def _without_suffixes(chunks: list[Words], *, keep: int) -> list[Words]:
    while len(chunks) > keep and chunks[-1][0] in _SUFFIXES:
        chunks = chunks[:-1]
    return chunks


def _is_placeholder(plain: str) -> bool:
    return not _PLACEHOLDERS.isdisjoint(_flat(_chunks(plain))) or bool(_WALK_IN.search(plain))


def _same_family_twice(parts: list[list[Words]]) -> bool:
    """ "John Smith, Mary Smith" is two people, "van der Berg, Mary Anne" is one."""
    return len(parts) == 2 and min(map(len, parts)) > 1 and parts[0][-1] == parts[1][-1]


def _all_splits(parts: list[list[Words]]) -> dict[str, tuple[_Split, ...]]:
    """Every way to divide a name in two, in both orders; a comma says where, and nothing else."""
    with_comma = len(parts) == 2
    if with_comma:
        halves = [(parts[0], parts[1])]
    else:
        halves = [(parts[0][:cut], parts[0][cut:]) for cut in range(1, len(parts[0]))]
    splits: dict[str, tuple[_Split, ...]] = {}
    for left, right in halves:
        given_first = _Split(_flat(left), family_first=False, has_middle=not with_comma)
        family_first = _Split(_without_last_initials(_flat(right)), family_first=True, has_middle=with_comma)
        for family, split in ((right, given_first), (left, family_first)):
            key = "".join(_flat(family))
            splits[key] = (*splits.get(key, ()), split)
    return splits


def _without_last_initials(given: Words) -> Words:
    while len(given) > 1 and len(given[-1]) == 1:
        given = given[:-1]
    return given
