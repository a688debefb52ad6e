"""People's names, read as typed and as a chart holds them, and folded so that spelling habits do not matter.

Owns folding, titles and suffixes, word order, and other given names in brackets. It refuses to guess: a typed name is
never cut into given and family name on its own, only every way to divide it is told; and a name that says too
little, or names two people, is not read at all.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from anyascii import anyascii

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    """One way to divide a typed name."""

    given: Words
    family: Words
    family_first: bool
    has_middle: bool
    """Whether words after the given name may be middle names, as it stands first, or behind a comma. In "Ryan Kelly
    Smith" what follows Kelly may be a family name."""


@dataclass(frozen=True, slots=True)
class TypedName:
    """A name as somebody typed it, with every way to divide it by the family name, written without spaces."""

    splits: Mapping[str, tuple[Split, ...]]
    other_given: tuple[Words, ...]
    """What stood in brackets or quotes: "Robert (Bob) Jones"."""
    words: frozenset[str]
    generation: str
    """What tells father and son of one name apart: "jr", "sr", "ii"; "" if nothing does."""
    is_wifes: bool
    """Whether Mrs stands beside it: "Mrs John Smith" may be John's wife."""
    is_doubtful: bool
    """Whether it may be no one person's name, as "Test Lee" or "Ahmed Mohamed Ali Mohamed", or came with a remark: it
    counts only on the chart that has it word for word, and the birth date."""
    numbers: tuple[int, ...] = ()
    """What stood in brackets, if it may be a birth date."""
    spelt: "TypedName | None" = None
    """The same name with its umlauts spelt out."""


def read_name(text: str) -> TypedName | None:
    """Read a typed name; None if it cannot identify one person.

    None means: no given and family name, initials only, two people in one name ("John & Mary Smith"), or a
    placeholder ("New Patient", "Baby of Jane Smith").
    """
    text = _comma_behind_capitals(text.strip())
    typed = _read(text)
    return replace(typed, spelt=_read(spelt(text))) if typed and has_umlaut(text) else typed


def _read(text: str) -> TypedName | None:
    folded = _strip_note(_plain(text))
    bare = _REMARK.sub(" ", folded) if "(" in folded or "[" in folded else folded
    plain, other_given = _take_other_given(bare)
    if _TWO_PEOPLE.search(bare) or _SMALL_AND.search(text) or _is_placeholder(plain):
        return None
    parts = _comma_parts(plain)
    full = [chunk for part in parts for chunk in part if is_full(chunk)]
    if not 2 <= len(full) <= _LONGEST_NAME or len(parts) > 2 or _two_with_comma(parts):
        return None
    words = frozenset(word for part in parts for chunk in part for word in (*chunk, "".join(chunk)))
    around = {chunk[0] for chunk in _chunks(plain)} - words
    return TypedName(
        _all_splits(parts),
        other_given,
        words,
        generation=next((_GENERATIONS[word] for word in sorted(around) if word in _GENERATIONS), ""),
        is_wifes="mrs" in around,
        is_doubtful=bare != folded or not _PLACEHOLDERS.isdisjoint(words) or _same_family_twice(parts),
        numbers=_numbers(folded) if bare != folded else (),
    )


def _numbers(folded: str) -> tuple[int, ...]:
    """The numbers of the remarks in brackets, in any order: "(17/03/1984)"."""
    return tuple(sorted(int(number) for found in _REMARK.findall(folded) for number in _NUMBER.findall(found)))


def has_umlaut(name: str) -> bool:
    return not name.isascii() and not _UMLAUTS.isdisjoint(_composed(name))


def spelt(name: str) -> str:
    """A name without umlauts as Germans and Danes spell it: Juergen Mueller, not Jurgen Muller."""
    return _composed(name).translate(_SPELLING)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


_UMLAUTS = frozenset("äöüøåæ")
_SPELLING = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"})


def family_name_part(name: str) -> str:
    """Letters that a typed family name holds in whatever way a chart spells it; "" if there are too few."""
    return next(iter(family_name_parts(name)), "")


