"""What agrees only nearly: slips of the keyboard, changed family names, birth dates that differ or are missing."""

from datetime import date, timedelta

from rapidfuzz.distance import OSA

from sync_worker.model import Hint
from tests.matching import words
from tests.matching.clinic import TODAY, Category, Clinic, Made, Right
from tests.matching.families import long_family_name, mailbox, relative
from tests.matching.febrl import Person
from tests.matching.slips import LEAST_LETTERS, far_date, near_dates, one_letter_off, other_letter, swapped_or_doubled
from tests.matching.writing import double_surname

# ---------------------------------------------------------------- slips


def slip_in_the_surname(clinic: Clinic) -> Made:
    person = clinic.person(long_family_name)
    return _typed(clinic, person, family=one_letter_off(clinic.chance, person.family))


def another_spelling(clinic: Clinic) -> Made:
    given, charted, typed = clinic.chance.choice(words.ANOTHER_SPELLING)
    return _typed(clinic, clinic.person(given=given, family=charted), family=typed)


def half_of_a_double_surname(clinic: Clinic) -> Made:
    person = clinic.person(family=double_surname(clinic))
    return _typed(clinic, person, family=clinic.chance.choice(person.family.split("-")))


def slip_in_the_given_name(clinic: Clinic) -> Made:
    while True:
        person = clinic.person(_long_given_name)
        if typed := swapped_or_doubled(clinic.chance, person.given):
            return _typed(clinic, person, given=typed)


def error_in_the_given_name(clinic: Clinic) -> Made:
    person = clinic.person(_long_given_name)
    return _typed(clinic, person, given=other_letter(clinic.chance, person.given), email=person.email)


def slip_in_a_short_surname(clinic: Clinic) -> Made:
    charted, typed = clinic.chance.choice(words.SHORT_SURNAMES)
    return _typed(clinic, clinic.person(family=charted), family=typed)


def slips_in_both_names(clinic: Clinic) -> Made:
    person = clinic.person(lambda p: long_family_name(p) and _long_given_name(p))
    given = swapped_or_doubled(clinic.chance, person.given) or other_letter(clinic.chance, person.given)
    return _typed(clinic, person, given=given, family=one_letter_off(clinic.chance, person.family), email=person.email)


def two_letters_off(clinic: Clinic) -> Made:
    person = clinic.person(long_family_name)
    typed = person.family
    while OSA.distance(typed.lower(), person.family.lower()) < 2:
        typed = one_letter_off(clinic.chance, one_letter_off(clinic.chance, person.family))
    return _typed(clinic, person, family=typed)


def short_form_and_slip(clinic: Clinic) -> Made:
    given, short = clinic.chance.choice(words.SHORT_FORMS)
    person = clinic.person(long_family_name, given=given)
    return _typed(clinic, person, given=short, family=one_letter_off(clinic.chance, person.family))


def slip_and_near_date(clinic: Clinic) -> Made:
    person = clinic.person(long_family_name)
    near = clinic.chance.choice(near_dates(person.born))
    name = f"{person.given} {one_letter_off(clinic.chance, person.family)}"
    return clinic.hint(person, name, birth_date=near, email=person.email), clinic.chart(person, email=person.email)


def _typed(clinic: Clinic, person: Person, *, given: str = "", family: str = "", email: str | None = None) -> Made:
    """The name as typed; without an e-mail unless it is part of the story."""
    name = f"{given or person.given} {family or person.family}"
    chart = clinic.chart(person, email=email) if email else clinic.chart(person)
    return clinic.hint(person, name, email=email), chart


def _long_given_name(person: Person) -> bool:
    return person.given.isalpha() and len(person.given) > LEAST_LETTERS


# ---------------------------------------------------------------- changed family names


def another_family(clinic: Clinic, person: Person) -> str:
    """A family name that is no slip of theirs."""
    return clinic.person(lambda p: OSA.distance(p.family.lower(), person.family.lower()) > 2).family


def changed_surname(clinic: Clinic) -> Made:
    person = clinic.person()
    return _typed(clinic, person, family=another_family(clinic, person), email=person.email)


def second_surname_added(clinic: Clinic) -> Made:
    person = clinic.person(lambda p: p.family.isalpha())
    return _typed(clinic, person, family=f"{person.family}-{another_family(clinic, person)}", email=person.email)


def changed_surname_beside_a_twin(clinic: Clinic) -> Made:
    person = clinic.person()
    sister = clinic.person(lambda p: p.given[:2] != person.given[:2]).given
    clinic.chart(relative(person, sister), email=mailbox(person))
    return _typed(clinic, person, family=another_family(clinic, person), email=mailbox(person))


