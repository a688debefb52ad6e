"""What the pages say: each status, reason, field and event in words for reception and clinicians. Pure text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from sync_worker.ledger.trail import Event
from sync_worker.model import Candidate, Hint, Patient
from sync_worker.records import Reason, Status, WaitsOn, Wish

TITLES: Mapping[Reason, str] = {
    Reason.NO_MATCH: "No chart fits",
    Reason.NOT_IDENTIFIABLE: "The session does not say who it is",
    Reason.SEVERAL_CHARTS: "Several charts fit",
    Reason.ARCHIVED_ONLY: "Only an archived chart fits",
    Reason.LINK_CONTRADICTED: "Heidi's link leads to somebody else",
    Reason.BIRTH_DATES_DIFFER: "Heidi has two birth dates",
    Reason.THIRD_IDENTIFIER: "A third identifier is wanted",
    Reason.PRIVACY_DECLINED: "The patient declined the privacy policy",
    Reason.CONSENT_REFUSED: "Consent was refused in Heidi",
    Reason.SHARED_SESSION: "Two clinicians share the session",
    Reason.GROUP_SESSION: "It may be a group's session",
    Reason.DIARY_DISAGREES: "The diary holds somebody else",
    Reason.PATIENT_UNAVAILABLE: "The chosen chart cannot be used",
    Reason.PATIENT_CHANGED: "The session names another patient now",
    Reason.NOT_CARRIED: "The document does not fit into a note",
    Reason.REGENERATED: "Nearly the same as another document",
    Reason.ALREADY_THERE: "The same text is on the chart already",
    Reason.REVISED: "Changed after it was filed",
    Reason.TOUCHED: "Not taken back: the note was changed",
    Reason.CONTENT_CHANGED: "Cliniko stored something else",
    Reason.SOURCE_GONE: "The session is gone from Heidi",
    Reason.LATE_START: "Older than this service",
    Reason.ROUTE: "The practice wants to look at these",
    Reason.REFUSED: "Cliniko refused the note",
    Reason.TWICE_IN_DOUBT: "Nobody knows whether the note was made",
    Reason.TWO_NOTES: "Cliniko holds two notes of it",
    Reason.DOUBT_KEY_GONE: "The key was refused in between",
    Reason.FAILING: "Filing failed several times",
    Reason.BEFORE_START: "Older than this service",
    Reason.GONE: "Gone from Heidi before it was filed",
    Reason.DISMISSED: "Not to be filed, a person decided",
}
STATUSES: Mapping[Status, str] = {
    Status.PENDING: "Waits for its turn",
    Status.POSTING: "Is being sent",
    Status.POSTED: "Filed",
    Status.IN_DOUBT: "Being looked for in Cliniko",
    Status.REVIEW: "Waits for a person",
    Status.SKIPPED: "Not filed",
    Status.WITHDRAWN: "Taken back",
}
WAITS_ON: Mapping[WaitsOn, str] = {
    WaitsOn.DESK: "the front desk",
    WaitsOn.CLINICIAN: "the clinician",
    WaitsOn.ADMIN: "an admin",
}
DECISIONS: Mapping[str, str] = {
    "assign": "chose the patient",
    "dismiss": "decided that it is not filed",
    "retry": "had it tried again",
    "resolve": "said that the note is there",
    "resolve_not_there": "said that the note is not there",
    "ask_clinician": "asked the clinician",
    "take_back": "took the question back",
    "file_after_all": "wants it filed after all",
    "file_now": "had it filed at once",
    "update_draft": "had the draft updated",
    "wrong_patient": "reported the wrong patient",
}
EVENTS: Mapping[str, str] = {
    Event.ENTERED: "found the document",
    Event.MOVED: "moved it",
    Event.CLAIMED: "was about to send the note",
    Event.ADOPTED: "found its note in Cliniko",
    Event.LOOKED: "looked for the note and did not find it",
    Event.WISHED: "is to change the note",
    Event.AMENDING: "was about to change the note",
    Event.AMENDED: "changed the note",
    Event.DECIDED: "decided",
    Event.PAUSED: "paused posting",
    Event.RESUMED: "resumed posting",
    Event.BACKFILL: "brought older sessions into scope",
    Event.RESTORED: "put the ledger back from a copy",
    Event.VIEWED: "looked at a patient's page",
    Event.RESIDENCY_OVERRIDDEN: "let clinical data leave Australia",
    Event.RESIDENCY_RESTORED: "keeps clinical data in Australia again",
}
WISHES: Mapping[str | None, str] = {
    Wish.RECHECK: "is to look at its patient again",
    None: "has nothing more to do to the note",
}
"""Wishes that are not to change the note."""
LOOKS: Mapping[str, str] = {
    "list": "looked at the names on the review list",
    "found": "saw the charts of their own search",
}
"""Looks at more than one patient, by what the trail holds of them."""


TROUBLES: Mapping[str, str] = {
    "not_linked": "is not linked",
    "key_refused": "refuses the key",
    "not_permitted": "does not permit it",
    "not_a_practitioner": "knows no practitioner of this key",
    "another_key": "says that the key is somebody else's",
    "unavailable": "does not answer",
    "not_connected": "cannot be reached",
    "address_refused": "is said to stand at an address that is not public",
    "rate_limited": "wants fewer requests",
    "rejected": "refuses the request",
    "invalid_response": "answers what nobody understands",
}
"""What a service does, by the last part of a trouble's code."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a chart beside the session's: `mark` is "agrees", "differs" or "unknown"."""

    name: str
    theirs: str
    """What the chart says, in words."""
    mark: str
    said: str
    """How it compares, in words: colour alone tells nobody."""


_AGREEING: Mapping[str, tuple[str, str]] = {
    "name_exact": ("Name", "the same"),
    "name_nickname": ("Name", "a short form of it, or in brackets"),
    "family_name_slip": ("Name", "the same but for a slip in the family name"),
    "given_name_slip": ("Name", "the same but for a doubled letter in the given name"),
    "given_name": ("Name", "the same given name"),
    "given_name_near": ("Name", "nearly the same given name"),
    "birth_date": ("Born", "the same"),
    "email": ("E-mail", "the same"),
    "linked_id": ("Linked in Heidi", "to this chart"),
    "appointment": ("Appointment", "with this clinician at that time"),
}
_OPPOSING: Mapping[str, tuple[str, str]] = {
    "given_name": ("Name", "another given name"),
    "family_name": ("Name", "another family name"),
    "birth_date": ("Born", "another day"),
    "birth_date_near": ("Born", "another day, perhaps mistyped"),
    "linked_id": ("Linked in Heidi", "to another chart"),
    "archived": ("Chart", "archived"),
    "merged": ("Chart", "merged into another one"),
    "privacy": ("Privacy policy", "declined"),
}
_ALWAYS = ("Name", "Born")
_ORDER = ("Name", "Born", "E-mail", "Linked in Heidi", "Appointment", "Chart", "Privacy policy")


def fields(candidate: Candidate, patient: Patient) -> Sequence[Field]:
    """A chart field by field: what it says, and how that compares with the session."""
    against = _told(candidate.against, _OPPOSING)
    agrees = _told(candidate.agrees, _AGREEING)
    found = []
    for name in _ORDER:
        theirs = {"Name": full_name(patient), "Born": born(patient.birth_date)}.get(name, "")
        if name in against:
            said = "; ".join([*against[name], *(f"but {one}" for one in agrees.get(name, []))])
            found.append(Field(name, theirs, "differs", said))
        elif name in agrees:
            found.append(Field(name, theirs, "agrees", "; ".join(agrees[name])))
        elif name in _ALWAYS:
            found.append(Field(name, theirs, "unknown", "not compared: unknown, or not one person's"))
    return found


def _told(evidence: Sequence[str], words: Mapping[str, tuple[str, str]]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for one in evidence:
        name, said = words.get(one, ("Chart", one.replace("_", " ")))
        told.setdefault(name, []).append(said)
    return told


def full_name(patient: Patient) -> str:
    """A chart's name as reception knows it."""
    preferred = f" ({patient.preferred_first_name})" if patient.preferred_first_name else ""
    return f"{patient.first_name}{preferred} {patient.last_name}".strip() or "without a name"


