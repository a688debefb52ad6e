"""How pages become HTML: Jinja2 with everything escaped, and the few words and times that all pages share."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import nh3
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sync_worker.convert import reads_as_html
from sync_worker.records import Role
from sync_worker.web import words

if TYPE_CHECKING:
    from sync_worker.web.visit import Visit

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
SHOWN = {
    "p",
    "div",
    "br",
    "ul",
    "ol",
    "li",
    "blockquote",
    "b",
    "strong",
    "i",
    "em",
    "u",
    "a",
    "table",
    "tr",
    "th",
    "td",
}
"""Tags that a note or document keeps on our page. None of them carries a style, a picture or a script."""


@cache
def environment() -> Environment:
    """The templates. A name that a template uses and nobody gave is an error, not an empty place."""
    made = Environment(
        loader=PackageLoader("sync_worker.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        TITLES=words.TITLES,
        STATUSES=words.STATUSES,
        WAITS_ON=words.WAITS_ON,
        inside=words.inside,
        born=words.born,
        full_name=words.full_name,
        named=words.named,
        hinted=words.hinted,
        shown_html=shown_html,
        reads_as_html=reads_as_html,
    )
    return made


def render(visit: "Visit", template: str, **values: Any) -> str:
    """A template as HTML, with what every page shows: who is logged in, and where everything is."""
    office, login = visit.office, visit.login
    zone, now = office.zone(), office.clock.now()
    shared: Mapping[str, Any] = {
        "login": login,
        "account": login.account if login is not None and login.second_factor_passed else None,
        "csrf": login.csrf_token if login is not None else "",
        "path": visit.request.url.path,
        "practice": office.practice,
        "now": now,
        "when": lambda at: words.when(at, zone),
        "ago": lambda at: words.ago(at, now),
        "lasting": lambda at: words.lasting(at, now),
        "name_of": office.name_of,
        "is_done": "done" in visit.request.query_params,
        "is_desk": login is not None and login.account.role is Role.DESK,
    }
    return environment().get_template(template).render({**shared, **values})


def shown_html(html: str | None) -> Markup:
    """HTML from elsewhere as our page may show it: a few tags, whatever it holds.

    A heading becomes a bold line: its rank within a note says nothing on our page.
    """
    clean = nh3.clean(
        html or "", tags=SHOWN | {*HEADINGS}, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto"}
    )
    for heading in HEADINGS:
        clean = clean.replace(f"<{heading}>", '<p class="said-heading">').replace(f"</{heading}>", "</p>")
    return Markup(clean)  # noqa: S704 - cleaned right above
