"""People who are easily taken for one another: twins, families of one mailbox, father and son, namesakes."""

from dataclasses import replace
from datetime import timedelta

from tests.matching import words
from tests.matching.clinic import Category, Clinic, Made, Right
from tests.matching.febrl import Person
from tests.matching.slips import far_date, near_dates, one_letter_off, other_letter, swapped_or_doubled
from tests.matching.writing import double_surname


def long_family_name(person: Person) -> bool:
    """Long enough for a slip that the rules forgive, whatever letter goes."""
    return person.family.isalpha() and len(person.family) >= 6


def _long_names(person: Person) -> bool:
    return long_family_name(person) and person.given.isalpha() and len(person.given) >= 6


def relative(person: Person, given: str) -> Person:
    """Somebody else of the same family name, born on the same day unless said otherwise."""
    letters = "".join(letter for letter in given.lower() if letter.isascii() and letter.isalpha())
    return replace(person, key=f"{person.key}-{letters}", given=given)


def mailbox(person: Person) -> str:
    """The address of a family."""
    return f"family-{person.key}@example.net"


# ---------------------------------------------------------------- twins


def _twins(clinic: Clinic, pairs: tuple[tuple[str, str], ...]) -> tuple[Person, Person]:
    given = list(clinic.chance.choice(pairs))
    clinic.chance.shuffle(given)
    one = clinic.person(given=given[0])
    return one, relative(one, given[1])


def _both_listed(clinic: Clinic, pairs: tuple[tuple[str, str], ...]) -> Made:
    one, other = _twins(clinic, pairs)
    clinic.chart(other, email=mailbox(one))
    return clinic.hint(one, email=mailbox(one)), clinic.chart(one, email=mailbox(one))


def _one_listed(clinic: Clinic, pairs: tuple[tuple[str, str], ...]) -> Made:
    """The session is the twin's who has no chart."""
    listed, unlisted = _twins(clinic, pairs)
    clinic.chart(listed, email=mailbox(listed))
    email = clinic.chance.choice([mailbox(listed), mailbox(listed), None])
    return clinic.hint(unlisted, email=email), None


def twins(clinic: Clinic) -> Made:
    return _both_listed(clinic, words.TWINS)


def alike_twins(clinic: Clinic) -> Made:
    return _both_listed(clinic, words.ALIKE_TWINS + words.ALIKE_TWINS_OF_OTHER_LANGUAGES)


def unlisted_twin(clinic: Clinic) -> Made:
    return _one_listed(clinic, words.TWINS)


def unlisted_alike_twin(clinic: Clinic) -> Made:
    return _one_listed(clinic, words.ALIKE_TWINS)


def unlisted_foreign_twin(clinic: Clinic) -> Made:
    return _one_listed(clinic, words.ALIKE_TWINS_OF_OTHER_LANGUAGES)


def unlisted_twin_of_two_part_name(clinic: Clinic) -> Made:
    return _one_listed(clinic, words.TWO_PART_TWINS)


def unlisted_twin_with_another_family_name(clinic: Clinic) -> Made:
    listed, unlisted = _twins(clinic, words.TWINS)
    clinic.chart(listed, email=mailbox(listed))
    married = replace(unlisted, family=clinic.person().family)
    return clinic.hint(married, email=mailbox(listed)), None


def unlisted_twin_with_a_slip(clinic: Clinic) -> Made:
    """The listed twin's family name, the unlisted one's given name, a letter wrong in either."""
    one = clinic.person(_long_names)
    other = relative(one, clinic.person(lambda p: _long_names(p) and p.given[0] != one.given[0]).given)
    clinic.chart(one, email=mailbox(one))
    given, family = other_letter(clinic.chance, other.given), one_letter_off(clinic.chance, one.family)
    name = clinic.chance.choice([f"{given} {one.family}", f"{other.given} {family}"])
    return clinic.hint(other, name, email=mailbox(one)), None


def unlisted_twin_with_both_names(clinic: Clinic) -> Made:
    """Anna Maria has no chart, and Maria has."""
    listed, unlisted = _twins(clinic, words.TWINS)
    clinic.chart(listed, email=mailbox(listed))
    return clinic.hint(unlisted, f"{unlisted.given} {listed.name}", email=mailbox(listed)), None


def twins_and_a_slip_in_the_given_name(clinic: Clinic) -> Made:
    one = clinic.person(_long_names)
    clinic.chart(relative(one, _other_given_name(clinic, one)), email=mailbox(one))
    typed = swapped_or_doubled(clinic.chance, one.given) or other_letter(clinic.chance, one.given)
    return clinic.hint(one, f"{typed} {one.family}", email=mailbox(one)), clinic.chart(one, email=mailbox(one))


def twins_and_a_slip_in_the_family_name(clinic: Clinic) -> Made:
    one = clinic.person(long_family_name)
    clinic.chart(relative(one, _other_given_name(clinic, one)), email=mailbox(one))
    name = f"{one.given} {one_letter_off(clinic.chance, one.family)}"
    return clinic.hint(one, name, email=None), clinic.chart(one, email=mailbox(one))


