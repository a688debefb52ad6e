"""What becomes of charts: two of one person, archived ones, merged ones; and ids that Heidi links to them."""

from dataclasses import replace
from itertools import pairwise

from sync_worker.model import Patient
from tests.matching import words
from tests.matching.clinic import Category, Clinic, Made, Right
from tests.matching.families import long_family_name, mailbox, relative
from tests.matching.febrl import Person
from tests.matching.near import another_family
from tests.matching.slips import far_date, near_dates, one_letter_off

# ---------------------------------------------------------------- two charts of one person


def duplicates(clinic: Clinic) -> Made:
    person = clinic.person()
    for _ in range(clinic.chance.choice([1, 1, 2])):
        clinic.chart(person, email=None)
    email = clinic.chance.choice([person.email, None])
    return clinic.hint(person, email=email), clinic.chart(person, email=person.email)


def duplicate_under_the_short_form(clinic: Clinic) -> Made:
    given, short = clinic.chance.choice(words.SHORT_FORMS)
    person = clinic.person(given=given)
    clinic.chart(person, first_name=short)
    return clinic.hint(person, clinic.chance.choice([person.name, f"{short} {person.family}"])), clinic.chart(person)


def duplicate_with_a_middle_name(clinic: Clinic) -> Made:
    person = clinic.person()
    clinic.chart(person, first_name=f"{person.given} Lee")
    return clinic.hint(person), clinic.chart(person)


def duplicate_that_lacks_the_date(clinic: Clinic) -> Made:
    person = clinic.person()
    clinic.chart(person, birth_date=None, email=person.email)
    return clinic.hint(person, email=person.email), clinic.chart(person, email=person.email)


def duplicate_under_a_slip(clinic: Clinic) -> Made:
    person = clinic.person(long_family_name)
    clinic.chart(person, last_name=one_letter_off(clinic.chance, person.family))
    return clinic.hint(person, email=None), clinic.chart(person)


def duplicate_under_the_old_surname(clinic: Clinic) -> Made:
    person = clinic.person()
    clinic.chart(person, last_name=clinic.person().family, email=person.email)
    return clinic.hint(person, email=person.email), clinic.chart(person, email=person.email)


def duplicates_and_a_slip(clinic: Clinic) -> Made:
    person = clinic.person(long_family_name)
    clinic.chart(person)
    name = f"{person.given} {one_letter_off(clinic.chance, person.family)}"
    return clinic.hint(person, name), clinic.chart(person)


def duplicates_without_date(clinic: Clinic) -> Made:
    person = clinic.person()
    clinic.chart(person, email=person.email)
    return clinic.hint(person, birth_date=None, email=person.email), clinic.chart(person, email=person.email)


def duplicates_and_a_changed_surname(clinic: Clinic) -> Made:
    person = clinic.person()
    clinic.chart(person, email=person.email)
    name = f"{person.given} {another_family(clinic, person)}"
    return clinic.hint(person, name, email=person.email), clinic.chart(person, email=person.email)


def duplicate_beside_a_merge(clinic: Clinic) -> Made:
    person = clinic.person()
    survivor = clinic.chart(person)
    clinic.chart(person, archived=True, merged_into=survivor.patient_id)
    clinic.chart(person)
    return clinic.hint(person), survivor


# ---------------------------------------------------------------- archived


def archived_beside_a_live_one(clinic: Clinic) -> Made:
    person = clinic.person()
    for _ in range(clinic.chance.choice([1, 1, 2])):
        clinic.chart(person, archived=True)
    return clinic.hint(person), clinic.chart(person)


def archived_only(clinic: Clinic) -> Made:
    person = clinic.person()
    email = clinic.chance.choice([person.email, None])
    return clinic.hint(person, email=email), clinic.chart(person, archived=True, email=person.email)


def archived_and_a_slip(clinic: Clinic) -> Made:
    person = clinic.person(long_family_name)
    name = f"{person.given} {one_letter_off(clinic.chance, person.family)}"
    return clinic.hint(person, name), clinic.chart(person, archived=True)


def archived_and_a_changed_surname(clinic: Clinic) -> Made:
    person = clinic.person()
    name = f"{person.given} {another_family(clinic, person)}"
    return clinic.hint(person, name, email=person.email), clinic.chart(person, archived=True, email=person.email)


def archived_without_date(clinic: Clinic) -> Made:
    person = clinic.person()
    chart = clinic.chart(person, archived=True, email=person.email)
    return clinic.hint(person, birth_date=None, email=person.email), chart


