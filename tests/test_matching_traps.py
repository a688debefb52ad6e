"""Traps: names, charts and moments that look certain and are not, and certain ones that look doubtful."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from sync_worker.errors import Unavailable
from sync_worker.matching import match_patient
from sync_worker.model import Hint, Matched, Patient
from tests.conftest import Clinic
from tests.test_matching import OTHER_DAY, chart, hint, verdict
from tests.test_patients import AN_HOUR, BORN, asked, decide, document_about, filed_on, reasons, waiting

HOME = "family@example.com"
LONG_AGO = date(1955, 6, 2)


def filed(asked_for: Hint, *charts: Patient) -> str | None:
    """The chart that a note would be filed on without asking."""
    outcome = match_patient(asked_for, charts, today=date(2026, 11, 20))
    return outcome.patient_id if isinstance(outcome, Matched) else None


# ---------------------------------------------------------------- the last given name, read as the given name


@pytest.mark.parametrize("typed", ["Smith, John Robert", "SMITH John Robert", "Smith John Robert"])
def test_a_son_with_his_fathers_name_as_his_second_is_not_filed_on_the_father(typed: str) -> None:
    father = chart("father", "Robert Smith", born=LONG_AGO, email=HOME)
    assert filed(hint(typed, None, email=HOME), father) is None
    assert filed(hint(typed, None, linked="father"), father) is None
    assert filed(hint(typed, email=HOME), chart("father", "Robert Smith", born=None, email=HOME)) is None


def test_a_son_who_has_a_chart_is_not_filed_on_the_fathers() -> None:
    charts = chart("father", "Robert Smith", born=LONG_AGO, email=HOME), chart("son", "John Smith", email=HOME)
    assert filed(hint("Smith John Robert", None, email=HOME), *charts) in (None, "son")


def test_a_twin_with_the_others_name_as_a_second_is_not_filed_on_the_other() -> None:
    anna, maria = chart("anna", "Anna Jones"), chart("maria", "Maria Jones")
    assert filed(hint("Jones Anna Maria"), anna, maria) in (None, "anna")
    assert filed(hint("Jones, Anna Maria"), maria) is None


# ---------------------------------------------------------------- second names that contradict, cut off


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("Muhammad Ali Hussain", "Muhammad Omar|Hussein"),
        ("Maria Luisa Garcia", "Maria Elena|Garcai"),
        ("Mary Kate Smith-Jones", "Mary Anne|Jones-Smith"),
        ("Thi Lan Tran", "Thi Hoa|Nguyen"),
        ("Abdul Rahman Khan", "Abdul Karim|Kahn"),
    ],
)
def test_a_twin_told_apart_by_the_second_name_is_not_filed_on_by_a_shared_mailbox(typed: str, on_chart: str) -> None:
    assert filed(hint(typed, email=HOME), chart("twin", on_chart, email=HOME)) is None


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("Abdul Rahman Khan", "Abdul Karim|Rahman"),
        ("Muhammad Ali Hussein", "Muhammad Omar|Ali"),
        ("Mary Anne Smith", "Mary|Anne"),
    ],
)
def test_a_second_name_is_not_half_of_a_family_name(typed: str, on_chart: str) -> None:
    assert filed(hint(typed), chart("other", on_chart)) is None


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("Muhammad Ali Khan", "Muhammad|Omar Khan"),
        ("Khan, Muhammad Umair", "Muhammad|Uzair Khan"),
        ("Muhammad Umair Khan", "Muhammad|Uzair Khan"),
        ("Yusuf Umair Khan", "Yusuf|Uzair Khan"),
        ("Khan, Yusuf Umair", "Yusuf|Uzair Khan"),
        ("Maria Luisa Garcia", "Maria|Elena Garcia"),
        ("Wei Jie Tan", "Wei|Ling Tan"),
        ("Mary Kate Olsen", "Mary|Ashley Olsen"),
        ("Olsen, Mary Kate", "Mary|Ashley Olsen"),
        ("Maria Luisa Garcia Lopez", "Maria|Elena Garcia Lopez"),
        ("Maria Luisa Garcia", "Maria|Elena Garcai"),
        ("Maria Luisa Garcia", "Maria|Elena-Garcia"),
    ],
)
def test_half_of_a_family_name_is_not_enough_beside_another_second_name(typed: str, on_chart: str) -> None:
    assert filed(hint(typed), chart("twin", on_chart)) is None
    assert filed(hint(typed, email=HOME), chart("twin", on_chart, email=HOME)) is None


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("Maria Garcia", "Maria|Garcia Lopez"),
        ("Maria L Garcia", "Maria|Garcia Lopez"),
        ("Maria Luisa Garcia", "Maria Luisa|Garcia Lopez"),
        ("Mary Vanderburg", "Mary|van der Berg"),
        ("Mary van der Burg", "Mary|van der Berg"),
        ("Mary O Brian", "Mary|O'Brien"),
        ("Anna Smith-Jonse", "Anna|Smith Jones"),
    ],
)
def test_half_of_a_family_name_or_a_slip_in_its_last_word_is_filed_where_nothing_contradicts(
    typed: str, on_chart: str
) -> None:
    assert filed(hint(typed), chart("own", on_chart)) == "own"


# ---------------------------------------------------------------- given names that siblings share


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("Muhammad Umair", "Muhammad|Uzair"),
        ("Umair, Muhammad", "Muhammad|Uzair"),
        ("Mohammed Hasan", "Mohammed|Hassan"),
        ("Abdul Hakim", "Abdul|Halim"),
        ("Siti Aminah", "Siti|Amirah"),
        ("Nur Aisyah", "Nur|Amira"),
        ("Muhammad Ali", "Muhammad|Omar"),
        ("Syed Hassan", "Syed|Hussain"),
        ("Sri Lakshmi", "Sri|Devi"),
        ("Bibi Fatima", "Bibi|Zainab"),
    ],
)
def test_a_twin_is_not_filed_on_by_a_given_name_that_siblings_share(typed: str, on_chart: str) -> None:
    assert filed(hint(typed), chart("twin", on_chart)) is None
    assert filed(hint(typed, email=HOME), chart("twin", on_chart, email=HOME)) is None


@pytest.mark.parametrize(
    ("typed", "listed", "other"),
    [
        ("Muhammad Ali Khan", "Muhammad|Khan", "Omar|Khan"),
        ("Min Seo Kim", "Min|Kim", "Jun|Kim"),
        ("Abdul Rahman Aziz", "Abdul|Aziz", "Karim|Aziz"),
    ],
)
def test_a_first_half_that_siblings_share_is_nobodys_beside_a_sibling(typed: str, listed: str, other: str) -> None:
    assert verdict(hint(typed), chart("1", listed), chart("2", other)) == "several_charts"
    assert verdict(hint(typed), chart("1", listed), chart("2", other, born=LONG_AGO)) == "1"


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("Muhammad Umair", "Muhammad|Umair"),
        ("Muhammad Ali Hussain", "Muhammad Ali|Hussein"),
        ("Abdulrahman Hussain", "Abdul Rahman|Hussein"),
    ],
)
def test_a_whole_given_name_is_found_though_siblings_share_a_half_of_it(typed: str, on_chart: str) -> None:
    assert filed(hint(typed), chart("own", on_chart)) == "own"


# ---------------------------------------------------------------- two names that a swap or a doubling makes


@pytest.mark.parametrize(
    "pair",
    [
        "Chetan Chetna", "Darshan Darshna", "Roshan Roshna", "Sapan Sapna", "Krishan Krishna", "Aanya Anaya",
        "Kiara Kaira", "Hanan Hanna", "Meian Meina", "Xinan Xinna", "Talia Taila", "Ishan Ishaan", "Aliya Ailya",
    ],
)  # fmt: skip
def test_twins_whose_names_are_a_swap_apart_are_two_people(pair: str) -> None:
    one, other = pair.split()
    assert filed(hint(f"{one} Sharma"), chart("twin", f"{other} Sharma")) is None
    assert filed(hint(f"{other} Sharma"), chart("twin", f"{one} Sharma")) is None


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [("Mei An Chen", "Mei Na|Chen"), ("Soo-An Kim", "Soo-Na|Kim"), ("Nguyen, Thi An", "Thi Na|Nguyen")],
)
def test_letters_swapped_across_two_words_are_two_names(typed: str, on_chart: str) -> None:
    assert filed(hint(typed), chart("twin", on_chart)) is None


# ---------------------------------------------------------------- somebody else who fits better, or as well


@pytest.mark.parametrize(
    ("typed", "nearly"),
    [
        ("Hanah Sharma", chart("nearly", "Hannah Sharma")),
        ("Hanah Sharma", chart("nearly", "Hanah Sharmaa")),
        ("Hanah Sharma", chart("nearly", "Hanah|Sharma Rao")),
        ("Hanah Sharma", chart("nearly", "Hanah Brown", email=HOME)),
        ("Kate Sharma", chart("nearly", "Katherine Sharma")),
    ],
    ids=["given name", "family name", "half of a family name", "married name", "short form"],
)
def test_a_name_that_nearly_fits_is_not_taken_where_another_chart_has_the_very_name(
    typed: str, nearly: Patient
) -> None:
    asked_for = hint(typed, email=HOME)
    own = chart("own", typed.replace(" ", "|"), born=None)
    assert filed(asked_for, nearly) == "nearly"
    assert filed(asked_for, nearly, own) is None
    assert filed(asked_for, nearly, replace(own, birth_date=date(1984, 3, 18))) is None
    assert filed(asked_for, nearly, replace(own, birth_date=LONG_AGO)) == "nearly"
    assert filed(asked_for, nearly, replace(own, archived=True)) == "nearly"


@pytest.mark.parametrize(
    "own", [chart("own", "Chandra|Sharma"), chart("own", "Chandra|Sharme")], ids=["the family name", "nearly it"]
)
def test_a_slip_is_not_taken_where_somebody_of_the_family_has_the_birth_date(own: Patient) -> None:
    assert filed(hint("Hanah Sharma"), chart("nearly", "Hannah Sharma")) == "nearly"
    assert filed(hint("Hanah Sharma"), chart("nearly", "Hannah Sharma"), own) is None


@pytest.mark.parametrize(
    ("typed", "by_nickname", "own"),
    [
        ("Kate Johnson", "Katherine Johnson", "Kate Johnston"),
        ("Alex Jones", "Alexandra Jones", "Alex|Jones-Smith"),
        ("Sam Jones", "Samantha Jones", "Sammuel Jones"),
        ("Lucas Jones", "Luke Jones", "Lucus Jones"),
    ],
)
def test_a_nickname_is_not_enough_where_another_of_that_birth_date_is_nearly_the_name(
    typed: str, by_nickname: str, own: str
) -> None:
    assert filed(hint(typed), chart("twin", by_nickname), chart("own", own)) in (None, "own")


def test_a_changed_family_name_is_asked_about_where_a_chart_has_the_new_one() -> None:
    old, new = chart("old", "Mary Jones", email=HOME), chart("new", "Mary Brown", born=None, email=HOME)
    assert verdict(hint("Mary Brown", email=HOME), old, new) == "several_charts"


def test_two_live_charts_in_one_mailbox_are_asked_about_though_one_lacks_the_birth_date() -> None:
    one, other = chart("one", "Mary Brown", email=HOME), chart("two", "Mary Brown", born=None, email=HOME)
    assert verdict(hint("Mary Brown", email=HOME), one, other) == "several_charts"


def test_a_merged_chart_whose_survivor_could_not_be_read_leaves_a_doubt() -> None:
    live, merged = chart("1", "Mary Jones"), chart("2", "Mary Jones", archived=True, merged_into="99")
    assert verdict(hint("Mary Jones"), live, merged) == "several_charts"


@pytest.mark.parametrize(
    ("typed", "nearly", "own"),
    [
        ("Robert Jonson", "Robert Johnson", "Robert JONSON"),
        ("Jonson, Robert", "Robert Johnson", "Robert Jonson"),
        ("Robert Elizabeth Jonson", "Robert Johnson", "Robert Jonson"),
        ("Hanah Sharma", "Hannah Sharma", "Hanah Sharma"),
        ("Kate Smith", "Katherine Smith", "Kate SMITH"),
        ("Mary Brown", "Mary Jones", "Mary Brown"),
    ],
)
def test_the_chart_of_the_very_name_is_looked_for_though_it_lacks_the_birth_date(
    clinic: Clinic, typed: str, nearly: str, own: str
) -> None:
    clinic.a_patient(*nearly.split(), email=HOME)
    session = document_about(clinic, typed, email=HOME)
    clinic.tick()
    assert len(filed_on(clinic)) == 1
    first, last = own.split()
    clinic.cliniko.add_patient(first_name=first, last_name=last)
    clinic.a_document(session, "# Plan\n\nSwim.")
    clinic.clock.advance(120)
    clinic.tick()
    clinic.clock.advance(120)
    clinic.tick()
    assert (len(filed_on(clinic)), reasons(clinic)) == (1, ["several_charts"])


def test_a_son_whose_chart_has_no_address_is_not_filed_on_the_father_who_has_the_familys(clinic: Clinic) -> None:
    clinic.a_patient("John", "Smith", born="1955-06-02", email=HOME)
    clinic.a_patient("John", "Smith", born="2012-03-17")
    document_about(clinic, "John Smith", None, email=HOME)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["several_charts"])


def test_a_namesake_without_address_is_no_doubt_where_the_birth_date_or_another_address_tells_them_apart() -> None:
    father = chart("father", "John Smith", born=None, email=HOME)
    asked_for = hint("John Smith", email=HOME)
    assert filed(asked_for, father, chart("son", "John Smith", born=date(2012, 3, 17))) == "father"
    assert filed(asked_for, father, chart("other", "John Smith", born=None, email="other@example.com")) == "father"
    assert filed(asked_for, father, chart("old", "John Smith", born=None, archived=True)) == "father"
    assert filed(asked_for, father, chart("son", "Johnny Smith", born=None)) is None


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("TRAN Kevin Minh", "Minh|Tran"),
        ("Tran, Kevin Minh", "Minh|Tran"),
        ("Ali Hassan", "Hassan|Ali"),
        ("HASSAN Ali", "Hassan|Ali"),
        ("Harpreet Kaur Gill", "Harpreet|Gill"),
        ("John Paul Smith", "John|Smith"),
        ("John Smith", "John Paul|Smith"),
        ("John Smith Jnr", "John|Smith"),
        ("John Smith Jnr", "John|Smith Snr"),
        ("John Smith", "John Snr|Smith"),
        ("John Smith III", "John|Smith II"),
        ("Mrs John Smith", "John|Smith"),
        ("John Smith Mrs", "John|Smith"),
        ("John Smith (Tom)", "John|Smith"),
        ("John 'Tom' Smith", "John|Smith"),
    ],
)
def test_a_name_that_is_not_the_parents_or_spouses_word_for_word_is_not_filed_by_the_shared_mailbox(
    typed: str, on_chart: str
) -> None:
    parent = chart("parent", on_chart, born=LONG_AGO, email=HOME)
    assert filed(hint(typed, None, email=HOME), parent) is None
    assert filed(hint(typed, email=HOME), chart("parent", on_chart, born=None, email=HOME)) is None


@pytest.mark.parametrize(
    ("told", "on_chart"),
    [(date(1994, 7, 9), date(1960, 1, 1)), (date(1960, 1, 1), date(1994, 7, 9)), (date(1960, 1, 1), date(1990, 1, 1))],
)
def test_a_stand_in_of_another_decade_is_the_fathers_or_the_sons(told: date, on_chart: date) -> None:
    listed = chart("listed", "Ali|Rezai", born=on_chart, email=HOME)
    assert filed(hint("Ali Rezai", told, email=HOME), listed) is None
    assert verdict(hint("Ali Rezai", told, linked="listed"), listed) == "link_contradicted"


@pytest.mark.parametrize("stand_in", [date(1900, 1, 1), date(1990, 1, 1), date(2000, 1, 1)])
def test_a_stand_in_of_ones_own_decade_or_of_1900_says_nothing(stand_in: date) -> None:
    born = date(1995, 7, 9)
    own = chart("own", "Ali|Rezai", born=stand_in, email=HOME)
    assert filed(hint("Ali Rezai", born, email=HOME), own) == "own"
    assert filed(hint("Ali Rezai", stand_in, email=HOME), replace(own, birth_date=born)) == "own"
    assert filed(hint("Ali Rezai", stand_in), own) is None


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("John Smith", "John|Smith"),
        ("Smith, John", "John|Smith"),
        ("SMITH John", "John|Smith"),
        ("Mr. JOHN O’BRIEN", "John|O'Brien"),
        ("John Paul Smith", "John-Paul|Smith"),
        ("John Smith Jnr", "John|Smith Jr."),
        ("John Smith Jnr", "John Junior|Smith"),
        ("John Smith, PhD", "John|Smith"),
        ("Nguyen, Van Anh", "Van Anh|Nguyen"),
    ],
)
def test_the_name_word_for_word_is_filed_by_the_mailbox_without_a_birth_date(typed: str, on_chart: str) -> None:
    assert filed(hint(typed, None, email=HOME), chart("own", on_chart, born=LONG_AGO, email=HOME)) == "own"
    assert filed(hint(typed, None, email=HOME), chart("own", "Somebody|Else", email=HOME)) is None


def test_the_preferred_name_word_for_word_is_filed_by_the_mailbox_without_a_birth_date() -> None:
    own = chart("own", "Mary Anne|Smith", preferred="Mary", email=HOME)
    assert filed(hint("Mary Smith", None, email=HOME), own) == "own"


def test_john_smith_jnr_is_not_john_smith_snr_whatever_links_them() -> None:
    father = chart("father", "John|Smith Snr", born=LONG_AGO)
    assert verdict(hint("John Smith Jnr", None, linked="father"), father) == "link_contradicted"
    assert verdict(hint("John Smith Snr", None, linked="father"), father) == "father"


@pytest.mark.parametrize("typed", ["TRAN Kevin Minh", "Tran, Kevin Minh"])
def test_a_vietnamese_son_is_not_filed_on_the_father_whose_name_stands_last_in_his(typed: str) -> None:
    father, son = chart("father", "Minh|Tran", born=LONG_AGO), chart("son", "Kevin|Tran", born=None)
    assert filed(hint(typed, None, linked="father"), father) is None
    assert filed(hint(typed, None, linked="father"), father, son) is None
    assert filed(hint("Tran, Van Minh", LONG_AGO, linked="father"), father) == "father"


@pytest.mark.parametrize("typed", ["TRAN Kevin Minh", "Tran, Kevin Minh", "Tran Kevin Minh"])
def test_a_vietnamese_twin_is_not_filed_on_the_one_whose_name_stands_last_in_his(typed: str) -> None:
    assert filed(hint(typed), chart("minh", "Minh|Tran"), chart("kevin", "Kevin|Tran")) in (None, "kevin")


# ---------------------------------------------------------------- two people in one name, and no address


@pytest.mark.parametrize(
    "typed",
    ["Anna Smith Tom Smith", "Anna Smith | Tom Smith", "Anna Smith\nTom Smith", "Anna n Tom Smith", "Anna | Tom Smith"],
)
def test_more_ways_to_write_two_people_identify_nobody(typed: str) -> None:
    assert filed(hint(typed), chart("anna", "Anna Smith")) is None


def test_a_name_in_brackets_that_is_a_twins_does_not_make_it_the_twin() -> None:
    assert filed(hint("Anna Smith (Tom)"), chart("tom", "Tom Smith"), chart("own", "Ana Smith")) is None


@pytest.mark.parametrize("on_chart", ["Tom (Anna)|Smith", 'Tom "Anna"|Smith', "Tom (Anna mum)|Smith"])
def test_the_mother_in_brackets_on_her_sons_chart_does_not_make_it_hers(on_chart: str) -> None:
    son = chart("son", on_chart, born=date(2015, 6, 2), email=HOME)
    mother = chart("mother", "Anna|Smith", born=date(1985, 6, 2))
    assert filed(hint("Anna Smith", None, email=HOME), son, mother) is None
    assert filed(hint("Anna Smith", None, email=HOME), son) is None
    assert filed(hint("Anna Brown", date(2015, 6, 2), email=HOME), son) is None


@pytest.mark.parametrize("nothing", ["none", "n/a", "-", "unknown"])
def test_what_is_no_address_agrees_with_nothing(nothing: str) -> None:
    assert filed(hint("Mary Jones", None, email=nothing), chart("other", "Mary Jones", email=nothing)) is None


def test_a_namesake_in_the_mailbox_is_seen_however_many_share_the_name(clinic: Clinic) -> None:
    """Cliniko may tell capitals apart: then only the search by family name finds the father."""
    clinic.cliniko.case_sensitive = True
    for number in range(20):
        clinic.a_patient("John", "Smith", born=f"19{40 + number}-05-06")
    clinic.a_patient("John", "Smith", born="1955-06-02", email="Smith@Example.com")
    clinic.a_patient("John", "Smith", born="1984-03-17", email="smith@example.com")
    document_about(clinic, "John Smith", None, email="smith@example.com")
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["several_charts"])


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [("Mary Jones", "Mary", "JONES"), ("Wei Li", "Wei", "Li"), ("Smith, John", "John", "Smith")],
)
def test_a_namesake_in_the_mailbox_is_seen_however_the_name_is_written(
    clinic: Clinic, typed: str, first: str, last: str
) -> None:
    clinic.cliniko.case_sensitive = True
    clinic.a_patient(first, last, born="1955-01-09", email="Home@Example.com")
    clinic.a_patient(first, last.title(), born="1984-01-09", email="home@example.com")
    document_about(clinic, typed, None, email="home@example.com")
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["several_charts"])


# ---------------------------------------------------------------- plain cases that are asked about


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("Juergen Mueller", "Jürgen|Müller"),
        ("Hans Boehm", "Hans|Böhm"),
        ("Soeren Soerensen", "Søren|Sørensen"),
        ("Mary Jones née Smith", "Mary|Jones"),
        ("Mohd Khan", "Mohammed|Khan"),
        ("Mohammad Khan", "Mohammed|Khan"),
        ("Robbie Jones", "Robert|Jones"),
        ("Kat Jones", "Katherine|Jones"),
        ("Pip Jones", "Philippa|Jones"),
        ("Jude Jones", "Judith|Jones"),
        ("Nell Jones", "Eleanor|Jones"),
        ("Chrissie Jones", "Christina|Jones"),
        ("Xander Jones", "Alexander|Jones"),
        ("Gerry Jones", "Gerard|Jones"),
        ("Jas Jones", "Jasmine|Jones"),
        ("Mo Khan", "Mohammed|Khan"),
        ("Jürgen Müller", "Juergen|Mueller"),
        ("Jürgen Müller", "Jürgen|Mueller"),
        ("MÜLLER Jürgen Peter", "Juergen|Mueller"),
        ("Søren Sørensen", "Soeren|Soerensen"),
        ("SMITH John Robert", "John|Smith"),
        ("MR SMITH John Robert", "John|Smith"),
        ("VAN DER BERG Mary Anne", "Mary|van der Berg"),
        ("NGUYEN Van Anh", "Van Anh|Nguyen"),
        ("John Smith Mr", "John|Smith"),
        ("Smith John Mrs.", "John|Smith"),
        ("SMITH, John (Mr)", "John|Smith"),
        ("Anna Doctor", "Anna|Doctor"),
    ],
)
def test_plain_ways_of_writing_one_name_meet(typed: str, on_chart: str) -> None:
    assert filed(hint(typed), chart("1", on_chart)) == "1"


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("Nil Patel", "Nil|Patel"),
        ("Test Lee", "Test|Lee"),
        ("Rose Twin", "Rose|Twin"),
        ("Twin, Rose", "Rose|Twin"),
        ("Mary Group", "Mary|Group"),
        ("Ahmed Mohamed Ali Mohamed", "Ahmed Mohamed Ali|Mohamed"),
        ("Abdi Hassan Ali Hassan", "Abdi|Hassan Ali Hassan"),
        ("John Smith (for review)", "John|Smith"),
        ("John Smith (with mum)", "John|Smith"),
        ("John Smith (mum & dad present)", "John|Smith"),
        ("John Smith (17/03/1984)", "John|Smith"),
        ("Smith, John [17.3.84]", "John|Smith"),
    ],
)
def test_a_name_that_may_be_no_ones_is_filed_on_the_chart_that_has_it_word_for_word(typed: str, on_chart: str) -> None:
    own = chart("own", on_chart, email=HOME)
    assert filed(hint(typed), own) == "own"
    assert filed(hint(typed), own, chart("other", on_chart)) is None
    assert filed(hint(typed), replace(own, archived=True)) is None
    assert filed(hint(typed, OTHER_DAY), own) is None
    assert verdict(hint(typed, None, email=HOME), own) == "not_identifiable"
    assert verdict(hint(typed, None, linked="own"), own) == "not_identifiable"
    assert verdict(hint(typed), replace(own, first_name=f"{own.first_name} Kim")) == "not_identifiable"


@pytest.mark.parametrize(
    ("typed", "on_chart"),
    [
        ("Test Patient", "Test|Patient"),
        ("Test Test", "Test|Test"),
        ("Mr Test Test", "Test|Test"),
        ("Test Client", "Test|Client"),
        ("Smith Family", "Smith|Family"),
        ("Baby Thomas", "Baby|Thomas"),
        ("Mother of Jane Smith", "Mother of Jane|Smith"),
        ("Test Smith", "John|Smith"),
        ("Anna Smith Tom Smith", "Anna|Smith"),
        ("Anna Smith, Tom Smith", "Anna|Smith"),
        ("Anna Smith (for mum)", "Anna|Smith"),
        ("Anna Smith (and Tom)", "Anna|Smith"),
        ("Anna Smith (with Tom)", "Anna|Smith"),
        ("Anna Smith with mum", "Anna|Smith"),
        ("John Smith (02/06/1955)", "John|Smith"),
        ("SMITH Anna SMITH Tom", "Anna|Smith"),
        ("AJ Paul Smith", "Paul Smith|AJ Brown"),
    ],
)
def test_what_is_no_one_persons_name_is_still_no_ones(typed: str, on_chart: str) -> None:
    assert filed(hint(typed), chart("own", on_chart)) is None


def test_capitals_mark_the_family_name_for_twins_as_a_comma_does() -> None:
    anna, maria = chart("anna", "Anna|Jones"), chart("maria", "Maria|Jones")
    assert filed(hint("JONES Anna Maria"), anna, maria) == "anna"
    assert filed(hint("JONES Anna Maria"), maria) is None


def test_a_stand_in_date_in_the_session_does_not_contradict_the_profiles(clinic: Clinic) -> None:
    patient = clinic.a_patient()
    session = document_about(clinic, born="1900-01-01", email="mary@example.com")
    clinic.heidi.edit_profile(session, birth_date=BORN)
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([patient], [])


# ---------------------------------------------------------------- the whole path


def test_what_one_patient_declined_is_asked_anew_of_the_one_that_a_person_chooses(clinic: Clinic) -> None:
    """The rules found one who declined; the person chooses another one, who declined as well."""
    clinic.a_patient(accepted_privacy_policy=False)
    other = clinic.a_patient("Other", "Person", born="1971-05-06", accepted_privacy_policy=False)
    document_about(clinic)
    clinic.tick()
    assert reasons(clinic) == ["privacy_declined"]
    decide(clinic).assign(waiting(clinic), other, clinic.clock.now())
    clinic.tick()
    assert (filed_on(clinic), reasons(clinic)) == ([], ["privacy_declined"])


def test_questions_that_cannot_be_read_do_not_keep_the_others_from_being_asked(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [document_about(clinic, name) for name in ("Ann Able", "Ben Baker", "Cat Cole")]
    document_about(clinic)
    clinic.tick()
    assert reasons(clinic) == ["no_match"] * 4
    heidi = clinic.worker.pipelines["physio-1"].heidi
    whole = heidi.find_documents

    def find_documents(session_id: str) -> object:
        if session_id in broken:
            raise Unavailable("heidi", "list_documents", hint="This session cannot be read.")
        return whole(session_id)

    monkeypatch.setattr(heidi, "find_documents", find_documents)
    patient = clinic.a_patient()
    for _ in range(5):
        clinic.clock.advance(AN_HOUR)
        clinic.tick(full=False)
    assert filed_on(clinic) == [patient]


def test_a_question_that_cannot_be_read_is_left_alone_for_a_while(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    document_about(clinic)
    clinic.tick()
    tried = []
    heidi = clinic.worker.pipelines["physio-1"].heidi

    def find_documents(session_id: str) -> object:
        tried.append(session_id)
        raise Unavailable("heidi", "list_documents", hint="This session cannot be read.")

    clinic.clock.advance(3 * AN_HOUR)  # its documents are not read for other reasons any more
    monkeypatch.setattr(heidi, "find_documents", find_documents)
    for _ in range(10):
        clinic.tick(full=False)
        clinic.clock.advance(120)
    assert len(tried) <= 2


def test_asking_old_questions_again_reads_the_authors_notes_once(clinic: Clinic) -> None:
    for days in range(1, 7):
        document_about(clinic, f"Ann Able{'x' * days}", created_at=clinic.clock.now() - timedelta(days=days))
    clinic.tick()
    clinic.clock.advance(AN_HOUR)
    clinic.cliniko.requests.clear()
    clinic.tick(full=False)
    assert len(asked(clinic, "treatment_notes")) <= 1


def test_a_later_reading_of_a_chart_counts_whichever_search_it_was_found_by(clinic: Clinic) -> None:
    patient = clinic.a_patient(email=HOME)
    charts = clinic.worker.pipelines["physio-1"].preparer.patients._charts
    charts.born(date.fromisoformat(BORN))
    clinic.clock.advance(50)
    clinic.cliniko.archive_patient(patient)
    charts.with_email(HOME)
    clinic.clock.advance(5)
    charts.decide_anew()
    [seen] = charts.born(date.fromisoformat(BORN))
    assert seen.archived
    assert charts.fresh_until <= clinic.clock.monotonic() + 5