def twins_and_half_a_double_surname(clinic: Clinic) -> Made:
    one = clinic.person(family=double_surname(clinic))
    clinic.chart(relative(one, _other_given_name(clinic, one)), email=mailbox(one))
    half = clinic.chance.choice(one.family.split("-"))
    return clinic.hint(one, f"{one.given} {half}", email=None), clinic.chart(one, email=mailbox(one))


def twins_of_one_short_form(clinic: Clinic) -> Made:
    brother, sister, short = clinic.chance.choice(words.SHARED_SHORT_FORMS)
    one = clinic.person(given=clinic.chance.choice([brother, sister]))
    clinic.chart(relative(one, sister if one.given == brother else brother), email=mailbox(one))
    return clinic.hint(one, f"{short} {one.family}", email=mailbox(one)), clinic.chart(one, email=mailbox(one))


def archived_twin_of_one_short_form(clinic: Clinic) -> Made:
    """The one who is called so may be the one whose chart is archived."""
    brother, sister, short = clinic.chance.choice(words.SHARED_SHORT_FORMS)
    one = clinic.person(given=brother)
    clinic.chart(relative(one, sister))
    return clinic.hint(one, f"{short} {one.family}", email=None), clinic.chart(one, archived=True)


def archived_twin(clinic: Clinic) -> Made:
    one, other = _twins(clinic, words.TWINS)
    clinic.chart(other, email=mailbox(one))
    return clinic.hint(one, email=mailbox(one)), clinic.chart(one, archived=True, email=mailbox(one))


def twins_by_the_shared_half(clinic: Clinic) -> Made:
    one, other = _twins(clinic, words.TWO_PART_TWINS)
    clinic.chart(other)
    shared = one.given.partition("-")[0]
    return clinic.hint(one, f"{shared} {one.family}"), clinic.chart(one)


# ---------------------------------------------------------------- one mailbox


def _household(clinic: Clinic) -> tuple[Person, str]:
    """A child of a family of four, all listed but the child, and the family's address."""
    child = clinic.person()
    address = mailbox(child)
    for years in (31, 33, 2):
        born = child.born - timedelta(days=365 * years + clinic.chance.randrange(300))
        clinic.chart(replace(relative(child, _other_given_name(clinic, child)), born=born), email=address)
    return child, address


def family_member(clinic: Clinic) -> Made:
    child, address = _household(clinic)
    return clinic.hint(child, email=address), clinic.chart(child, email=address)


def family_member_without_date(clinic: Clinic) -> Made:
    child, address = _household(clinic)
    return clinic.hint(child, birth_date=None, email=address), clinic.chart(child, email=address)


def unlisted_family_member(clinic: Clinic) -> Made:
    child, address = _household(clinic)
    born = clinic.chance.choice([child.born, None])
    return clinic.hint(child, birth_date=born, email=address), None


def father_and_son(clinic: Clinic) -> Made:
    son = clinic.person()
    clinic.chart(_father(clinic, son), email=mailbox(son))
    name = clinic.chance.choice([son.name, f"{son.name} Jr"])
    return clinic.hint(son, name, email=mailbox(son)), clinic.chart(son, email=mailbox(son))


def father_and_son_without_date(clinic: Clinic) -> Made:
    son = clinic.person()
    clinic.chart(_father(clinic, son), email=mailbox(son))
    return clinic.hint(son, birth_date=None, email=mailbox(son)), clinic.chart(son, email=mailbox(son))


def unlisted_son(clinic: Clinic) -> Made:
    son = clinic.person()
    clinic.chart(_father(clinic, son), email=mailbox(son))
    return clinic.hint(son, email=mailbox(son)), None


def _father(clinic: Clinic, son: Person) -> Person:
    """Never born on a 1 January, which may stand for "unknown"."""
    born = son.born - timedelta(days=365 * 28 + clinic.chance.randrange(300))
    return replace(son, key=f"{son.key}-father", born=born.replace(day=born.day if born.month > 1 else 2))


def unlisted_relative_of_a_near_date(clinic: Clinic) -> Made:
    """A cousin named after the same grandfather, born a digit away, in the same mailbox."""
    listed = clinic.person()
    clinic.chart(listed, email=mailbox(listed))
    cousin = replace(listed, key=f"{listed.key}-cousin", born=clinic.chance.choice(near_dates(listed.born)))
    return clinic.hint(cousin, email=mailbox(listed)), None


# ---------------------------------------------------------------- namesakes


def namesakes(clinic: Clinic) -> Made:
    one = clinic.person()
    clinic.chart(replace(one, key=f"{one.key}-namesake", born=far_date(clinic.chance, one.born)), email=None)
    return clinic.hint(one), clinic.chart(one)


def namesakes_of_one_date(clinic: Clinic) -> Made:
    one = clinic.person()
    clinic.chart(replace(one, key=f"{one.key}-namesake"), email=None)
    return clinic.hint(one), clinic.chart(one)