def changed_surname_without_email(clinic: Clinic) -> Made:
    person = clinic.person()
    name = f"{person.given} {another_family(clinic, person)}"
    email = clinic.chance.choice([None, f"new-{person.email}"])
    return clinic.hint(person, name, email=email), clinic.chart(person)


def changed_surname_at_the_desk_address(clinic: Clinic) -> Made:
    person = clinic.person()
    return _typed(clinic, person, family=another_family(clinic, person), email=clinic.desk())


def changed_surname_and_short_form(clinic: Clinic) -> Made:
    given, short = clinic.chance.choice(words.SHORT_FORMS)
    person = clinic.person(given=given)
    return _typed(clinic, person, given=short, family=another_family(clinic, person), email=person.email)


def changed_surname_and_no_such_date(clinic: Clinic) -> Made:
    person = clinic.person()
    name = f"{person.given} {another_family(clinic, person)}"
    born = clinic.chance.choice([None, far_date(clinic.chance, person.born), *near_dates(person.born)[:4]])
    return clinic.hint(person, name, birth_date=born, email=person.email), clinic.chart(person, email=person.email)


def changed_surname_and_other_letter(clinic: Clinic) -> Made:
    person = clinic.person(_long_given_name)
    typed = other_letter(clinic.chance, person.given)
    return _typed(clinic, person, given=typed, family=another_family(clinic, person), email=person.email)


# ---------------------------------------------------------------- birth dates


def near_birth_date(clinic: Clinic) -> Made:
    person = clinic.person()
    near = clinic.chance.choice(near_dates(person.born))
    return clinic.hint(person, birth_date=near, email=person.email), clinic.chart(person, email=person.email)


def other_birth_date(clinic: Clinic) -> Made:
    person = clinic.person()
    far = far_date(clinic.chance, person.born)
    return clinic.hint(person, birth_date=far, email=person.email), clinic.chart(person, email=person.email)


def _unknown(clinic: Clinic, person: Person) -> date | None:
    return clinic.chance.choice(
        [None, None, *_stand_ins(person), TODAY + timedelta(days=36_500), date(1066, 10, 14)],
    )


def _unknown_on_the_chart(clinic: Clinic, person: Person) -> date | None:
    return clinic.chance.choice([None, *_stand_ins(person)])


def _stand_ins(person: Person) -> list[date]:
    """Of nobody, and of the person's own years."""
    rounded = (person.born.year + 5) // 10 * 10
    return [date(1900, 1, 1), date(min(rounded, 2020), 1, 1)]


def no_date_and_own_email(clinic: Clinic) -> Made:
    person = clinic.person()
    email = clinic.chance.choice([person.email, person.email.upper()])
    hint = clinic.hint(person, birth_date=_unknown(clinic, person), email=email)
    return hint, clinic.chart(person, email=person.email)


def no_date_on_the_chart_and_own_email(clinic: Clinic) -> Made:
    person = clinic.person()
    chart = clinic.chart(person, birth_date=_unknown_on_the_chart(clinic, person), email=person.email)
    return clinic.hint(person, email=person.email), chart


def no_date_and_no_email(clinic: Clinic) -> Made:
    person = clinic.person()
    return clinic.hint(person, birth_date=_unknown(clinic, person), email=None), clinic.chart(person)


def no_date_and_another_email(clinic: Clinic) -> Made:
    person, partner = clinic.person(), clinic.person()
    clinic.chart(partner, email=partner.email)
    hint = clinic.hint(person, birth_date=_unknown(clinic, person), email=partner.email)
    return hint, clinic.chart(person, email=person.email)


def no_date_and_the_desk_address(clinic: Clinic) -> Made:
    person, address = clinic.person(), clinic.desk()
    return clinic.hint(person, birth_date=_unknown(clinic, person), email=address), clinic.chart(person, email=address)


def no_date_and_a_large_family(clinic: Clinic) -> Made:
    """Seven charts of one family name: one more than a household may have."""
    person = clinic.person()
    for other in [clinic.person() for _ in range(6)]:
        clinic.chart(Person(other.key, other.given, person.family, other.born), email=mailbox(person))
    return clinic.hint(person, birth_date=None, email=mailbox(person)), clinic.chart(person, email=mailbox(person))


def no_date_and_a_short_form(clinic: Clinic) -> Made:
    given, short = clinic.chance.choice(words.SHORT_FORMS)
    person = clinic.person(given=given)
    hint = clinic.hint(person, f"{short} {person.family}", birth_date=_unknown(clinic, person), email=person.email)
    return hint, clinic.chart(person, email=person.email)


def no_date_and_a_slip(clinic: Clinic) -> Made:
    person = clinic.person(long_family_name)
    name = f"{person.given} {one_letter_off(clinic.chance, person.family)}"
    hint = clinic.hint(person, name, birth_date=_unknown(clinic, person), email=person.email)
    return hint, clinic.chart(person, email=person.email)