def inside(title: str) -> str:
    """A title as it stands inside a sentence: its names keep their capital."""
    return title if title.startswith(("Heidi", "Cliniko")) else title[:1].lower() + title[1:]


def born(day: date | None) -> str:
    """A birth date in words."""
    return f"{day.day} {day:%B %Y}" if day is not None else "no birth date"


def named(patient: Patient) -> str:
    """A chart's name and birth date."""
    return f"{full_name(patient)}, {'born ' if patient.birth_date else ''}{born(patient.birth_date)}"


def hinted(hint: Hint) -> str:
    """Whom Heidi's session names."""
    return f"{hint.name.strip() or 'nobody'}, {'born ' if hint.birth_date else ''}{born(hint.birth_date)}"


def trouble(code: str) -> str:
    """Why a clinician's work stopped, by the code that the ledger keeps: "cliniko_key_refused"."""
    service, _, what = code.partition("_")
    return f"{service.capitalize()} {TROUBLES[what]}" if what in TROUBLES else code.replace("_", " ")


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago something was, as people say it."""
    if at is None:
        return "never"
    span = _span(now - at)
    return f"{span} ago" if span else "just now"


def lasting(at: datetime, now: datetime) -> str:
    """How long something has lasted."""
    span = _span(now - at)
    return f"for {span}" if span else "for less than a minute"


def _span(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'s' if count > 1 else ''}"
    return ""


def when(at: datetime | None, zone: tzinfo) -> str:
    """A moment in the practice's time."""
    if at is None:
        return "at an unknown time"
    local = at.astimezone(zone)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def midnights(now: datetime, zone: tzinfo, days: int) -> list[datetime]:
    """The beginnings of so many local days up to today, and of tomorrow."""
    today = now.astimezone(zone).date()
    return [
        datetime.combine(today - timedelta(days=back), datetime.min.time(), zone) for back in range(days - 1, -2, -1)
    ]
