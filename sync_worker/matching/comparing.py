"""A typed name beside a chart's: the same name, nearly the same in one of the known ways, or another.

Owns what "the same name" means. It fits only where the chart's family name and given name are both found whole, in
either order; a short form is one dictionary step away; a slip is one known way of mistyping one of the two, the other
being exact; nothing here is phonetic.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from rapidfuzz.distance import OSA

from sync_worker.matching.names import (
    Split,
    TypedName,
    Words,
    chart_family,
    chart_generation,
    chart_given,
    has_umlaut,
    is_full,
    spelt,
)
from sync_worker.matching.short_forms import is_given_name, is_one_step, is_short_form


class NameFit(StrEnum):
    """How well a typed name fits a chart's."""

    EXACT = "name_exact"
    """Equal after folding; middle names, titles and suffixes aside."""
    NICKNAME = "name_nickname"
    """Family name exact, given name one dictionary step away, or in brackets; never two, as from Alexander to Alexandra
    by Alex. Or the last of several given names behind a Vietnamese family name, or a first half that siblings share."""


class NameSlip(StrEnum):
    """One of the two names is exact, and the other one mistyped in a way that seldom makes another person's name."""

    FAMILY = "family_name_slip"
    """Given name exact; one edit in a family name of five letters or more, or half of a double one."""
    GIVEN = "given_name_slip"
    """Family name exact; one letter doubled or written once in the given name, and what was typed is no name.

    Two letters swapped are none: Rehan and Rehna, Samar and Samra are twins, and no list knows all such names.
    """


@dataclass(frozen=True, slots=True)
class NameComparison:
    """A typed name beside a chart's: how it fits, or which parts differ. A part missing on the chart never differs."""

    fit: NameFit | None
    by_first_name: bool = False
    """Whether the chart's own first name fits, not only its preferred one."""
    is_whole: bool = False
    """Whether it fits word for word, given name first or behind a comma, with nothing left over on either side."""
    by_last_given: bool = False
    """Whether only the last of the given names that were typed fits: Kevin Minh on Minh's chart."""
    slip: NameSlip | None = None
    """Where it does not fit: whether it was mistyped."""
    given_found: bool = False
    """Where it does not fit: whether the given name is exact, and stands where a given name stands."""
    given_near: bool = False
    """Where it does not fit, and the family name does: whether the given name is one letter away, or its initial."""
    given_differs: bool = False
    family_differs: bool = False


def compare_name(typed: TypedName, *, first: str, last: str, preferred: str = "") -> NameComparison:
    """Lay a typed name beside a chart's, in both word orders, the chart's names swapped included."""
    found = _compare(typed, first, last, preferred)
    if found.fit is None and (typed.spelt or has_umlaut(first) or has_umlaut(last)):
        found = next((other for other in _compare_spelt(typed, first, last, preferred) if other.fit), found)
    if found.fit or found.slip or found.given_found:
        return _of_one_generation(found, typed, chart_generation(first, last))
    return found


def _of_one_generation(found: NameComparison, typed: TypedName, own: str) -> NameComparison:
    """John Smith Jnr is not John Smith Snr; where only one side tells, John Smith may be either.

    And a name in brackets may be that of the person whom the session is about.
    """
    if typed.generation and own and typed.generation != own:
        return NameComparison(None, given_differs=True)
    if found.is_whole and (typed.is_wifes or typed.other_given or typed.generation != own):
        return replace(found, is_whole=False)
    return found


def _compare_spelt(typed: TypedName, first: str, last: str, preferred: str) -> Iterator[NameComparison]:
    """With the umlauts of either side spelt out, or of both."""
    others = [(spelt(first), spelt(last))] if has_umlaut(first) or has_umlaut(last) else []
    yield from (_compare(typed, *other, preferred) for other in others)
    if typed.spelt:
        yield from (_compare(typed.spelt, *names, preferred) for names in ((first, last), *others))


def _compare(typed: TypedName, first: str, last: str, preferred: str) -> NameComparison:
    given, bracketed = chart_given(first)
    family = chart_family(last)
    others = (chart_given(preferred)[0],) if preferred else ()
    family_found = "".join(family) in typed.splits
    if given and family:
        if family_found or "".join(given) in typed.splits:
            found = _best(_fits(typed, given, family, others))
            if found:
                return found
            if bracketed and _is_in_brackets(typed, family, bracketed):
                return NameComparison(NameFit.NICKNAME)
        return _unfitting(typed, given, family, others)
    return NameComparison(
        None,
        given_differs=bool(first) and (family_found or not _is_there(typed, given)),
        family_differs=bool(last) and not family_found,
    )


def _is_in_brackets(typed: TypedName, family: Words, bracketed: tuple[Words, ...]) -> bool:
    """Whether what was typed stands in brackets on a chart. It may be somebody else's, the mother's who came along."""
    return any(_same(split, name) for split in typed.splits.get("".join(family), ()) for name in bracketed)