def unlisted_namesake(clinic: Clinic) -> Made:
    listed = clinic.person()
    clinic.chart(listed)
    other = replace(listed, key=f"{listed.key}-namesake", born=far_date(clinic.chance, listed.born))
    return clinic.hint(other, birth_date=clinic.chance.choice([other.born, None])), None


def same_given_name_and_date(clinic: Clinic) -> Made:
    """By chance, and of one nursing home with one address."""
    listed, address = clinic.person(), clinic.desk()
    clinic.chart(listed, email=address)
    other = replace(listed, key=f"{listed.key}-stranger", family=_another_family(clinic, listed))
    return clinic.hint(other, email=clinic.chance.choice([address, None])), None


def same_family_name_and_date(clinic: Clinic) -> Made:
    listed = clinic.person()
    clinic.chart(listed)
    return clinic.hint(relative(listed, _other_given_name(clinic, listed))), None


def _another_family(clinic: Clinic, listed: Person) -> str:
    return clinic.person(lambda p: p.family[0] != listed.family[0]).family


def _other_given_name(clinic: Clinic, person: Person) -> str:
    """A given name that is no form of theirs."""
    return clinic.person(lambda p: p.given[0] != person.given[0]).given


_TURNED = (("Kelly", "Ryan"), ("Jordan", "Taylor"), ("James", "Thomas"), ("Rose", "Grace"), ("Cameron", "Blake"))


def turned_names(clinic: Clinic) -> Made:
    """Kelly Ryan and Ryan Kelly, born on different days."""
    given, family = clinic.chance.choice(_TURNED)
    one = clinic.person(given=given, family=family)
    clinic.chart(clinic.person(given=family, family=given))
    return clinic.hint(one), clinic.chart(one)


def turned_names_of_one_date(clinic: Clinic) -> Made:
    given, family = clinic.chance.choice(_TURNED)
    one = clinic.person(given=given, family=family)
    clinic.chart(replace(one, key=f"{one.key}-turned", given=family, family=given))
    return clinic.hint(one), clinic.chart(one)


CATEGORIES = (
    Category("twins, both listed", Right.PLAIN, twins, times=30),
    Category("twins a letter apart, both listed", Right.PLAIN, alike_twins, times=30),
    Category("family of one mailbox", Right.PLAIN, family_member),
    Category("father and son of one name", Right.PLAIN, father_and_son),
    Category("namesakes of other birth dates", Right.PLAIN, namesakes),
    Category("names the other way round, other birth dates", Right.PLAIN, turned_names, times=10),
    Category("family of one mailbox, no birth date", Right.AUTO, family_member_without_date),
    Category("unlisted twin", Right.PERSON, unlisted_twin, times=40),
    Category("unlisted twin, a letter apart", Right.PERSON, unlisted_alike_twin, times=40),
    Category(
        "unlisted twin, a letter apart, other languages",
        Right.PERSON,
        unlisted_foreign_twin,
        times=40,
    ),
    Category("unlisted twin of a two-part name", Right.PERSON, unlisted_twin_of_two_part_name),
    Category("unlisted twin of another family name", Right.PERSON, unlisted_twin_with_another_family_name),
    Category(
        "unlisted twin, the other's name as a middle name",
        Right.PERSON,
        unlisted_twin_with_both_names,
    ),
    Category("unlisted twin, a slip in the name", Right.PERSON, unlisted_twin_with_a_slip, times=30),
    Category("twins, a slip in the given name", Right.PERSON, twins_and_a_slip_in_the_given_name),
    Category("twins, a slip in the surname", Right.PERSON, twins_and_a_slip_in_the_family_name),
    Category("twins, half of a double surname", Right.PERSON, twins_and_half_a_double_surname),
    Category("twins of one short form", Right.PERSON, twins_of_one_short_form),
    Category("archived twin of one short form", Right.PERSON, archived_twin_of_one_short_form),
    Category("archived twin", Right.PERSON, archived_twin, times=10),
    Category("twins by the half of their names that they share", Right.PERSON, twins_by_the_shared_half),
    Category("unlisted member of a family's mailbox", Right.PERSON, unlisted_family_member),
    Category("father and son, no birth date", Right.PERSON, father_and_son_without_date),
    Category("unlisted son of the same name", Right.PERSON, unlisted_son),
    Category("unlisted cousin, near birth date", Right.PERSON, unlisted_relative_of_a_near_date),
    Category("namesakes of one birth date", Right.PERSON, namesakes_of_one_date),
    Category("unlisted namesake", Right.PERSON, unlisted_namesake),
    Category("unlisted, same given name and birth date", Right.PERSON, same_given_name_and_date, times=10),
    Category("unlisted, same surname and birth date", Right.PERSON, same_family_name_and_date),
    Category("names the other way round, one birth date", Right.PERSON, turned_names_of_one_date, times=10),
)
