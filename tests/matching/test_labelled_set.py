"""The rules against the labelled set, and that the set is sound and would notice a matcher that is too bold."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from random import Random

import pytest

from sync_worker.lifecycle import ASKED_AGAIN
from sync_worker.model import Hint, Patient
from tests.matching import cases, febrl, slips
from tests.matching.__main__ import BEGIN, END, PAGE
from tests.matching.cases import CATEGORIES, LIMITS, made, names
from tests.matching.clinic import Case, LabelledSet, Right
from tests.matching.damaged import right_for
from tests.matching.febrl import Person, Record
from tests.matching.matchers import MATCHERS, OURS, Matcher, exact_name_and_date, rules
from tests.matching.report import Verdict, judge, recall, report, shortcomings, tally, together, total

SEEDS = (1, 2)


@pytest.fixture(scope="module")
def one_set() -> LabelledSet:
    return made(SEEDS[0])


# ---------------------------------------------------------------- the product


def test_the_rules_file_nothing_wrongly_or_unsafely_and_find_99_of_100_plain_cases() -> None:
    told = shortcomings(together(tally(one, rules(one)) for one in map(made, SEEDS)))
    assert told == [], "\n".join(told)


# ---------------------------------------------------------------- the set is sound


def test_every_category_has_its_cases(one_set: LabelledSet) -> None:
    counted = Counter(case.category for case in one_set.cases)
    assert set(counted) == set(names())
    assert len(names()) == len(CATEGORIES) + 3
    assert all(counted[category.name] == category.times for category in CATEGORIES)
    assert all(counted[name] >= 50 for name in set(names()) - {category.name for category in CATEGORIES})


def test_a_list_and_its_cases_are_several_thousand(one_set: LabelledSet) -> None:
    assert len(one_set.charts) > 4000
    assert len(one_set.cases) > 3000


def test_every_label_is_the_categorys(one_set: LabelledSet) -> None:
    assert all(case.right is names()[case.category] for case in one_set.cases)
    assert all(case.right is Right.PERSON for case in one_set.cases if case.category in LIMITS)


def test_what_is_to_be_found_is_somebodys_only_live_chart_and_would_be_fetched(one_set: LabelledSet) -> None:
    live = Counter(one_set.owners[chart.patient_id] for chart in one_set.charts.values() if not chart.archived)
    for case in to_be_found(one_set):
        assert case.truth is not None, case
        chart = one_set.charts[case.truth]
        assert not chart.archived, case
        assert chart.merged_into is None, case
        assert live[one_set.owners[case.truth]] == 1, case
        assert chart in one_set.candidates(case.hint), case


def test_a_plain_case_has_the_charts_own_birth_date(one_set: LabelledSet) -> None:
    plain = [case for case in one_set.cases if case.right is Right.PLAIN]
    assert all(case.truth and case.hint.birth_date == one_set.charts[case.truth].birth_date for case in plain)


def test_nobody_else_of_that_date_has_the_plain_name_as_it_stands(one_set: LabelledSet) -> None:
    for case in (case for case in one_set.cases if case.right is Right.PLAIN):
        alike = fetched(one_set, case.hint, lambda hint, chart: exact(hint, chart) and same_date(hint, chart))
        assert len({one_set.owners[chart.patient_id] for chart in alike}) <= 1, case


def test_charts_that_are_gone_or_point_in_a_circle_do_not_upset_the_search(one_set: LabelledSet) -> None:
    merged = [case for case in one_set.cases if case.category.startswith("merged")]
    assert all(one_set.candidates(case.hint) for case in merged)


def test_the_same_seed_makes_the_same_set_and_another_one_another() -> None:
    again = cases.made.__wrapped__(SEEDS[0])
    assert again == made(SEEDS[0])
    assert again.cases != made(SEEDS[1]).cases


def test_the_people_are_febrls_and_none_has_a_birth_date_that_stands_for_unknown() -> None:
    assert len(febrl.people()) > 4500
    assert len(febrl.strangers()) > 5000
    assert all(1926 <= person.born.year <= 2025 for person in febrl.people())
    assert not any((person.born.month, person.born.day) == (1, 1) for person in febrl.people())
    assert {person.key for person in febrl.people()} <= set(febrl.damaged())


# ---------------------------------------------------------------- the labels


@pytest.mark.parametrize(
    ("given", "family", "born", "right"),
    [
        ("Robert", "Johnson", 17, Right.PLAIN),
        ("Rob Ert", "Johnson", 17, Right.PLAIN),
        ("Johnson", "Robert", 17, Right.PLAIN),
        ("Robert", "Jonhson", 17, Right.AUTO),
        ("Robret", "Johnson", 17, Right.AUTO),
        ("Robbert", "Johnson", 17, Right.AUTO),
        ("Rovert", "Johnson", 17, Right.PERSON),
        ("Peter", "Johnson", 17, Right.PERSON),
        ("Robert", "Jonnsen", 17, Right.PERSON),
        ("Robert", "Johnson", 18, Right.PERSON),
        ("Robert", "Johnson", None, Right.PERSON),
        ("", "Johnson", 17, Right.PERSON),
        ("Rob", "Johnson", 17, None),
        ("Robret", "Jonhson", 17, Right.PERSON),
        ("Johnson", "Robret", 17, None),
        ("Roberta", "Johnson", 17, None),
    ],
)
def test_damage_is_labelled_by_the_rules(given: str, family: str, born: int | None, right: Right | None) -> None:
    person = Person("key", "Robert", "Johnson", date(1984, 3, 17))
    assert right_for(person, Record("key", given, family, date(1984, 3, born) if born else None)) is right


def test_slips_are_one_letter_off() -> None:
    chance = Random(1)
    assert all(slips.is_one_edit(slips.one_letter_off(chance, "Johnson"), "Johnson") for _ in range(200))
    typed = {slips.swapped_or_doubled(chance, "Robert") for _ in range(200)}
    assert {"Robret", "Orbert", "Rrobert", "Roberrt"} <= typed
    assert len(typed) == 5 + 5
    assert all(name and slips.is_swapped_or_doubled(name, "Robert") for name in typed)
    assert not any(slips.is_swapped_or_doubled(name, "Robert") for name in ("Robert", "Rovert", "Robetrr", "Rober"))


def test_no_slip_is_a_name_that_somebody_bears() -> None:
    chance = Random(1)
    typed = {slips.swapped_or_doubled(chance, "Chetan") for _ in range(200)}
    assert None in typed
    assert {"Chetna", "Robret", "Sam"} & typed == set()
    assert not any(slips.is_known_given_name(slips.other_letter(chance, "Julia")) for _ in range(200))


def test_near_birth_dates_are_those_of_the_rules() -> None:
    near = slips.near_dates(date(1984, 3, 7))
    assert {
        date(1984, 7, 3),
        date(1984, 3, 17),
        date(1984, 3, 8),
        date(1984, 4, 7),
        date(1985, 3, 7),
        date(1987, 3, 7),
    } <= set(near)
    assert date(1984, 3, 7) not in near
    assert date(1994, 3, 7) not in near
    far = [slips.far_date(Random(seed), date(1984, 3, 7)) for seed in range(200)]
    assert not set(far) & set(near)


# ---------------------------------------------------------------- the report would notice


def test_a_matcher_that_knows_every_answer_passes(one_set: LabelledSet) -> None:
    answers = {case.hint: case.truth for case in to_be_found(one_set)}
    counted = tally(one_set, answers.get)
    assert shortcomings(counted) == []
    assert recall(total(counted, Right.PLAIN, Right.AUTO)) == 1


def test_a_matcher_that_files_nothing_does_not_pass(one_set: LabelledSet) -> None:
    assert shortcomings(tally(one_set, lambda hint: None)) == ["Only 0.0% of the plain cases were found."]


@pytest.mark.parametrize("name", [name for name in MATCHERS if name != OURS])
def test_every_naive_matcher_files_wrongly(name: str, one_set: LabelledSet) -> None:
    counted = total(tally(one_set, MATCHERS[name](one_set)))
    assert counted[Verdict.FALSE] > 10
    assert counted[Verdict.UNSAFE] > 10


def test_an_answer_is_judged_by_whose_chart_it_is() -> None:
    owners = {"1": "robert", "2": "robert", "3": "peter"}
    found = Case("as on the chart", Right.PLAIN, Hint("Robert Jones"), "1")
    asked = Case("live duplicates", Right.PERSON, Hint("Robert Jones"), "1")
    unlisted = Case("not on the list", Right.PERSON, Hint("Robert Jones"), None)
    assert [judge(found, chosen, owners) for chosen in ("1", "2", "3", None)] == ["found", "unsafe", "false", "missed"]
    assert [judge(asked, chosen, owners) for chosen in ("1", "2", "3", None)] == ["unsafe", "unsafe", "false", "left"]
    assert [judge(unlisted, chosen, owners) for chosen in ("1", None)] == ["false", "left"]


# ---------------------------------------------------------------- matchers that are too bold


def exact(hint: Hint, chart: Patient) -> bool:
    return f"{chart.first_name} {chart.last_name}".casefold() == hint.name.casefold()


def same_date(hint: Hint, chart: Patient) -> bool:
    return hint.birth_date is not None and hint.birth_date == chart.birth_date


def same_email(hint: Hint, chart: Patient) -> bool:
    return bool(hint.email) and hint.email.lower() == (chart.email or "").lower()  # type: ignore[union-attr]


def same_surname(hint: Hint, chart: Patient) -> bool:
    return hint.name.casefold().endswith(chart.last_name.casefold())


def same_given_name(hint: Hint, chart: Patient) -> bool:
    return hint.name.casefold().startswith(f"{chart.first_name.casefold()} ")


def same_initial(hint: Hint, chart: Patient) -> bool:
    return hint.name[:1].casefold() == chart.first_name[:1].casefold()


def near_date(hint: Hint, chart: Patient) -> bool:
    return chart.birth_date is not None and hint.birth_date in slips.near_dates(chart.birth_date)


def given_name_a_letter_off(hint: Hint, chart: Patient) -> bool:
    return slips.is_one_edit(hint.name.split()[0], chart.first_name) and same_surname(hint, chart)


Bold = Callable[[Hint, Patient], bool]
BOLD: dict[str, tuple[Bold, str]] = {
    "surname and birth date": (lambda h, c: same_surname(h, c) and same_date(h, c), "unlisted twin"),
    "given name and birth date": (
        lambda h, c: same_given_name(h, c) and same_date(h, c),
        "unlisted, same given name and birth date",
    ),
    "initial, surname, birth date": (
        lambda h, c: same_initial(h, c) and same_surname(h, c) and same_date(h, c),
        "initials only",
    ),
    "given name a letter off": (
        lambda h, c: given_name_a_letter_off(h, c) and same_date(h, c),
        "unlisted twin, a letter apart, other languages",
    ),
    "near birth date": (
        lambda h, c: exact(h, c) and near_date(h, c) and same_email(h, c),
        "unlisted cousin, near birth date",
    ),
    "name and e-mail whatever the birth date": (
        lambda h, c: exact(h, c) and same_email(h, c),
        "unlisted son of the same name",
    ),
    "e-mail": (same_email, "e-mail alone"),
    "birth date": (same_date, "birth date alone"),
    "e-mail and surname": (
        lambda h, c: same_surname(h, c) and same_email(h, c),
        "unlisted member of a family's mailbox",
    ),
    "the linked id": (lambda h, c: h.linked_patient_id == c.patient_id, "linked id of somebody else, not on the list"),
    "desk address as a person's": (
        lambda h, c: same_given_name(h, c) and same_date(h, c) and same_email(h, c),
        "changed surname, desk address",
    ),
    "archived charts": (lambda h, c: exact(h, c) and same_date(h, c), "archived chart only"),
    "first of several": (lambda h, c: exact(h, c) and same_date(h, c) and not c.archived, "live duplicates"),
}


@pytest.mark.parametrize("name", BOLD)
def test_a_matcher_that_is_too_bold_in_one_way_is_caught_there(name: str, one_set: LabelledSet) -> None:
    bold, where = BOLD[name]
    counted = tally(one_set, first_that(one_set, bold))
    assert counted[where][Verdict.FALSE] + counted[where][Verdict.UNSAFE] > 0
    assert shortcomings(counted) != []


def test_a_matcher_that_takes_any_name_without_birth_date_is_caught(one_set: LabelledSet) -> None:
    counted = tally(one_set, MATCHERS["exact name only"](one_set))
    assert counted["name only"][Verdict.UNSAFE] > 10
    assert counted["unlisted namesake"][Verdict.FALSE] > 10


# ---------------------------------------------------------------- what is shown


def test_the_report_names_every_category_and_every_limit(one_set: LabelledSet) -> None:
    text = report({"naive": tally(one_set, exact_name_and_date(one_set))}, sets="One clinic.")
    assert all(f"| {name} |" in text for name in names())


def test_the_page_has_a_place_for_the_report() -> None:
    page = PAGE.read_text()
    assert page.count(BEGIN) == page.count(END) == 1
    assert all(f"| {name} |" in page for name in names())


def test_the_page_tells_what_each_question_of_identity_asks() -> None:
    page = PAGE.read_text()
    assert [reason for reason in ASKED_AGAIN if f"| `{reason}` |" not in page] == []


# ---------------------------------------------------------------- helpers


def to_be_found(one_set: LabelledSet) -> list[Case]:
    return [case for case in one_set.cases if case.right is not Right.PERSON]


def fetched(one_set: LabelledSet, hint: Hint, agrees: Bold) -> list[Patient]:
    return [chart for chart in one_set.candidates(hint) if agrees(hint, chart)]


def first_that(one_set: LabelledSet, agrees: Bold) -> Matcher:
    return lambda hint: next((chart.patient_id for chart in fetched(one_set, hint, agrees)), None)