def stand_in_dates_on_both_sides(clinic: Clinic) -> Made:
    person, stand_in = clinic.person(), clinic.chance.choice([date(1900, 1, 1), date(1970, 1, 1), date(2000, 1, 1)])
    return clinic.hint(person, birth_date=stand_in, email=None), clinic.chart(person, birth_date=stand_in)


def no_date_on_the_chart_and_no_email(clinic: Clinic) -> Made:
    person = clinic.person()
    return clinic.hint(person, email=None), clinic.chart(person, birth_date=_unknown_on_the_chart(clinic, person))


def email_alone(clinic: Clinic) -> Made:
    person, partner = clinic.person(), clinic.person()
    hint = clinic.hint(partner, birth_date=clinic.chance.choice([partner.born, None]), email=person.email)
    clinic.chart(person, email=person.email)
    return hint, None


def birth_date_alone(clinic: Clinic) -> Made:
    person, other = clinic.person(), clinic.person(lambda p: p.born.year > 1930)
    clinic.chart(other)
    return Hint(person.name, other.born), None


def at_the_desk_address(clinic: Clinic) -> Made:
    person, address = clinic.person(), clinic.desk()
    return clinic.hint(person, email=address), clinic.chart(person, email=address)


def not_on_the_list(clinic: Clinic) -> Made:
    return clinic.hint(clinic.stranger()), None


def not_on_the_list_without_date(clinic: Clinic) -> Made:
    return clinic.hint(clinic.stranger(), birth_date=None), None


CATEGORIES = (
    Category("slip in the surname", Right.AUTO, slip_in_the_surname, times=40),
    Category("another spelling of the surname", Right.AUTO, another_spelling),
    Category("half of a double surname", Right.AUTO, half_of_a_double_surname),
    Category("slip in the given name", Right.AUTO, slip_in_the_given_name, times=40),
    Category("changed surname, own e-mail", Right.AUTO, changed_surname, times=30),
    Category("second surname added, own e-mail", Right.AUTO, second_surname_added),
    Category("changed surname, family's e-mail, a twin", Right.AUTO, changed_surname_beside_a_twin),
    Category("no birth date typed, own e-mail", Right.AUTO, no_date_and_own_email, times=30),
    Category("no birth date on the chart, own e-mail", Right.AUTO, no_date_on_the_chart_and_own_email),
    Category("desk address", Right.PLAIN, at_the_desk_address, times=5),
    Category("other letter in the given name", Right.PERSON, error_in_the_given_name, times=30),
    Category("slip in a short surname", Right.PERSON, slip_in_a_short_surname),
    Category("slips in both names", Right.PERSON, slips_in_both_names),
    Category("surname two letters off", Right.PERSON, two_letters_off),
    Category("short form and slip in the surname", Right.PERSON, short_form_and_slip),
    Category("slip in the surname, near birth date", Right.PERSON, slip_and_near_date),
    Category("changed surname, no e-mail that agrees", Right.PERSON, changed_surname_without_email),
    Category("changed surname, desk address", Right.PERSON, changed_surname_at_the_desk_address, times=5),
    Category("changed surname, short form", Right.PERSON, changed_surname_and_short_form),
    Category("changed surname, birth date missing or other", Right.PERSON, changed_surname_and_no_such_date),
    Category("changed surname, other letter in the given name", Right.PERSON, changed_surname_and_other_letter),
    Category("near birth date, own e-mail", Right.PERSON, near_birth_date, times=40),
    Category("other birth date, own e-mail", Right.PERSON, other_birth_date),
    Category("name only", Right.PERSON, no_date_and_no_email, times=30),
    Category("no birth date, another e-mail", Right.PERSON, no_date_and_another_email),
    Category("no birth date, desk address", Right.PERSON, no_date_and_the_desk_address, times=5),
    Category("no birth date, seven in the mailbox", Right.PERSON, no_date_and_a_large_family, times=5),
    Category("no birth date, short form, own e-mail", Right.PERSON, no_date_and_a_short_form),
    Category("no birth date, slip in the surname, own e-mail", Right.PERSON, no_date_and_a_slip),
    Category("stand-in dates on both sides", Right.PERSON, stand_in_dates_on_both_sides, times=10),
    Category("no birth date on the chart, no e-mail", Right.PERSON, no_date_on_the_chart_and_no_email, times=10),
    Category("e-mail alone", Right.PERSON, email_alone),
    Category("birth date alone", Right.PERSON, birth_date_alone),
    Category("not on the list", Right.PERSON, not_on_the_list, times=150),
    Category("not on the list, no birth date", Right.PERSON, not_on_the_list_without_date),
)
