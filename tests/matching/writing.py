"""Ways of writing one name: what must not keep a note from its chart, and names that say too little."""

from dataclasses import replace

from tests.matching import words
from tests.matching.clinic import Category, Clinic, Made, Right


def as_on_the_chart(clinic: Clinic) -> Made:
    person = clinic.person()
    return clinic.hint(person), clinic.chart(person)


def capitals_and_spaces(clinic: Clinic) -> Made:
    person = clinic.person()
    name = person.name
    typed = (name.upper(), name.lower(), f"  {name.replace(' ', '   ')} ", name.replace(" ", "\u00a0"))
    return clinic.hint(person, clinic.chance.choice(typed)), clinic.chart(person)


def titles_and_suffixes(clinic: Clinic) -> Made:
    person = clinic.person()
    titles, suffixes = ("Mr {}", "Mrs {}", "Ms. {}", "Miss {}", "Dr {}", "Prof. {}"), ("{} Jr", "{} OAM", "{}, PhD")
    around = clinic.chance.choice([*titles, *suffixes, "Mr {} Jnr."])
    return clinic.hint(person, around.format(person.name)), clinic.chart(person)


def in_the_other_order(clinic: Clinic) -> Made:
    person = clinic.person()
    between = clinic.chance.choice([" ", ", ", ", Mr "])
    return clinic.hint(person, f"{person.family}{between}{person.given}"), clinic.chart(person)


def chart_the_wrong_way_round(clinic: Clinic) -> Made:
    person = clinic.person()
    return clinic.hint(person), clinic.chart(person, first_name=person.family, last_name=person.given)


_MIDDLE = ("Anne", "Louise", "James", "William", "Grace", "Lee")


def middle_names(clinic: Clinic) -> Made:
    person, middle = clinic.person(), clinic.chance.choice(_MIDDLE)
    one = middle[0]
    sides = [(middle, ""), (f"{one}.", ""), (one, ""), ("", middle), (one, middle), (middle, one)]
    typed, charted = clinic.chance.choice(sides)
    name = f"{person.given} {typed} {person.family}" if typed else person.name
    return clinic.hint(person, name), clinic.chart(person, first_name=f"{person.given} {charted}".strip())


def apostrophes(clinic: Clinic) -> Made:
    person = clinic.person(family=clinic.chance.choice(words.APOSTROPHES))
    typed = clinic.chance.choice(words.spelt_with(["’", "‘", "`", "´", "", " "], person.family))
    sides = [person.family, typed]
    clinic.chance.shuffle(sides)
    return clinic.hint(person, f"{person.given} {sides[0]}"), clinic.chart(person, last_name=sides[1])


def double_surname(clinic: Clinic) -> str:
    """Two family names of the list, joined by a hyphen."""
    one, other = (clinic.person(lambda p: p.family.isalpha() and len(p.family) >= 5).family for _ in range(2))
    return f"{one}-{other}" if one != other else double_surname(clinic)


def double_surnames(clinic: Clinic) -> Made:
    person = clinic.person(family=double_surname(clinic))
    typed = clinic.chance.choice(words.spelt_with([" ", "–", " -", "- ", "‐", ""], person.family, "-"))
    sides = [person.family, typed]
    if "- " not in typed and " -" not in typed:
        clinic.chance.shuffle(sides)
    return clinic.hint(person, f"{person.given} {sides[1]}"), clinic.chart(person, last_name=sides[0])


def particles(clinic: Clinic) -> Made:
    person = clinic.person(family=clinic.chance.choice(words.PARTICLES))
    given, family = person.given, person.family
    typed = (f"{given} {family.title()}", f"{family}, {given}", f"{given} {family.replace(' ', '')}")
    return clinic.hint(person, clinic.chance.choice(typed)), clinic.chart(person)


def names_of_many_languages(clinic: Clinic) -> Made:
    first, last, typed = clinic.chance.choice(words.LANGUAGES)
    person = clinic.person(given=first, family=last)
    return clinic.hint(person, typed), clinic.chart(person)


def other_scripts(clinic: Clinic) -> Made:
    first, last, typed = clinic.chance.choice(words.OTHER_SCRIPTS)
    person = clinic.person(given=first, family=last)
    return clinic.hint(person, typed), clinic.chart(person)


def short_form_typed(clinic: Clinic) -> Made:
    given, short = clinic.chance.choice(words.SHORT_FORMS)
    person = clinic.person(given=given)
    return clinic.hint(person, f"{short} {person.family}"), clinic.chart(person)


def short_form_on_the_chart(clinic: Clinic) -> Made:
    given, short = clinic.chance.choice(words.SHORT_FORMS)
    person = clinic.person(given=given)
    return clinic.hint(person), clinic.chart(person, first_name=short)


def preferred_names(clinic: Clinic) -> Made:
    person, called = clinic.person(), clinic.chance.choice(["Simon", "Helen", "Peg", "Sunny", "Jo", "Blue", "Vicky"])
    return clinic.hint(person, f"{called} {person.family}"), clinic.chart(person, preferred_first_name=called)


def brackets_and_remarks(clinic: Clinic) -> Made:
    given, short = clinic.chance.choice(words.SHORT_FORMS)
    person = clinic.person(given=given)
    typed = (f"{given} ({short}) {person.family}", f'{given} "{short}" {person.family}', f"{person.name} - knee review")
    name = clinic.chance.choice([*typed, f"{person.family}, {given} – follow up"])
    return clinic.hint(person, name), clinic.chart(person)