def family_name_parts(name: str) -> list[str]:
    """Such letters of the longest word and of the last one: the longest may be a second given name.

    The longest run of plain letters, without its first one: that dodges accents, apostrophes, hyphens and capitals.
    """
    bare = _comma_behind_capitals(_BESIDE.sub(" ", _NOTE.split(name, maxsplit=1)[0]))
    first, comma, _ = bare.partition(",")
    words = first.split() if comma else bare.split()[1:]
    runs = [max(_PLAIN_LETTERS.findall(word), key=len, default="")[1:].lower() for word in words]
    found = [letters for letters in runs if len(letters) >= _FEWEST_LETTERS]
    return list(dict.fromkeys((max(found, key=len), found[-1]))) if found else []


def same_given_name(one: str, other: str) -> bool:
    """Whether two charts' first names are the same after folding."""
    return "".join(chart_given(one)[0]) == "".join(chart_given(other)[0])


def family_key(last: str) -> str:
    """A chart's family name, folded and without spaces, to count different ones."""
    return "".join(chart_family(last))


# ---------------------------------------------------------------- a chart's names


def chart_given(text: str) -> tuple[Words, tuple[Words, ...]]:
    """A chart's given name and what stands beside it in brackets. A joint chart ("John & Mary") has none."""
    if simple := _simple(text):
        return simple, ()
    folded = _strip_note(_plain(text))
    if _TWO_PEOPLE.search(folded):
        return (), ()
    plain, others = _take_other_given(folded)
    # Joined, so that they are met whole or not at all: "Tom (Anna mum)" is not Anna.
    own = _without_suffixes(_without_titles(_chunks(plain), keep=1), keep=1)
    return _flat(own), tuple(("".join(other),) for other in others)


def chart_family(text: str) -> Words:
    if simple := _simple(text):
        return simple
    plain, _ = _take_other_given(_strip_note(_plain(text)))
    return _flat(_without_suffixes(_chunks(plain), keep=1))


def chart_generation(first: str, last: str) -> str:
    """What tells a chart's patient from the father or the son of the same name; "" if nothing does."""
    for text in (last, first):
        chunks = [] if _simple(text) else _chunks(_take_other_given(_strip_note(_plain(text)))[0])
        if len(chunks) > 1 and chunks[-1][0] in _GENERATIONS:
            return _GENERATIONS[chunks[-1][0]]
    return ""


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

_PLAIN_LETTERS = re.compile("[A-Za-z]+")
_FEWEST_LETTERS = 2
"""In fewer letters half of the practice would be alike."""
_LONGEST_NAME = 12
"""Words. The longest plausible full names have eight or nine; beyond that somebody pasted a sentence."""


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _word_set("mr mrs ms miss mx dr prof professor mister doctor")
_LAST_TITLES = _word_set("mr mrs ms miss mx dr prof")
"""Those that may stand behind a name: Doctor is a family name."""
_RARE_TITLES = _word_set("master mstr sir dame lady lord rev reverend fr father sr sister br brother capt")
"""Also people's names (John Lord): dropped only where a name is left without them."""
_SUFFIXES = _word_set("jr jnr snr sr junior senior ii iii iv phd md mbbs oam esq")
"""Also people's names (John Senior): dropped only where a name is left without them."""
_GENERATIONS = {
    "jr": "jr", "jnr": "jr", "junior": "jr", "sr": "sr", "snr": "sr", "senior": "sr",
    "ii": "ii", "iii": "iii", "iv": "iv",
}  # fmt: skip
_TWO_PEOPLE = re.compile(r"[&+/;|\r\n]|\b(?:and|with|for)\b")
_SMALL_AND = re.compile(r"\sn\s")
"""As in "Anna n Tom"; an initial has a capital."""
_PLACEHOLDERS = _word_set(
    "test testing tester unknown unnamed unidentified noname patient patients client anonymous anon walkin dummy "
    "placeholder tbc tba none nil baby infant newborn twin twins family couple group session consult of"
)
"""Words that stand where a name should. "of" is for "baby of", "mother of"; no name holds it."""
_NAMES_TOO = _word_set("test nil twin client group")
"""Of these: also people's names (Nil Patel, Rose Twin). Not "baby": newborn twins are both called that."""
_WALK_IN = re.compile(r"\bwalk[ -]?in\b")
_NUMBER = re.compile(r"\d+")
_REMARK = re.compile(
    r"""[(\[]\s*(?:
        (?:here\s)?with\s(?:(?:his|her|their|a)\s)?{people}(?:\s(?:and|&)\s{people})?(?:\spresent)?
        | {people}\s(?:and|&)\s{people}\spresent
        | for\s(?:a\s)?(?:review|follow[ -]?up|assessment|reassessment|treatment)
        | [\d]{{1,4}}[/.-][\d]{{1,2}}[/.-][\d]{{1,4}}
    )\s*[)\]]""".format(people="(?:mum|mom|dad|mother|father|parents?|carer|guardian|interpreter)"),
    re.VERBOSE,
)
"""In brackets, and no name: who came along, what for, a birth date. Not "for mum": whose note would that be?"""
_TITLE_WITH_SLASH = re.compile(r"\b(?:a|assoc|associate|asst|assistant|adj|adjunct)[\s./]*prof(?:essor)?\b")
_BESIDE = re.compile(r"""\(([^()]*)\)|\[([^\[\]]*)\]|"([^"]*)"|(?<!\w)'([^']+)'(?!\w)""")
_NOTE = re.compile(r"\s-+\s|\snee\s")
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


