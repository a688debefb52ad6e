"""A small clinic with its page open: people log in, look at what they may see, press buttons, and the worker ticks.

The page listens on a real loopback socket, and people are told apart by real cookies. A person's forms are read from
the pages that they were given, as a browser would.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx
from argon2 import PasswordHasher

from sync_worker.ledger.accounts import Accounts
from sync_worker.ledger.pages import Pages, Waiting
from sync_worker.records import Account, Role
from sync_worker.settings import load_settings
from sync_worker.web.server import PageServer
from tests.conftest import Clinic

PASSWORD = "quiet harbour lantern"
_HASHED = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""A quick hash: the real one is slow on purpose, and a hash says itself how it is to be checked."""
_TLS = ssl.create_default_context()
"""Asked for by every client, though the page speaks without it; to load the system's roots takes long."""


@dataclass
class Form:
    """A form as a page offers it: where it goes, what it carries, what its button says."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    label: str = ""


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._in_button = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(Form(values.get("action", ""), values.get("method", "get").upper()))
        elif tag == "input" and self.found and "name" in values:
            self.found[-1].fields[values["name"]] = values.get("value", "")
        self._in_button = tag == "button"

    def handle_data(self, data: str) -> None:
        if self._in_button and self.found:
            self.found[-1].label += data.strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "button":
            self._in_button = False


def forms_of(page: httpx.Response) -> list[Form]:
    """The forms of a page."""
    reader = _Forms()
    reader.feed(page.text)
    return reader.found


class Person:
    """Somebody at a browser. Every request says where it comes from, as browsers do."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, trust_env=False, verify=_TLS, timeout=30)
        self.page = httpx.Response(200)

    def get(self, path: str) -> httpx.Response:
        """Open a page, following where it leads."""
        self.page = self.client.get(path, follow_redirects=True)
        return self.page

    def send(self, path: str, **fields: str) -> httpx.Response:
        """Send a form of one's own making from a page of this program, and follow where it leads."""
        headers = {"Origin": str(self.client.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        self.page = self.client.post(path, data=fields, headers=headers, follow_redirects=True)
        return self.page

    def press(self, label: str, **typed: str) -> httpx.Response:
        """Press the button of this label on the page that is open, having typed this."""
        form = next(one for one in forms_of(self.page) if one.label.startswith(label))
        if form.method == "GET":
            return self.get(f"{form.action}?{httpx.QueryParams(form.fields | typed)}")
        return self.send(form.action, **form.fields | typed)

    @property
    def buttons(self) -> list[str]:
        """What can be pressed on the page that is open."""
        return [one.label for one in forms_of(self.page) if one.label]

    @property
    def csrf(self) -> str:
        """The token of this login, from the page that is open."""
        return next(one.fields["csrf"] for one in forms_of(self.page) if "csrf" in one.fields)

    def log_in(self, name: str, password: str = PASSWORD, path: str = "/") -> httpx.Response:
        """Open a page without a login, and log in where that leads."""
        self.get(path)
        return self.press("Log in", name=name, password=password)


@dataclass
class House:
    """The clinic and its page."""

    clinic: Clinic
    url: str
    people: list[Person] = field(default_factory=list)

    @property
    def pages(self) -> Pages:
        return Pages(self.clinic.ledger.engine)

    def an_account(self, name: str, role: Role, *, of: str | None = None, second_factor: bool = False) -> Account:
        """An account; `of` is the clinician whose sessions are its own."""
        accounts, now = Accounts(self.clinic.ledger.engine), self.clinic.clock.now()
        return accounts.add(name, role, _HASHED, heidi_user_id=of, wants_second_factor=second_factor, now=now)

    def somebody(self) -> Person:
        """A person who is not logged in."""
        self.people.append(Person(self.url))
        return self.people[-1]

    def person(self, role: Role, name: str | None = None) -> Person:
        """A new account of a role, logged in. The clinician's is that of the clinic's one clinician."""
        name = name or {Role.DESK: "reception", Role.CLINICIAN: "ada", Role.ADMIN: "owner"}[role]
        self.an_account(name, role, of="physio-1" if role is Role.CLINICIAN else None)
        person = self.somebody()
        person.log_in(name)
        return person

    def waiting(self) -> list[int]:
        """The numbers of the entries that wait for a person, longest first."""
        return [row.entry_id for row in self.pages.waiting(Waiting())[0]]

    def a_question(self) -> int:
        """Two charts of one name and birth date, a session about one of them, and the entry that waits for it."""
        self.clinic.a_patient()
        self.clinic.a_patient()
        self.clinic.a_document(self.clinic.a_session())
        self.clinic.tick()
        return self.waiting()[-1]


@contextmanager
def open_house(clinic: Clinic, **extra: str) -> Iterator[House]:
    """The page of a clinic, as long as the block lasts."""
    clinic.restart(SYNC_WEB_BIND="127.0.0.1:0", **extra)
    settings = load_settings(clinic.environment(), env_file=None)
    with PageServer(settings, clinic.worker, clinic.clock) as server:
        assert server.wait_until_ready(30)
        house = House(clinic, f"http://127.0.0.1:{server.port}")
        clinic.tick()  # the clinician is known to the ledger from here on
        yield house
        for person in house.people:
            person.client.close()