# ---------------------------------------------------------------- not the same: how far off


def _unfitting(typed: TypedName, given: Words, family: Words, others: tuple[Words, ...]) -> NameComparison:
    """With the family name found whole, it is the given name that is another: Maria Elena is not Maria Luisa."""
    if own := typed.splits.get("".join(family)):
        slip = NameSlip.GIVEN if any(_is_given_slip(split, given) for split in own) else None
        near = slip is None and any(_is_near(split, given) for split in own)
        return NameComparison(None, slip=slip, given_near=near, given_differs=slip is None)
    there = _is_there(typed, given)
    if not there and not any(_is_there(typed, other) for other in others):
        return _ALIEN  # as most charts of a list
    usual = [split for splits in typed.splits.values() for split in splits if split.has_middle]
    found = [(split, name) for split in usual for name in (given, *others) if _is_given_of(split, name, family)]
    slip = NameSlip.FAMILY if any(_is_family_slip(typed, split, name, family) for split, name in found) else None
    return NameComparison(
        None, slip=slip, given_found=bool(found), given_differs=not found and not there, family_differs=slip is None
    )


def _is_given_of(split: Split, own: Words, family: Words) -> bool:
    """Whether a typed given name is a chart's, and the words up to the last one do not contradict its second names.

    What stands before the last word may be a second name or half of the family name, on the chart too where the last
    words are alike: Maria Luisa Garcia is not Maria Elena Garcia.
    """
    typed, between = split.given, split.family[:-1]
    is_last_alike = OSA.distance(split.family[-1], family[-1], score_cutoff=1) <= 1
    own_between = family[:-1] if is_last_alike else ()
    return any(
        "".join(typed[:i]) == "".join(own[:j])
        and is_full(typed[:i])
        and _compatible((*typed[i:], *between), (*own[j:], *own_between))
        for i in range(1, len(typed) + 1)
        for j in range(1, len(own) + 1)
        if not _SHARED_BY_SIBLINGS.issuperset(typed[:i])
    )


_SHARED_BY_SIBLINGS = frozenset(
    "muhammad muhammed muhamad muhamed mohammad mohammed mohammod mohamad mohamed mohamud mohamoud mohd md "  # noqa: SIM905
    "abdul abdel abd nur noor siti syed sayed bibi sri putu made thi min seo ji wei xiao mei".split()
)
"""First halves of given names, which brothers or sisters have in common: Muhammad Umair and Muhammad Uzair are twins.
Alone they tell nobody apart, and the word behind may be another half or the family name."""


def _is_there(typed: TypedName, given: Words) -> bool:
    return bool(given) and (given[0] in typed.words or "".join(given) in typed.words)


_ALIEN = NameComparison(None, given_differs=True, family_differs=True)


_SHORTEST_SLIP = 5
"""Letters. In a shorter name one letter makes too easily another name."""
_PARTICLES = frozenset(
    "al abu ap bin bint binti da dal de dei del della den der di do dos du el la las le los mac mc o san santa st "  # noqa: SIM905
    "saint te ten ter van vande vander vom von zu zum".split()
)
"""Parts of family names that are no family names of their own."""


def _is_family_slip(typed: TypedName, split: Split, given: Words, own: Words) -> bool:
    one, other = "".join(split.family), "".join(own)
    if _is_one_letter_off(split.family, own):
        return True
    # "Mary Anne Smith" has no double family name: Anne is a second name, where no hyphen says otherwise.
    is_double = one in typed.words or not is_given_name(split.family[0])
    # Nor need "Omar Khan" be one, where what was typed is "Muhammad Ali Khan": both may be second names, of twins.
    has_second = any(len(word) > 1 and word not in given for word in split.given[1:])
    is_second = "".join(split.given) != "".join(given) and has_second
    return (not is_second and _is_half(one, of=own)) or (is_double and _is_half(other, of=split.family))


def _is_one_letter_off(typed: Words, own: Words) -> bool:
    """In the last word only: what stands before it may be the second name of somebody's twin."""
    one, other, before = "".join(typed), "".join(own), "".join(max(typed, own, key=len)[:-1])
    if min(len(one), len(other)) < _SHORTEST_SLIP or not (one.startswith(before) and other.startswith(before)):
        return False
    return OSA.distance(one, other, score_cutoff=1) <= 1


def _is_half(name: str, *, of: Words) -> bool:
    """Whether a name is the first or the last part of a double one."""
    if len([word for word in of if word not in _PARTICLES]) != 2:
        return False
    halves = (half for cut in range(1, len(of)) for half in (of[:cut], of[cut:]))
    return any(name == "".join(half) and not _PARTICLES.issuperset(half) for half in halves)