# ---------------------------------------------------------------- merged


def merged(clinic: Clinic) -> Made:
    person = clinic.person()
    return clinic.hint(person), _merge(clinic, person, clinic.chance.choice([1, 1, 2, 3]))[-1]


def merged_into_an_archived_one(clinic: Clinic) -> Made:
    person = clinic.person()
    survivor = _merge(clinic, person, 1)[-1]
    return clinic.hint(person), clinic.change(survivor, archived=True)


def merged_in_a_circle(clinic: Clinic) -> Made:
    person = clinic.person()
    one, other = _merge(clinic, person, 1)
    return clinic.hint(person), clinic.change(other, archived=True, merged_into=one.patient_id)


def merged_into_one_that_is_gone(clinic: Clinic) -> Made:
    person = clinic.person()
    return clinic.hint(person), clinic.chart(person, archived=True, merged_into="1111111111111111111")


def merged_into_another_name(clinic: Clinic) -> Made:
    person = clinic.person()
    survivor = _merge(clinic, person, 1)[-1]
    return clinic.hint(person, email=None), clinic.change(survivor, last_name=another_family(clinic, person))


def merged_into_somebody_else(clinic: Clinic) -> Made:
    person, other = clinic.person(), clinic.person()
    survivor = clinic.chart(other)
    clinic.chart(person, archived=True, merged_into=survivor.patient_id)
    return clinic.hint(person, linked_patient_id=clinic.chance.choice([None, survivor.patient_id])), None


def _merge(clinic: Clinic, person: Person, times: int) -> list[Patient]:
    """Charts of one person, each merged into the next; the last one is alive."""
    charts = [clinic.chart(person) for _ in range(times + 1)]
    for loser, winner in pairwise(charts):
        clinic.change(loser, archived=True, merged_into=winner.patient_id)
    return charts


# ---------------------------------------------------------------- linked ids


def linked(clinic: Clinic) -> Made:
    person = clinic.person()
    chart = clinic.chart(person)
    return clinic.hint(person, linked_patient_id=chart.patient_id), chart


def linked_to_another_system(clinic: Clinic) -> Made:
    person = clinic.person()
    other = clinic.chance.choice(["EHR-77", "0", "999", "MRN 4711", "1234567890123456789"])
    return clinic.hint(person, linked_patient_id=other), clinic.chart(person)


def linked_without_date(clinic: Clinic) -> Made:
    given, short = clinic.chance.choice(words.SHORT_FORMS)
    person = clinic.person(given=given)
    on_chart, typed = clinic.chance.choice([(person.born, None), (None, person.born)])
    chart = clinic.chart(person, birth_date=on_chart)
    name = clinic.chance.choice([person.name, person.name, f"{short} {person.family}"])
    return clinic.hint(person, name, birth_date=typed, email=None, linked_patient_id=chart.patient_id), chart


def linked_to_a_merged_chart(clinic: Clinic) -> Made:
    person = clinic.person()
    charts = _merge(clinic, person, clinic.chance.choice([1, 2]))
    return clinic.hint(person, linked_patient_id=charts[0].patient_id), charts[-1]


def linked_to_somebody_else(clinic: Clinic) -> Made:
    person, other = clinic.person(), clinic.person()
    wrong = clinic.chart(other)
    return clinic.hint(person, linked_patient_id=wrong.patient_id), clinic.chart(person)


def unlisted_and_linked_to_somebody_else(clinic: Clinic) -> Made:
    person, other = clinic.stranger(), clinic.person()
    wrong = clinic.chart(other)
    born = clinic.chance.choice([person.born, None])
    return clinic.hint(person, birth_date=born, linked_patient_id=wrong.patient_id), None


def linked_to_a_relative(clinic: Clinic) -> Made:
    """A twin's chart, or a namesake's."""
    person = clinic.person()
    twin = relative(person, clinic.person(lambda p: p.given[:2] != person.given[:2]).given)
    namesake = replace(person, key=f"{person.key}-namesake", born=far_date(clinic.chance, person.born))
    wrong = clinic.chart(clinic.chance.choice([twin, namesake]), email=mailbox(person))
    return clinic.hint(person, email=mailbox(person), linked_patient_id=wrong.patient_id), clinic.chart(person)


