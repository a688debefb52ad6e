"""Names that are nearly, or only seemingly, somebody else's: second names, shared halves, brackets; and plain ones that
look like nobody's."""

from dataclasses import replace
from datetime import date

from tests.matching import words
from tests.matching.clinic import Category, Clinic, Made, Right
from tests.matching.families import long_family_name, mailbox, relative
from tests.matching.slips import far_date, one_letter_off

# ---------------------------------------------------------------- one mailbox, no birth date


def son_without_email(clinic: Clinic) -> Made:
    son = clinic.person()
    father = replace(son, key=f"{son.key}-father", born=far_date(clinic.chance, son.born))
    clinic.chart(father, email=mailbox(son))
    return clinic.hint(son, birth_date=None, email=mailbox(son)), clinic.chart(son, email=None)


def parent_but_for_a_word(clinic: Clinic) -> Made:
    """A parent or spouse is listed, whose name is not quite the one that was typed."""
    typed, first, last = clinic.chance.choice(words.NOT_WORD_FOR_WORD)
    listed = clinic.person(given=first, family=last)
    clinic.chart(listed, email=mailbox(listed))
    other = replace(listed, key=f"{listed.key}-other")
    return clinic.hint(other, typed, birth_date=None, email=mailbox(listed)), None


def mother_in_brackets(clinic: Clinic) -> Made:
    mother, child = clinic.person(), clinic.person()
    child = replace(child, family=mother.family)
    clinic.chart(child, first_name=f"{child.given} ({mother.given})", email=mailbox(mother))
    own = clinic.chart(mother, email=clinic.chance.choice([None, mother.email]))
    return clinic.hint(mother, birth_date=None, email=mailbox(mother)), own


def stand_in_of_another_decade(clinic: Clinic) -> Made:
    """A father whose birthday is known to the decade, and his son of the same name."""
    son = clinic.person(lambda p: p.born.year > 1966)
    round_year = (son.born.year - 25) // 10 * 10
    father = replace(son, key=f"{son.key}-father", born=date(round_year, 1, 1))
    listed, unlisted = clinic.chance.choice([(father, son), (son, father)])
    clinic.chart(listed, email=mailbox(son))
    return clinic.hint(unlisted, email=mailbox(son)), None


# ---------------------------------------------------------------- twins by second names and shared halves


def _unlisted_twin(clinic: Clinic, typed: str, first: str, last: str) -> Made:
    listed = clinic.person(given=first, family=last)
    clinic.chart(listed, email=mailbox(listed))
    email = clinic.chance.choice([mailbox(listed), None])
    return clinic.hint(replace(listed, key=f"{listed.key}-twin"), typed, email=email), None


def second_name_on_the_surname(clinic: Clinic) -> Made:
    return _unlisted_twin(clinic, *clinic.chance.choice(words.SECOND_NAME_ON_THE_SURNAME))


def shared_given_name(clinic: Clinic) -> Made:
    return _unlisted_twin(clinic, *clinic.chance.choice(words.SHARED_GIVEN))


def last_given_name(clinic: Clinic) -> Made:
    """Kevin Minh and Minh are brothers, both listed by their own names."""
    kevin = clinic.person(given="Kevin", family=clinic.chance.choice(["Tran", "Nguyen", "Pham", "Le"]))
    clinic.chart(relative(kevin, "Minh"), email=mailbox(kevin))
    typed = f"{kevin.family}{clinic.chance.choice([' ', ', '])}Kevin Minh"
    return clinic.hint(kevin, typed, email=mailbox(kevin)), clinic.chart(kevin, email=mailbox(kevin))


def very_name_without_date(clinic: Clinic) -> Made:
    """Somebody else of the birth date has nearly the name."""
    own = clinic.person(long_family_name)
    given, short = clinic.chance.choice(words.SHORT_FORMS)
    slip = replace(own, family=one_letter_off(clinic.chance, own.family))
    married = replace(own, family=clinic.person(long_family_name).family)
    own, other = clinic.chance.choice([(own, slip), (own, married), (replace(own, given=short), relative(own, given))])
    clinic.chart(replace(other, key=f"{own.key}-other"), email=mailbox(own))
    return clinic.hint(own, email=mailbox(own)), clinic.chart(own, birth_date=None, email=None)


# ---------------------------------------------------------------- plain, whatever it looks like


def seemingly_nobody(clinic: Clinic) -> Made:
    first, last = clinic.chance.choice(words.SEEMINGLY_NOBODY)
    person = clinic.person(given=first, family=last)
    return clinic.hint(person), clinic.chart(person)


def family_name_in_capitals(clinic: Clinic) -> Made:
    person = clinic.person(lambda p: len(p.family) >= 3)
    return clinic.hint(person, f"{person.family.upper()} {person.given} {_another(clinic)}"), clinic.chart(person)


def umlauts_spelt_out(clinic: Clinic) -> Made:
    one, other = clinic.chance.choice(words.UMLAUTS)
    typed, charted = clinic.chance.choice([(one, other), (other, one)])
    person = clinic.person(given=charted[0], family=charted[1])
    return clinic.hint(person, " ".join(typed)), clinic.chart(person)


def titles_and_remarks_behind(clinic: Clinic) -> Made:
    person = clinic.person()
    behind = ["Mr", "Mrs.", "(Ms)", "(for review)", "(with mum)", f"({person.born:%d/%m/%Y})"]
    return clinic.hint(person, f"{person.name} {clinic.chance.choice(behind)}"), clinic.chart(person)


def _another(clinic: Clinic) -> str:
    return clinic.chance.choice(["Robert", "Louise", "James", "Grace"])


# ---------------------------------------------------------------- known limits


def half_a_given_name(clinic: Clinic) -> Made:
    """The listed twin's chart has only what both are called by."""
    typed, first, last = clinic.chance.choice(words.HALF_A_GIVEN_NAME)
    return _unlisted_twin(clinic, typed, first, last)


CATEGORIES = (
    Category("words for nobody that are names", Right.PLAIN, seemingly_nobody),
    Category("surname in capitals, a middle name", Right.PLAIN, family_name_in_capitals),
    Category("umlauts spelt out", Right.PLAIN, umlauts_spelt_out),
    Category("titles and remarks behind the name", Right.PLAIN, titles_and_remarks_behind),
    Category("son without e-mail, father's mailbox, no birth date", Right.PERSON, son_without_email),
    Category("parent or spouse but for a word, no birth date", Right.PERSON, parent_but_for_a_word),
    Category("mother in brackets on a child's chart, no birth date", Right.PERSON, mother_in_brackets),
    Category("father or son, a stand-in of another decade", Right.PERSON, stand_in_of_another_decade),
    Category("unlisted twin, a second name in the surname", Right.PERSON, second_name_on_the_surname),
    Category("unlisted twin, a given name that siblings share", Right.PERSON, shared_given_name),
    Category("brothers, one's name the last of the other's", Right.PERSON, last_given_name, times=10),
    Category("very name on a chart without birth date", Right.PERSON, very_name_without_date),
)
