"""A cleaned HTML tree mended where markdownify would flatten, join or misplace what it holds.

Owns the repairs of lists, tables, marks around blocks and loose text. Refuses to add or drop a word, but for the
numbers of lists, and "(as above)" under a cell that is taller than its row.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from typing import Any, TypeVar

from bs4 import BeautifulSoup, Tag
from bs4.element import PageElement

from sync_worker.convert.markdown_source import LABEL, LINE_END
from sync_worker.convert.words import BLOCK_TAGS, fold
from sync_worker.errors import ConversionError

MAX_CELLS = 20_000
"""Places in one table's grid; a few bytes of HTML can ask for millions."""

MAX_WIDTH = 100
"""Columns that one cell may span; browsers stop at 1000."""

MAX_LETTERED = 999
"""The longest list that may count with letters; Roman numerals end with four digits."""

_ROMAN = (
    (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"),
    (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_MARKS = frozenset(["b", "strong", "i", "em", "u", "ins"])
_LISTS = frozenset(["ul", "ol"])
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_TABLE_PARTS = frozenset(["table", "tbody", "td", "tfoot", "th", "thead", "tr"])
_CELLS = frozenset(["td", "th"])
_PLAIN_BLOCKS = BLOCK_TAGS - _HEADINGS - _TABLE_PARTS - {"blockquote", "hr", "li", "ol", "p", "ul"}


Node = TypeVar("Node", bound=PageElement)


def mend(soup: BeautifulSoup) -> None:
    """Repair what markdownify would flatten, join or misplace; no word comes or goes but numbers and "(as above)"."""
    _sink_marks(soup)
    for listing in tags_within(soup, _LISTS):
        _mend_list(soup, listing)
    for heading in tags_within(soup, _HEADINGS):
        _flatten(heading)
    for table in reversed(tags_within(soup, {"table"})):  # the inner one of two comes later in the text
        _mend_table(soup, table)
    for block in tags_within(soup, _PLAIN_BLOCKS):
        block.name = "div"
    for paragraph in tags_within(soup, {"p"}):
        paragraph.name = "div" if has_block(paragraph) else "p"
    for item in tags_within(soup, {"li"}):
        if label := item.get("label"):
            item.insert(0, f"{LABEL}{label}{LABEL}")
    for container in tags_within(soup, {"div", "blockquote", "li"}):
        _wrap_runs(soup, container)


# ---------------------------------------------------------------- walking and changing a tree


def tags_within(tag: Tag, names: Collection[str]) -> list[Tag]:
    """The tags of these names below a tag, in reading order; `find_all` compares each tag with each name."""
    return [node for node in tag.descendants if isinstance(node, Tag) and node.name in names]


def has_block(tag: Tag) -> bool:
    """Whether any tag that ends a line stands below this one."""
    return any(isinstance(node, Tag) and (node.name in BLOCK_TAGS or has_block(node)) for node in tag.contents)


def exchange(nodes: Iterable[Node], successors: Callable[[Node], Sequence[PageElement | str]]) -> None:
    """Put into each node's place what `successors` gives for it, asked for the inner one of two nodes first.

    `nodes` come in reading order. bs4's own ways to replace a node look for it among its siblings, one by one.
    """
    parents: dict[int, Tag] = {}
    leaving: dict[int, Node] = {}
    for node in nodes:
        if node.parent is not None:
            parents[id(node.parent)] = node.parent
            leaving[id(node)] = node
    for parent in reversed(parents.values()):
        children: list[PageElement | str] = []
        for child in list(parent.contents):
            children.extend(successors(leaving[id(child)]) if id(child) in leaving else [child])
        refill(parent, children)


def refill(tag: Tag, children: Iterable[PageElement | str]) -> None:
    """Give a tag other children all at once."""
    taken(tag)
    tag.extend(children)


def taken(tag: Tag) -> list[PageElement]:
    """A tag's children, taken out of it: the last first, which moves no other in bs4's list of them."""
    children = list(tag.contents)
    for place in reversed(range(len(children))):
        children[place].extract(_self_index=place)
    return children


# ---------------------------------------------------------------- marks and lists


def _sink_marks(soup: BeautifulSoup) -> None:
    """Move bold and its kin from around blocks to inside them, where Markdown can say them."""
    while marks := [mark for mark in tags_within(soup, _MARKS) if has_block(mark)]:
        exchange(marks, lambda mark: [_sunk(soup, mark.name, child) for child in taken(mark)])


def _sunk(soup: BeautifulSoup, mark: str, node: PageElement) -> PageElement:
    """A node with a mark around it, or inside where it is or holds a block."""
    around = soup.new_tag(mark)
    if isinstance(node, Tag) and (_is_block(node) or has_block(node)):
        around.extend(taken(node))
        if around.contents:
            node.append(around)
        return node
    if not _says(node):
        return node
    around.append(node)
    return around


def _mend_list(soup: BeautifulSoup, listing: Tag) -> None:
    """Give every child an item, and every numbered item its number."""
    items: list[Tag] = []
    strays: list[tuple[Tag, PageElement]] = []
    adopted = False
    for child in listing.contents:
        nested = isinstance(child, Tag) and child.name in _LISTS
        if isinstance(child, Tag) and child.name == "li":
            items.append(child)
            adopted = False
        elif _says(child):
            if not items or not (nested or adopted):
                items.append(soup.new_tag("li"))
                adopted = True
            strays.append((items[-1], child))
    refill(listing, items)
    for item, stray in strays:
        item.append(stray)
    if listing.name == "ol":
        _count(items, kind=str(listing.get("type") or ""), first=_whole(listing.get("start"), otherwise=1))
    else:
        for item in items:
            item.attrs = {}


def _count(items: list[Tag], *, kind: str, first: int) -> None:
    """Give numbered items their numbers, and those that count with letters those."""
    number = first
    for item in items:
        number = _whole(item.get("value"), otherwise=number)
        item.attrs = {"value": str(number)}
        if label := _letters(number, kind):
            item.attrs["label"] = label
        number += 1


def _letters(number: int, kind: str) -> str:
    """The number as a list of this type shows it ("a", "A", "i", "I"); empty where as digits."""
    counted = ""
    if kind in ("a", "A") and number <= MAX_LETTERED:
        while number:
            number, letter = divmod(number - 1, 26)
            counted = chr(ord("a") + letter) + counted
    if kind in ("i", "I") and number <= MAX_LETTERED:
        for value, sign in _ROMAN:
            counted, number = counted + sign * (number // value), number % value
    return counted.upper() if kind.isupper() else counted


def _whole(value: Any, *, otherwise: int) -> int:
    """A list's number, if it is one that Markdown can hold."""
    return int(value) if re.fullmatch(r"[0-9]{1,9}", str(value).strip()) else otherwise


# ---------------------------------------------------------------- headings and tables


def _flatten(holder: Tag) -> None:
    """Turn the blocks inside a cell or heading, which in Markdown hold one line, into lines of their own."""
    exchange(tags_within(holder, BLOCK_TAGS), lambda block: [LINE_END, *_labelled(block), LINE_END])


def _labelled(block: Tag) -> list[PageElement | str]:
    """A block's children, those of an item after its number or bullet."""
    if block.name != "li":
        return [*taken(block)]
    counted = block.get("label") or block.get("value")
    return [f"{counted}. " if counted else "• ", *taken(block)]


def _mend_table(soup: BeautifulSoup, table: Tag) -> None:
    """Rebuild a table as rows of plain cells, each under its own column."""
    for caption in tags_within(table, {"caption"}):
        table.insert_before(caption.extract())
    rows = tags_within(table, {"tr"})
    grid = [_cells(row) for row in rows]
    for row in grid:
        for cell in row:
            _flatten(cell)
    if any(parent.name in _CELLS or parent.name in _HEADINGS for parent in table.parents):
        _flatten_table(table, grid)
        return
    columns = _columns(soup, grid)
    for holder in [*rows, table]:
        taken(holder)
    width = max((len(row) for row in columns), default=0)
    for number, cells in enumerate(columns):
        # Markdown drops what is wider than the first row.
        missing = width - len(cells) if number == 0 else 0
        name = cells[0].name if cells else "td"
        line = soup.new_tag("tr")
        line.extend([*cells, *(soup.new_tag(name) for _ in range(missing))])
        table.append(line)


def _cells(row: Tag) -> list[Tag]:
    return [cell for cell in row.contents if isinstance(cell, Tag) and cell.name in _CELLS]


def _columns(soup: BeautifulSoup, grid: list[list[Tag]]) -> list[list[Tag]]:
    """The rows with every cell in its place, where some cells are wider or taller than one.

    The places that such a cell covers stay blank to its right and say "(as above)" below it, so that no value ends
    under another column's name. Raises ConversionError("too_large") past MAX_CELLS places.
    """
    rows: list[list[Tag]] = []
    covered: dict[int, tuple[int, str]] = {}
    placed = 0
    for cells in grid:
        row: list[Tag] = []
        for cell in cells:
            _fill_covered(soup, row, covered)
            height = min(_whole(cell.get("rowspan"), otherwise=1) or 1, len(grid))
            for offset in range(min(_whole(cell.get("colspan"), otherwise=1) or 1, MAX_WIDTH)):
                words = "(as above)" if offset == 0 and fold(cell.get_text()) else ""
                covered[len(row)] = (height - 1, words)
                row.append(cell if offset == 0 else soup.new_tag(cell.name))
            cell.attrs.clear()
        _fill_covered(soup, row, covered)
        rows.append(row)
        placed += len(row)
        if placed > MAX_CELLS:
            raise ConversionError("too_large")
    return rows


def _fill_covered(soup: BeautifulSoup, row: list[Tag], covered: dict[int, tuple[int, str]]) -> None:
    while covered.get(len(row), (0, ""))[0]:
        left, words = covered[len(row)]
        covered[len(row)] = (left - 1, words)
        row.append(soup.new_tag("td", string=words))


def _flatten_table(table: Tag, grid: list[list[Tag]]) -> None:
    """Turn a table within a table's cell into lines of that cell."""
    for first, *others in filter(None, grid):
        exchange([first], taken)
        exchange(others, lambda cell: [" · ", *taken(cell)])
    _flatten(table)


# ---------------------------------------------------------------- loose text


def _wrap_runs(soup: BeautifulSoup, container: Tag) -> None:
    """Give text that stands loose between blocks its own paragraph: markdownify joins it to its neighbour."""
    kinds = [(is_block, list(run)) for is_block, run in groupby(container.contents, key=_is_block)]
    loose = [not is_block and any(map(_says, run)) for is_block, run in kinds]
    if not any(loose) or len(kinds) == 1:
        return
    taken(container)
    for (_, run), is_loose in zip(kinds, loose, strict=True):
        holder = soup.new_tag("p") if is_loose else container
        holder.extend(run)
        if is_loose:
            container.append(holder)


def _says(node: PageElement) -> bool:
    """Whether a node is more than white space between others."""
    return isinstance(node, Tag) or bool(str(node).replace(LINE_END, "").strip())


def _is_block(node: PageElement) -> bool:
    return isinstance(node, Tag) and node.name in BLOCK_TAGS
