"""The kinds of strings that must stay where they belong, and the few places where each one does belong.

Everything is made up. Each value is so odd that it can come from nowhere else. What is made while the program runs
(tokens, cookies, secrets of a second factor) is caught in the world and joins the kinds there.
"""

from dataclasses import dataclass

LEDGER = "ledger"
"""The ledger's files, dumps and backups."""
TOLD = "told"
"""What a command prints on stdout for the person who asked."""
ADDRESSES = "addresses"
"""The addresses of our own pages."""

FIRST, LAST, PREFERRED = "Quillabeth", "Zantberry", "Wrenniekins"
BORN = "1961-07-13"


@dataclass(frozen=True, slots=True)
class Kind:
    """One string. `belongs` are the places where it may be found."""

    name: str
    value: str
    belongs: frozenset[str] = frozenset()


def _kind(name: str, value: str, *belongs: str) -> Kind:
    return Kind(name, value, frozenset(belongs))


PATIENT = [
    _kind("given name", FIRST),
    _kind("family name", LAST),
    _kind("preferred name", PREFERRED),
    _kind("whole name", f"{FIRST} {LAST}"),
    _kind("name the other way round", f"{LAST}, {FIRST}"),
    _kind("name of another who was searched for", "Obadiahsson"),
    _kind("birth date as Cliniko writes it", BORN),
    _kind("birth date as Australians write it", "13/07/1961"),
    _kind("birth date with dots", "13.07.1961"),
    _kind("birth date in words", "13 July 1961"),
    _kind("birth date as Americans write it", "July 13, 1961"),
    _kind("birth date without signs", "19610713"),
    _kind("birth date of another who was searched for", "1962-08-14"),
    _kind("mobile number", "0491570156"),
    _kind("mobile number in groups", "0491 570 157"),
    _kind("international number", "+61491570158"),
    _kind("Medicare number", "2953 71234 1"),
    _kind("e-mail", "quilla.zant@marked.example"),
    _kind("address", "77 Nightjar Crescent, Lutana"),
    _kind("name of a relative", "Aunt Perpetuella"),
    _kind("text of the document", "CANARYTEXT limps since Tuesday"),
    _kind("heading of the document", "Canaryheading findings"),
    _kind("text of the consult note", "CONSULTCANARY sleeps badly"),
    _kind("name of the document", "Marked letter to Dr Fennimoor"),
    _kind("text of a note that somebody wrote by hand", "HANDCANARY bruised shin"),
    _kind("name of a Cliniko template", "Templatecanary form"),
]
SECRETS = [
    _kind("Heidi key", "heidi-canary-key-6c1f"),
    _kind("Cliniko key", "MS0xLWNhbmFyeWtleQ-au3"),
    _kind("password of the page", "quiet harbour lantern"),
    _kind("password that was typed wrongly", "wrong-canary-password"),
    _kind("password that was piped in", "ferry basalt ninepin omelette"),
    _kind("name that nobody has at a login", "canary-nobody"),
    _kind("password of the mail server", "smtp-canary-password"),
    _kind("secret of a webhook", "T0CANARY/B0CANARY/hookcanary"),
    _kind("secret of the heartbeat", "heartbeat-canary-5d2e"),
    _kind("password of the database", "db-canary-password"),
    _kind("clinician's e-mail", "ada.canary@practice.example"),
    _kind("contact's e-mail", "contact.canary@practice.example"),
]
FOREIGN = [
    _kind("body of an answer", "BODYCANARY-from-a-gateway"),
    _kind("header of an answer", "HEADERCANARY-from-a-gateway"),
    _kind("text of an exception", "EXCEPTIONCANARY"),
    _kind("path that a visitor typed", "pathcanary-of-a-visitor"),
    _kind("program of a visitor", "AGENTCANARY/1.0"),
    _kind("page that a visitor came from", "referercanary.example"),
]
MADE = {
    "patient's id": (LEDGER, TOLD, ADDRESSES),
    "Heidi's token": (),
    "cookie of a login": (),
    "token of a form": (LEDGER,),
    "secret of the second factor": (LEDGER,),
}
"""Kinds that are made while the program runs: name -> where they belong."""

FIXED = [*PATIENT, *SECRETS, *FOREIGN]
COUNT = len(FIXED) + len(MADE)


def value_of(name: str) -> str:
    """A fixed kind's string."""
    return next(kind.value for kind in FIXED if kind.name == name)


def made(name: str, value: str) -> Kind:
    """A kind that was caught while the program ran."""
    return Kind(name, value, frozenset(MADE[name]))


def whole_text() -> str:
    """A document that holds every string about the patient."""
    words = [kind.value for kind in PATIENT if "heading" not in kind.name and "by hand" not in kind.name]
    return f"# {value_of('heading of the document')}\n\n" + "\n\n".join(words)