def linked_and_another_birth_date(clinic: Clinic) -> Made:
    person = clinic.person()
    chart = clinic.chart(person, email=person.email)
    born = clinic.chance.choice([far_date(clinic.chance, person.born), *near_dates(person.born)[:3]])
    return clinic.hint(person, birth_date=born, email=person.email, linked_patient_id=chart.patient_id), chart


def linked_and_another_name(clinic: Clinic) -> Made:
    """A slip or a changed family name, which the link does not excuse."""
    person = clinic.person(long_family_name)
    chart = clinic.chart(person, email=person.email)
    family = clinic.chance.choice([one_letter_off(clinic.chance, person.family), another_family(clinic, person)])
    name = f"{person.given} {family}"
    return clinic.hint(person, name, email=person.email, linked_patient_id=chart.patient_id), chart


def linked_and_too_short_a_name(clinic: Clinic) -> Made:
    person = clinic.person()
    chart = clinic.chart(person)
    given = clinic.chance.choice([person.given[0], "", f"{person.given} & Kim"])
    return clinic.hint(person, f"{given} {person.family}", linked_patient_id=chart.patient_id), chart


def linked_to_an_archived_chart(clinic: Clinic) -> Made:
    person = clinic.person()
    chart = clinic.chart(person, archived=True)
    return clinic.hint(person, linked_patient_id=chart.patient_id), chart


def linked_to_one_of_two(clinic: Clinic) -> Made:
    person = clinic.person()
    clinic.chart(person)
    chart = clinic.chart(person)
    return clinic.hint(person, linked_patient_id=chart.patient_id), chart


CATEGORIES = (
    Category("archived chart beside a live one", Right.PLAIN, archived_beside_a_live_one),
    Category("merged charts", Right.PLAIN, merged, times=30),
    Category("linked id", Right.PLAIN, linked),
    Category("linked id of another system", Right.PLAIN, linked_to_another_system, times=10),
    Category("linked id, a birth date missing", Right.AUTO, linked_without_date),
    Category("linked id of a merged chart", Right.AUTO, linked_to_a_merged_chart),
    Category("live duplicates", Right.PERSON, duplicates, times=40),
    Category("live duplicate under the short form", Right.PERSON, duplicate_under_the_short_form),
    Category("live duplicate with a middle name", Right.PERSON, duplicate_with_a_middle_name, times=10),
    Category("live duplicate without birth date, one mailbox", Right.PERSON, duplicate_that_lacks_the_date),
    Category("live duplicate under a surname with a slip", Right.PERSON, duplicate_under_a_slip),
    Category("live duplicate under the old surname", Right.PERSON, duplicate_under_the_old_surname),
    Category("live duplicates and a slip", Right.PERSON, duplicates_and_a_slip),
    Category("live duplicates, no birth date typed", Right.PERSON, duplicates_without_date),
    Category("live duplicates, changed surname, own e-mail", Right.PERSON, duplicates_and_a_changed_surname),
    Category("live duplicate beside merged charts", Right.PERSON, duplicate_beside_a_merge, times=10),
    Category("archived chart only", Right.PERSON, archived_only, times=30),
    Category("archived chart and a slip", Right.PERSON, archived_and_a_slip, times=10),
    Category("archived chart, changed surname, own e-mail", Right.PERSON, archived_and_a_changed_surname),
    Category("archived chart, no birth date, own e-mail", Right.PERSON, archived_without_date),
    Category("merged into an archived chart", Right.PERSON, merged_into_an_archived_one, times=10),
    Category("merged in a circle", Right.PERSON, merged_in_a_circle, times=5),
    Category("merged into a chart that is gone", Right.PERSON, merged_into_one_that_is_gone, times=5),
    Category("merged into a chart of another name", Right.PERSON, merged_into_another_name),
    Category("merged into somebody else's chart", Right.PERSON, merged_into_somebody_else, times=10),
    Category("linked id of somebody else", Right.PERSON, linked_to_somebody_else),
    Category("linked id of somebody else, not on the list", Right.PERSON, unlisted_and_linked_to_somebody_else),
    Category("linked id of a twin or a namesake", Right.PERSON, linked_to_a_relative),
    Category("linked id, another birth date", Right.PERSON, linked_and_another_birth_date),
    Category("linked id, another name", Right.PERSON, linked_and_another_name),
    Category("linked id, too short a name", Right.PERSON, linked_and_too_short_a_name),
    Category("linked id of an archived chart", Right.PERSON, linked_to_an_archived_chart),
    Category("linked id of one of two charts", Right.PERSON, linked_to_one_of_two),
)