def _is_given_slip(split: Split, own: Words) -> bool:
    """Within one word, and only of a name that is known to be one, into one that is not."""
    typed = split.given
    is_slip = split.has_middle and _is_doubled(typed[0], own[0]) and _compatible(typed[1:], own[1:])
    return is_slip and is_given_name(own[0]) and not is_given_name(typed[0])


def _is_doubled(one: str, other: str) -> bool:
    """Whether two names differ in one letter written twice."""
    longer, shorter = (one, other) if len(one) > len(other) else (other, one)
    if len(shorter) < _SHORTEST_SLIP:
        return False
    return any(longer[i] == longer[i + 1] and longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer) - 1))


def _is_near(split: Split, own: Words) -> bool:
    one, other = split.given[0], own[0]
    initial = one[0] == other[0] and 1 in (len(one), len(other))
    return initial or OSA.distance(one, other, score_cutoff=1) <= 1


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


def _fit_given(split: Split, other_given: tuple[Words, ...], first: Words, others: tuple[Words, ...]) -> NameComparison:
    is_whole = split.has_middle and any("".join(split.given) == "".join(own) for own in (first, *others))
    if _same(split, first):
        fit = NameFit.NICKNAME if _may_be_a_siblings(split, first) else NameFit.EXACT
        return NameComparison(fit, by_first_name=True, is_whole=is_whole)
    if any(_same(split, preferred) for preferred in others):
        return NameComparison(NameFit.EXACT, is_whole=is_whole)
    # A name in brackets speaks only for the chart's own first name: "Alexander (Alex)" is not "Alexandra", even if
    # she too prefers Alex. And it may be somebody else's, the mother's who came along.
    if any("".join(other) == "".join(first) and is_full(other) for other in other_given):
        return NameComparison(NameFit.NICKNAME, by_first_name=True)
    if _one_step(split, first):
        return NameComparison(NameFit.NICKNAME, by_first_name=True)
    # Only downwards, from a preferred name to its short form. Upwards would be a second step: from Alexander, by
    # the preferred name Alex, to a chart of Alexandra.
    if any(is_short_form("".join(split.given), of=preferred[0]) for preferred in others if preferred):
        return NameComparison(NameFit.NICKNAME)
    if split.family_first and _ends_with(split, first):
        return NameComparison(NameFit.NICKNAME, by_first_name=True, by_last_given=True)
    return NameComparison(None)


def _best(found: Iterable[NameComparison]) -> NameComparison | None:
    fits = [one for one in found if one.fit]
    return min(fits, key=_distance, default=None)


def _distance(found: NameComparison) -> tuple[bool, ...]:
    return found.fit is not NameFit.EXACT, not found.by_first_name, not found.is_whole, found.by_last_given


def _same(split: Split, own: Words) -> bool:
    """Whether two given names are equal: spaces aside, middle names left out on one side only."""
    typed = split.given
    return any(
        "".join(typed[:i]) == "".join(own[:j]) and is_full(typed[:i]) and _compatible(typed[i:], own[j:])
        for i in range(1 if split.has_middle else len(typed), len(typed) + 1)
        for j in range(1, len(own) + 1)
    )


def _may_be_a_siblings(split: Split, own: Words) -> bool:
    """Whether a chart has only what siblings share of the given names that were typed."""
    return _SHARED_BY_SIBLINGS.issuperset(own) and any(len(word) > 1 and word not in own for word in split.given)


def _one_step(split: Split, own: Words) -> bool:
    typed = split.given
    return any(
        is_one_step("".join(typed[:i]), "".join(own[:j])) and _compatible(typed[i:], own[j:])
        for i in ({1, len(typed)} if split.has_middle else {len(typed)})
        for j in {1, len(own)}
    )


_VIETNAMESE = frozenset(
    "bui cao dang dao dinh do doan duong ha hoang huynh ho hua kieu la lam le lu luong luu ly mach mai ngo ngoc nguyen "  # noqa: SIM905
    "nghiem pham phan phung quach quan ta tang thach thai than to ton tran trang trieu trinh truong vo vu vuong".split()
)
"""Family names whose bearers put the given name last."""


def _ends_with(split: Split, own: Words) -> bool:
    """Vietnamese order puts the given name last, after the middle name: "Nguyen Van Anh"."""
    if "".join(split.family) not in _VIETNAMESE:
        return False
    typed, end = split.given, "".join(own)
    return len(end) > 1 and any("".join(typed[i:]) == end for i in range(len(typed)))


def _compatible(one: Words, other: Words) -> bool:
    """Whether two runs of middle names do not contradict: Maria Luisa and Maria Elena may well be twins."""
    return not one or not other or _within(one, other) or _within(other, one)


def _within(few: Words, many: Words) -> bool:
    rest = iter(many)
    return all(any(a == b or (1 in (len(a), len(b)) and a[0] == b[0]) for b in rest) for a in few)
