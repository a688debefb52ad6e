"""The people of the synthetic practice: its patients, and how clinicians name them when they start a session.

Owns names, birth dates, addresses and the stories (twins, namesakes, duplicate charts) that make matching hard,
each with what must come of it. It refuses to borrow anybody: names are put together by chance from lists, addresses end
in example.com, example.net or example.org.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from sync_worker.records import Reason


@dataclass(frozen=True, slots=True)
class PracticePatient:
    """One chart of the practice. `merged_into` is the key of the chart that survived a merge with this one."""

    key: str
    first_name: str
    last_name: str
    birth_date: date | None = None
    email: str | None = None
    preferred_first_name: str | None = None
    archived: bool = False
    merged_into: str | None = None

    @property
    def full_name(self) -> str:
        """Given name and family name as on the chart."""
        return f"{self.first_name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Visit:
    """Whom a clinician saw, what they typed into Heidi, and what must become of the session's document.

    `patient` is whom the diary holds (None: nobody), `expected` whose chart the note belongs on, `held` why a person
    must decide instead. `story` says in a few words what is special.
    """

    story: str
    typed_name: str
    birth_date: date | None
    patient: str | None
    email: str | None = None
    expected: str | None = None
    held: Reason | None = None


PLAIN = "the name as on the chart"
FEWEST_PATIENTS = 120
"""Below this there are too few plain patients for the sessions of a week."""


def build_people(
    rng: Random, *, today: date, patients: int, visits: int
) -> tuple[tuple[PracticePatient, ...], tuple[Visit, ...]]:
    """Make `patients` charts and `visits` visits, the special ones first among the visits.

    Birth dates are shared only by people who share them on purpose. Raises ValueError below `FEWEST_PATIENTS`.
    """
    if patients < FEWEST_PATIENTS:
        raise ValueError(f"a practice needs at least {FEWEST_PATIENTS} patients")
    register = _Register(rng, today)
    special = [*_typed_otherwise(register), *_families(register), *_held(register)]
    _fill(register, patients)
    seen = {visit.patient for visit in special}
    plain = [patient for patient in register.patients if _is_plain(patient) and patient.key not in seen]
    chosen = rng.sample(plain, visits - len(special))
    return tuple(register.patients), (*special, *(_filed(PLAIN, chart, chart.full_name) for chart in chosen))


class _Register:
    """The charts made so far, and the birth dates already given away."""

    def __init__(self, rng: Random, today: date) -> None:
        self.rng = rng
        self.patients: list[PracticePatient] = []
        self._today = today
        self._birth_dates: set[date] = set()

    def add(
        self,
        first_name: str,
        last_name: str,
        birth_date: date | None,
        *,
        email: str | None = None,
        preferred_first_name: str | None = None,
        archived: bool = False,
        merged_into: str | None = None,
    ) -> PracticePatient:
        patient = PracticePatient(
            f"patient-{len(self.patients) + 1:03}",
            first_name,
            last_name,
            birth_date,
            email,
            preferred_first_name,
            archived,
            merged_into,
        )
        self.patients.append(patient)
        return patient

    def born(self, *, youngest: int = 6, oldest: int = 92) -> date:
        """Return a birth date nobody has yet, for an age in years; never 1 January, which stands for "unknown"."""
        while True:
            days = self.rng.randrange(youngest * 365 + 30, oldest * 365)
            birth_date = self._today - timedelta(days=days)
            if birth_date not in self._birth_dates and (birth_date.month, birth_date.day) != (1, 1):
                self._birth_dates.add(birth_date)
                return birth_date


# ---------------------------------------------------------------- visits that must be filed

# first name, family name, preferred name, what the clinician typed, why it must not matter
_TYPED = (
    ("Robert", "Jones", None, "Bob Jones", "a nickname"),
    ("Elizabeth", "Fraser", None, "Liz Fraser", "a nickname"),
    ("William", "McKenzie", None, "Bill McKenzie", "a nickname"),
    ("Thomas", "Burgess", None, "Tom Burgess", "a nickname"),
    ("Thanh Huong", "Nguyen", "Helen", "Helen Nguyen", "the preferred name"),
    ("Xiaoming", "Chen", "Simon", "Simon Chen", "the preferred name"),
    ("Margaret", "Gilligan", "Peg", "Peg Gilligan", "the preferred name"),
    ("Zoë", "Hartley", None, "Zoe Hartley", "accents dropped"),
    ("José", "Fernández", None, "Jose Fernandez", "accents dropped"),
    ("Bjørn", "Sørensen", None, "Bjorn Sorensen", "accents dropped"),
    ("Siân", "Llewellyn", None, "Sian Llewellyn", "accents dropped"),
    ("Patrick", "O'Brien", None, "Patrick OBrien", "an apostrophe missing"),
    ("Declan", "O'Shea", None, "Declan O Shea", "an apostrophe missing"),
    ("Siobhán", "O’Connor", None, "Siobhan O'Connor", "another apostrophe"),
    ("Niamh", "D'Arcy", None, "NIAMH DARCY", "capitals, an apostrophe missing"),
    ("Van Anh", "Nguyen", None, "Nguyen Van Anh", "the family name first"),
    ("Maria", "Papadopoulos", None, "Papadopoulos Maria", "the family name first"),
    ("Ryan", "Kelly", None, "Kelly, Ryan", "the family name first, with a comma"),
    ("Anita", "Gurung", None, "GURUNG ANITA", "capitals, the family name first"),
    ("Georgios", "Katsaros", None, "GEORGIOS KATSAROS", "capitals"),
    ("Fatima", "Al-Hassan", None, "fatima al hassan", "small letters, a hyphen missing"),
    ("Charlotte", "Smith-Jones", None, "Charlotte Smith Jones", "a hyphen missing"),
    ("Hannah", "Wilson", None, "Mrs Hannah Wilson", "a title"),
    ("Peter", "Nichols", None, "  Peter   Nichols ", "stray spaces"),
    ("James", "Whitford", None, "James A. Whitford", "a middle initial"),
    ("Anthony", "Bellette", None, "Anthony (Tony) Bellette", "another name in brackets"),
    ("Susan", "Direen", None, "Susan Direen - knee review", "a remark after the name"),
)


def _filed(story: str, patient: PracticePatient, typed_name: str, *, tells_email: bool = False) -> Visit:
    return Visit(
        story,
        typed_name,
        patient.birth_date,
        patient.key,
        email=patient.email if tells_email else None,
        expected=patient.key,
    )


def _typed_otherwise(register: _Register) -> Iterator[Visit]:
    for first_name, last_name, preferred, typed_name, story in _TYPED:
        birth_date = register.born(youngest=18)
        email = _mailbox(register.rng, first_name, last_name)
        chart = register.add(first_name, last_name, birth_date, preferred_first_name=preferred, email=email)
        yield _filed(story, chart, typed_name)


def _families(register: _Register) -> Iterator[Visit]:
    """People who could be taken for each other, but for one fact that the session tells."""
    register.add("George", "Petrakis", register.born(youngest=60), email="petrakis.family@example.com")
    son = register.add("George", "Petrakis", register.born(oldest=40), email="petrakis.family@example.com")
    yield _filed("a son with his father's name and mailbox", son, son.full_name, tells_email=True)

    birth_date = register.born(oldest=30)
    register.add("Ella", "Bennett", birth_date, email="bennetts@example.com")
    twin = register.add("Ruby", "Bennett", birth_date, email="bennetts@example.com")
    yield _filed("one of twins, by her own name", twin, twin.full_name, tells_email=True)

    for name in ("Ahmed", "Omar"):
        register.add(name, "Haddad", register.born(), email="haddad@example.net")
    daughter = register.add("Layla", "Haddad", register.born(), email="haddad@example.net")
    yield _filed("a family's mailbox", daughter, daughter.full_name, tells_email=True)

    plus = register.add("Lachlan", "Burbury", register.born(), email="lachlan.burbury+physio@example.com")
    yield _filed("a plus-address", plus, plus.full_name, tells_email=True)

    live = register.add("Jennifer", "Fazackerley", register.born())
    register.add("Jennifer", "Fazackerley", live.birth_date, archived=True, merged_into=live.key)
    yield _filed("a merged chart beside the living one", live, live.full_name)

    old = register.add("Douglas", "Triffitt", register.born(youngest=20), archived=True)
    live = register.add("Douglas", "Triffitt", old.birth_date, email="d.triffitt@example.org")
    yield _filed("an archived chart beside the living one", live, live.full_name)


# ---------------------------------------------------------------- visits that a person must decide


def _held(register: _Register) -> Iterator[Visit]:
    """One visit for each thing that must stop a note, each for another reason (rules 0, 2 and 6 of matching)."""
    olivia = register.add("Olivia", "Marriott", register.born())
    yield Visit("no birth date", "Olivia Marriott", None, olivia.key, held=Reason.NOT_IDENTIFIABLE)

    mark = register.add("Mark", "Denholm", register.born(youngest=30))
    register.add("Julie", "Denholm", register.born(youngest=30))
    two = "Mark & Julie Denholm"
    yield Visit("two people", two, mark.birth_date, mark.key, held=Reason.NOT_IDENTIFIABLE)

    quiet = register.add("Dorothy", "Viney", register.born(youngest=40))
    yield Visit("no name", "", quiet.birth_date, quiet.key, held=Reason.NOT_IDENTIFIABLE)

    twin = register.add("Priya", "Thapa", register.born(oldest=30), email="thapa@example.org")
    register.add("Sunita", "Thapa", twin.birth_date, email="thapa@example.org")
    yield Visit("twins, and neither's name", "Anita Thapa", twin.birth_date, twin.key, held=Reason.NO_MATCH)

    chart = register.add("Bronwyn", "Cowen", register.born(), email="b.cowen@example.com")
    register.add("Bronwyn", "Cowen", chart.birth_date, email="bronwyn@example.net")
    yield Visit("two charts", "Bronwyn Cowen", chart.birth_date, chart.key, held=Reason.SEVERAL_CHARTS)

    gone = register.add("Trevor", "Scolyer", register.born(youngest=40), archived=True)
    yield Visit("archived", "Trevor Scolyer", gone.birth_date, None, held=Reason.ARCHIVED_ONLY)

    yield Visit("unknown here", "Ingrid Halvorsen", register.born(), None, held=Reason.NO_MATCH)


# ---------------------------------------------------------------- everybody else


@dataclass(frozen=True, slots=True)
class _Community:
    """Names that go together; `share` is out of a hundred patients."""

    share: int
    given: tuple[str, ...]
    family: tuple[str, ...]


def _community(share: int, given: str, family: str) -> _Community:
    return _Community(share, tuple(given.split()), tuple(family.split()))


_COMMUNITIES = (
    _community(
        56,
        "Alice Amelia Andrew Angus Barbara Brian Carol Chloe Colin Craig Daniel Deborah Edward Emily Fiona Gemma Graham"
        " Grace Harriet Heather Helen Hugo Ian Isla Jack Jacqueline Jessica Judith Karen Kevin Lauren Lucy Malcolm"
        " Matilda Megan Nathan Neil Noah Oscar Pamela Philip Rachel Rosemary Samuel Sharon Simon Stephen Tess Wendy",
        "Archer Bailey Batchelor Beswick Blackwood Briggs Cooper Cripps Davies Dobson Evans Farrell Fletcher Gatehouse"
        " Goss Hodgman Hughes Jarvis Kemp Lambert Lowe Marsh Mason Medhurst Oates Palmer Pybus Radford Rowlands Shaw"
        " Spencer Tapping Taylor Thorp Turner Walker Watson Webster White Woolley Young Foster-Bell Carr-Hughes",
    ),
    _community(
        11,
        "Aoife Brendan Bridget Cormac Deirdre Eileen Eoin Fergus Kathleen Kieran Maeve Oisín Róisín Seán Sinéad",
        "O'Neill O'Reilly O'Donnell O'Keefe O'Hara D'Alton Byrne Doherty Gallagher Kavanagh McCarthy Murphy Ryan",
    ),
    _community(
        7,
        "Wei Jing Ling Hao Yan Mei Jun Xin Qiang Hui Lan Ying Tao Feng",
        "Zhang Wang Liu Huang Zhao Wu Zhou Xu Sun Zhu Lin Guo",
    ),
    _community(
        7,
        "Aarav Bikash Binod Deepa Gita Kiran Laxmi Manoj Nabin Prakash Rajesh Sabina Sarita Suman",
        "Adhikari Basnet Bhandari Karki Khadka Lama Magar Maharjan Poudel Rai Shrestha Tamang",
    ),
    _community(5, "Hoa Linh Minh Phuong Quang Thuy Trang Tuan Huyen Dung", "Nguyen Tran Pham Hoang Phan Vu Dang Bui"),
    _community(
        5,
        "Dimitra Eleni Ioannis Kostas Nikolaos Sophia Stavros Theo Vasiliki",
        "Angelopoulos Dimitriou Economou Georgiou Karagiannis Pappas Samaras Vlahos",
    ),
    _community(
        4,
        "Aisha Amina Hassan Ibrahim Khalid Mariam Nadia Rania Samir Yusuf Zainab",
        "Al-Masri El-Sayed Hamdan Mansour Nasser Rahman Saleh Khoury",
    ),
    _community(
        5,
        "André Chloë Françoise Jürgen Léa Małgorzata Noël Renée Søren Tomás",
        "Bergström Gómez Kowalski Lefèvre Müller Novák Østergård Peña Rossi Šimić",
    ),
)

_DESK_ADDRESS = "frontdesk@example.com"
"""Given to people who have none: on many charts, so it identifies nobody."""


def _fill(register: _Register, patients: int) -> None:
    """Add charts until there are `patients`, one household after the other."""
    rng = register.rng
    shares = [community.share for community in _COMMUNITIES]
    while len(register.patients) < patients:
        community = rng.choices(_COMMUNITIES, shares)[0]
        size = min(rng.choices((1, 2, 4), (80, 14, 6))[0], patients - len(register.patients))
        last_name = rng.choice(community.family)
        shared = _mailbox(rng, "family", last_name) if size > 1 else None
        for first_name in rng.sample(community.given, size):
            _add_member(register, first_name, last_name, shared)


def _add_member(register: _Register, first_name: str, last_name: str, shared: str | None) -> None:
    rng = register.rng
    own = rng.choices((_mailbox(rng, first_name, last_name), None, _DESK_ADDRESS), (70, 25, 5))[0]
    birth_date = register.born() if rng.random() > 0.03 else None
    register.add(first_name, last_name, birth_date, email=shared or own, archived=rng.random() < 0.08)


def _mailbox(rng: Random, first_name: str, last_name: str) -> str:
    words = f"{first_name}.{last_name}".casefold()
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    local = "".join(sign for sign in plain if sign.isalpha() or sign == ".")
    return f"{local}{rng.choice(('', '', '+physio'))}@example.{rng.choice(('com', 'net', 'org'))}"


def _is_plain(patient: PracticePatient) -> bool:
    return patient.birth_date is not None and not patient.archived and patient.merged_into is None
