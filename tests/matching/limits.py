"""Holes that the rules leave as they are written: counted and shown, not judged.

Somebody who is not on the list agrees with another's chart in all that the session tells, and no matcher can know
better from these fields.
"""

from dataclasses import replace

from tests.matching import words
from tests.matching.clinic import Category, Clinic, Made, Right
from tests.matching.families import long_family_name, mailbox, relative
from tests.matching.likeness import half_a_given_name
from tests.matching.slips import far_date, one_letter_off


def namesake_of_one_date(clinic: Clinic) -> Made:
    listed = clinic.person()
    clinic.chart(listed)
    return clinic.hint(replace(listed, key=f"{listed.key}-namesake")), None


def father_or_son(clinic: Clinic) -> Made:
    listed = clinic.person()
    clinic.chart(listed, email=mailbox(listed))
    other = replace(listed, key=f"{listed.key}-son", born=far_date(clinic.chance, listed.born))
    return clinic.hint(other, birth_date=None, email=mailbox(listed)), None


def linked_to_a_namesake(clinic: Clinic) -> Made:
    person = clinic.person()
    wrong = clinic.chart(replace(person, key=f"{person.key}-namesake", born=far_date(clinic.chance, person.born)))
    return clinic.hint(person, birth_date=None, email=None, linked_patient_id=wrong.patient_id), clinic.chart(person)


def twin_called_by_a_short_form(clinic: Clinic) -> Made:
    given, other = clinic.chance.choice(words.NICKNAMED_TWINS)
    listed = clinic.person(given=given)
    clinic.chart(listed, email=mailbox(listed))
    return clinic.hint(relative(listed, other), email=mailbox(listed)), None


def twin_of_one_short_form(clinic: Clinic) -> Made:
    brother, sister, short = clinic.chance.choice(words.SHARED_SHORT_FORMS)
    listed = clinic.person(given=brother)
    clinic.chart(listed, email=mailbox(listed))
    return clinic.hint(relative(listed, sister), f"{short} {listed.family}", email=mailbox(listed)), None


def twin_but_for_an_accent(clinic: Clinic) -> Made:
    one, other = clinic.chance.choice([("Ngọc Anh", "Ngọc Ánh"), ("Hồng", "Hông"), ("Sơn", "Son"), ("Thảo", "Thào")])
    listed = clinic.person(given=one, family="Nguyễn")
    clinic.chart(listed)
    return clinic.hint(relative(listed, other)), None


def stranger_a_letter_away(clinic: Clinic) -> Made:
    listed = clinic.person(long_family_name)
    clinic.chart(listed)
    name = f"{listed.given} {one_letter_off(clinic.chance, listed.family)}"
    return clinic.hint(replace(listed, key=f"{listed.key}-stranger"), name, email=None), None


CATEGORIES = tuple(
    Category(name, Right.PERSON, make, times=10, limit=True)
    for name, make in (
        ("unlisted namesake of one birth date", namesake_of_one_date),
        ("father or son of one name and mailbox, one listed, no birth date", father_or_son),
        ("linked id of a namesake, no birth date", linked_to_a_namesake),
        ("unlisted twin called by a short form of the listed one's name", twin_called_by_a_short_form),
        ("unlisted twin of one short form", twin_of_one_short_form),
        ("unlisted twin but for an accent", twin_but_for_an_accent),
        ("unlisted twin, only half of a given name typed or on the chart", half_a_given_name),
        ("unlisted stranger, one birth date and given name, surname a letter away", stranger_a_letter_away),
    )
)