def two_part_given_names(clinic: Clinic) -> Made:
    given = clinic.chance.choice(["Mary-Anne", "Anna-Maria", "Jean-Claude", "Sarah-Jane", "Lee-Ann", "Billie-Jo"])
    person = clinic.person(given=given)
    first, _, second = given.partition("-")
    typed = clinic.chance.choice([given, f"{first} {second}", f"{first}{second.lower()}", first])
    return clinic.hint(person, f"{typed} {person.family}"), clinic.chart(person)


def several_habits_at_once(clinic: Clinic) -> Made:
    given, short = clinic.chance.choice(words.SHORT_FORMS)
    family = clinic.chance.choice([*words.APOSTROPHES, double_surname(clinic), "Müller", "Lefèvre"])
    person = clinic.person(given=given, family=family)
    plain = family.replace("'", "").replace("-", " ").replace("ü", "u").replace("è", "e")
    typed = (f"MR {short} {plain}".upper(), f"{plain}, {short} J.", f"Dr {given} J {plain} - review")
    return clinic.hint(person, clinic.chance.choice([*typed, f"{plain.upper()} {given}"])), clinic.chart(person)


# ---------------------------------------------------------------- names that say too little


def initials(clinic: Clinic) -> Made:
    person = clinic.person()
    one, family = person.given[0], person.family
    name = clinic.chance.choice([f"{one} {family}", f"{one}. {family}", f"{family}, {one}", f"{one}.J. {family}"])
    return clinic.hint(person, name, email=person.email), clinic.chart(person, email=person.email)


def initials_on_the_chart(clinic: Clinic) -> Made:
    person = clinic.person()
    return clinic.hint(person, email=person.email), clinic.chart(person, first_name=person.given[0], email=person.email)


def one_name(clinic: Clinic) -> Made:
    person = clinic.person(lambda p: p.family.isalpha() and p.given.isalpha())
    name = clinic.chance.choice([person.family, f"Mr {person.family}", person.given, f"Mrs. {person.family.upper()}"])
    return clinic.hint(person, name, email=person.email), clinic.chart(person, email=person.email)


def one_name_on_the_chart(clinic: Clinic) -> Made:
    person = clinic.person()
    blank = clinic.chance.choice(["first_name", "last_name"])
    return clinic.hint(person, email=person.email), clinic.chart(person, email=person.email, **{blank: ""})


def two_people_in_one_name(clinic: Clinic) -> Made:
    person, partner = clinic.person(), clinic.person()
    joined = clinic.chance.choice([" & ", " and ", "/", " + "])
    pair = [person.given, partner.given]
    clinic.chance.shuffle(pair)
    return clinic.hint(person, f"{joined.join(pair)} {person.family}"), clinic.chart(person)


def joint_chart(clinic: Clinic) -> Made:
    person, partner = clinic.person(), clinic.person()
    return clinic.hint(person), clinic.chart(person, first_name=f"{person.given} & {partner.given}")


def placeholder(clinic: Clinic) -> Made:
    person = clinic.person()
    clinic.chart(person, email=person.email)
    name = clinic.chance.choice(words.PLACEHOLDERS).format(name=person.name, family=person.family)
    nobody = replace(person, key=f"nobody-{person.key}")
    clinic.chart(nobody, first_name="Test", last_name="Patient")
    return clinic.hint(person, name, email=person.email), None


def called_by_the_middle_name(clinic: Clinic) -> Made:
    person, middle = clinic.person(), clinic.chance.choice(_MIDDLE)
    return clinic.hint(person, f"{middle} {person.family}"), clinic.chart(person, first_name=f"{person.given} {middle}")


CATEGORIES = (
    Category("as on the chart", Right.PLAIN, as_on_the_chart, times=60),
    Category("capitals and stray spaces", Right.PLAIN, capitals_and_spaces),
    Category("titles and suffixes", Right.PLAIN, titles_and_suffixes),
    Category("typed in the other order", Right.PLAIN, in_the_other_order, times=30),
    Category("chart filled in the wrong way round", Right.PLAIN, chart_the_wrong_way_round),
    Category("middle names and initials", Right.PLAIN, middle_names, times=30),
    Category("apostrophes", Right.PLAIN, apostrophes),
    Category("double surnames", Right.PLAIN, double_surnames),
    Category("surnames of several words", Right.PLAIN, particles),
    Category("names of many languages", Right.PLAIN, names_of_many_languages, times=60),
    Category("short form typed", Right.PLAIN, short_form_typed, times=40),
    Category("short form on the chart", Right.PLAIN, short_form_on_the_chart, times=40),
    Category("preferred name typed", Right.PLAIN, preferred_names),
    Category("brackets, quotes and remarks", Right.PLAIN, brackets_and_remarks),
    Category("given names of two parts", Right.PLAIN, two_part_given_names),
    Category("several habits at once", Right.PLAIN, several_habits_at_once),
    Category("typed in another script", Right.AUTO, other_scripts, times=10),
    Category("initials only", Right.PERSON, initials),
    Category("initial on the chart", Right.PERSON, initials_on_the_chart, times=10),
    Category("one name only", Right.PERSON, one_name),
    Category("one name on the chart", Right.PERSON, one_name_on_the_chart, times=10),
    Category("two people in one name", Right.PERSON, two_people_in_one_name),
    Category("chart of two people", Right.PERSON, joint_chart, times=10),
    Category("placeholder for a name", Right.PERSON, placeholder),
    Category("called by the middle name", Right.PERSON, called_by_the_middle_name, times=10),
)