def _comma_behind_capitals(text: str) -> str:
    """ "SMITH John Robert" says as well as a comma would where the family name ends."""
    words = text.split()
    first = next((at for at, word in enumerate(words) if word.strip(".").lower() not in _TITLES), 0)
    end = next((at for at in range(first, len(words)) if not words[at].isupper()), len(words))
    capitals, rest = words[first:end], words[end:]
    if "," in text or not rest or max(map(len, capitals), default=0) < _CAPITALS:
        return text
    if any(word.isupper() and len(word) > 1 for word in rest):
        return text
    return f"{' '.join(words[:end])}, {' '.join(rest)}"


_CAPITALS = 3
"""Letters. Fewer may be initials: AJ Smith Jones."""


def _strip_note(plain: str) -> str:
    """Cut a note behind a spaced dash, or the name at birth; one space makes a careless hyphen ("Smith -Jones")."""
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


def is_full(words: Words) -> bool:
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
    while len(chunks) > 1 and (chunks[-1][0] in _LAST_TITLES or (len(chunks) > keep and chunks[-1][0] in _SUFFIXES)):
        chunks = chunks[:-1]
    return chunks


def _is_placeholder(plain: str) -> bool:
    words = set(_flat(_chunks(plain))) - _TITLES
    found = words & _PLACEHOLDERS
    return bool(found - _NAMES_TOO) or (bool(found) and words == found) or bool(_WALK_IN.search(plain))


def _two_with_comma(parts: list[list[Words]]) -> bool:
    """ "John Smith, Mary Smith" is two people; "van der Berg, Mary Anne" is one."""
    return len(parts) == 2 and min(map(len, parts)) > 1 and parts[0][-1] == parts[1][-1]


def _same_family_twice(parts: list[list[Words]]) -> bool:
    """ "John Smith Mary Smith" is two people, or one named after a grandfather."""
    return any(chunk in parts[0][: at - 1] and is_full(chunk) for at, chunk in enumerate(parts[0]) if at > 2)


def _all_splits(parts: list[list[Words]]) -> dict[str, tuple[Split, ...]]:
    """Every way to divide a name in two, in both orders; a comma says where, and nothing else."""
    with_comma = len(parts) == 2
    if with_comma:
        halves = [(parts[0], parts[1])]
    else:
        halves = [(parts[0][:cut], parts[0][cut:]) for cut in range(1, len(parts[0]))]
    splits: dict[str, tuple[Split, ...]] = {}
    for left, right in halves:
        one, other = _flat(left), _flat(right)
        for split in (
            Split(one, other, family_first=False, has_middle=not with_comma),
            Split(_without_last_initials(other), one, family_first=True, has_middle=with_comma),
        ):
            key = "".join(split.family)
            splits[key] = (*splits.get(key, ()), split)
    return splits


def _without_last_initials(given: Words) -> Words:
    while len(given) > 1 and len(given[-1]) == 1:
        given = given[:-1]
    return given
