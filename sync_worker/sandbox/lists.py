"""How Cliniko lists anything: filter, order, one page, and links to the pages beside it.

Owns `q[]`, `sort`, `order`, `page` and `per_page`, and the envelope. Knows nothing of what is listed. From Cliniko's
reference, "Pagination", "Ordering" and "Filtering results".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from sync_worker.sandbox.filters import BadFilter, Collation, Columns, Kind, row_filter
from sync_worker.sandbox.wire import Reply, Request, json_reply

DEFAULT_PER_PAGE = 50
MAX_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed and how: the plural name, the columns, and the JSON of one record."""

    plural: str
    columns: Columns
    as_json: Callable[[Any], dict[str, Any]]
    collation: Collation = field(default_factory=Collation)
    clamps_per_page: bool = True
    """Whether `per_page` beyond 100 is cut to 100, or else refused; undocumented."""


def list_reply(request: Request, url: str, listing: Listing, rows: Iterable[Any]) -> Reply:
    """One page of `rows`, or the 400 of a wrong filter. `url` is the list's own address without a query."""
    try:
        queries = [value for name, value in request.query if name in ("q[]", "q")]
        lets_through = row_filter(queries, listing.columns, listing.collation)
        found = _sorted(request, listing.columns, [row for row in rows if lets_through(row)])
        page, per_page = _paging(request, listing)
    except BadFilter as refused:
        return json_reply(400, {"message": str(refused)})
    start = (page - 1) * per_page
    items = [listing.as_json(row) for row in found[start : start + per_page]]
    links = _links(request, url, page, last=-(-len(found) // per_page))
    return json_reply(200, {listing.plural: items, "total_entries": len(found), "links": links})


def _paging(request: Request, listing: Listing) -> tuple[int, int]:
    page, per_page = _whole(request.param("page"), 1), _whole(request.param("per_page"), DEFAULT_PER_PAGE)
    if per_page > MAX_PER_PAGE and not listing.clamps_per_page:
        raise BadFilter("per_page must be 100 or fewer")
    return max(page, 1), min(max(per_page, 1), MAX_PER_PAGE)


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() else default


def _sorted(request: Request, columns: Columns, rows: list[Any]) -> list[Any]:
    direction = request.param("order") or "asc"
    wanted = (request.param("sort") or "created_at").split(",")
    # Sorting is stable: the last column first, so that the first one decides.
    for each in reversed(wanted):
        name, _, own = each.strip().partition(":")
        if name not in columns or (own or direction) not in ("asc", "desc"):
            raise BadFilter(f"{name} is not sortable")
        rows.sort(key=_sort_key(columns, name), reverse=(own or direction) == "desc")
    return rows


def _sort_key(columns: Columns, name: str) -> Callable[[Any], tuple[bool, Any]]:
    column = columns[name]

    def key(row: Any) -> tuple[bool, Any]:
        value = column.read(row)
        if column.kind is Kind.NUMBER and value is not None:
            value = int(value)  # ids are strings, and not all of one length
        return (value is not None, 0 if value is None else value)

    return key


def _links(request: Request, url: str, page: int, last: int) -> dict[str, str]:
    def address(number: int) -> str:
        kept = [(name, value) for name, value in request.query if name != "page"]
        return f"{url}?{urlencode([*kept, ('page', str(number))])}"

    links = {"self": address(page)}
    if page < last:
        links["next"] = address(page + 1)
    if page > 1:
        links["previous"] = address(page - 1)
    return links


def stamp(moment: datetime | None) -> str | None:
    """Cliniko's time stamps: UTC, whole seconds, `Z`."""
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def link(base: str, *path: str) -> dict[str, Any]:
    """A link object, which stands where others would put an id."""
    return {"links": {"self": "/".join((base, *path))}}
