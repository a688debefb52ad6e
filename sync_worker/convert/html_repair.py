"""A cleaned HTML tree mended where markdownify would flatten, join or misplace what it holds.

Owns the repairs of lists, tables, marks around blocks and loose text. Refuses to add or drop a word, but for the
numbers of lists, and "(as above)" under a cell that is taller than its row.
"""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from bs4 import BeautifulSoup, Tag
from bs4.element import PageElement

from sync_worker.convert.markdown_source import LINE_END
from sync_worker.convert.words import BLOCK_TAGS, fold
from sync_worker.errors import ConversionError

MAX_CELLS = 20_000
"""Places in one table's grid; a few bytes of HTML can ask for millions."""

MAX_WIDTH = 100
"""Columns that one cell may span; browsers stop at 1000."""

_BLOCKS = sorted(BLOCK_TAGS)
_HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
_TABLE_PARTS = ["table", "tbody", "td", "tfoot", "th", "thead", "tr"]
_PLAIN_BLOCKS = sorted(BLOCK_TAGS.difference(_HEADINGS, _TABLE_PARTS, ["blockquote", "hr", "li", "ol", "p", "ul"]))


def mend(soup: BeautifulSoup) -> None:
    """Repair what markdownify would flatten, join or misplace; no word comes or goes but numbers and "(as above)"."""
    _sink_marks(soup)
    for listing in soup.find_all(["ul", "ol"]):
        _mend_list(soup, listing)
    for heading in soup.find_all(_HEADINGS):
        _flatten(heading)
    for table in reversed(soup.find_all("table")):  # the inner one of two comes later in the text
        _mend_table(soup, table)
    for block in soup.find_all(_PLAIN_BLOCKS):
        block.name = "div"
    for paragraph in soup.find_all("p"):
        paragraph.name = "div" if paragraph.find(_BLOCKS) else "p"
    for container in soup.find_all(["div", "blockquote", "li"]):
        _wrap_runs(soup, container)


def _sink_marks(soup: BeautifulSoup) -> None:
    """Move bold and its kin from around blocks to inside them, where Markdown can say them."""
    waiting = soup.find_all(["b", "strong", "i", "em", "u", "ins"])
    while waiting:
        mark = waiting.pop()
        if not mark.find(_BLOCKS):
            continue
        for child in list(mark.contents):
            if isinstance(child, Tag) and (_is_block(child) or child.find(_BLOCKS)):
                inner = soup.new_tag(mark.name)
                for grandchild in list(child.contents):
                    inner.append(grandchild.extract())
                if inner.contents:
                    child.append(inner)
                    waiting.append(inner)
            elif _says(child):
                child.wrap(soup.new_tag(mark.name))
        mark.unwrap()


def _mend_list(soup: BeautifulSoup, listing: Tag) -> None:
    """Give every child an item, and every numbered item its number."""
    items: list[Tag] = []
    strays: list[tuple[Tag, PageElement]] = []
    adopted = False
    for child in listing.contents:
        nested = isinstance(child, Tag) and child.name in ("ul", "ol")
        if isinstance(child, Tag) and child.name == "li":
            items.append(child)
            adopted = False
        elif _says(child):
            if not items or not (nested or adopted):
                items.append(soup.new_tag("li"))
                adopted = True
            strays.append((items[-1], child))
    _refill(listing, items)
    for item, stray in strays:
        item.append(stray)
    number = _whole(listing.get("start"), otherwise=1)
    for item in items:
        number = _whole(item.get("value"), otherwise=number)
        item.attrs = {"value": str(number)} if listing.name == "ol" else {}
        number += 1


def _whole(value: Any, *, otherwise: int) -> int:
    """A list's number, if it is one that Markdown can hold."""
    return int(value) if re.fullmatch(r"[0-9]{1,9}", str(value).strip()) else otherwise


def _flatten(holder: Tag) -> None:
    """Turn the blocks inside a cell or heading, which in Markdown hold one line, into lines of their own."""
    for block in holder.find_all(_BLOCKS):
        if block.name == "li":
            block.insert(0, f"{block['value']}. " if block.has_attr("value") else "• ")
        block.insert_before(LINE_END)
        block.insert_after(LINE_END)
        block.unwrap()


def _mend_table(soup: BeautifulSoup, table: Tag) -> None:
    """Rebuild a table as rows of plain cells, each under its own column."""
    for caption in table.find_all("caption"):
        table.insert_before(caption.extract())
    grid = [_cells(row) for row in table.find_all("tr")]
    for row in grid:
        for cell in row:
            _flatten(cell)
    if table.find_parent(["td", "th", *_HEADINGS]):
        _flatten_table(table, grid)
        return
    columns = _columns(soup, grid)
    table.clear()
    width = max((len(row) for row in columns), default=0)
    for number, cells in enumerate(columns):
        # Markdown drops what is wider than the first row.
        missing = width - len(cells) if number == 0 else 0
        name = cells[0].name if cells else "td"
        line = soup.new_tag("tr")
        line.extend([*cells, *(soup.new_tag(name) for _ in range(missing))])
        table.append(line)


def _cells(row: Tag) -> list[Tag]:
    return [cell for cell in row.find_all(["td", "th"], recursive=False) if isinstance(cell, Tag)]


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
    for cells in grid:
        for number, cell in enumerate(cells):
            if number:
                cell.insert_before(" · ")
            cell.unwrap()
    _flatten(table)


def _wrap_runs(soup: BeautifulSoup, container: Tag) -> None:
    """Give text that stands loose between blocks its own paragraph: markdownify joins it to its neighbour."""
    if not any(map(_is_block, container.children)):
        return
    children: list[PageElement] = []
    for is_block, run in groupby(list(container.contents), key=_is_block):
        nodes = list(run)
        if not is_block and any(map(_says, nodes)):
            paragraph = soup.new_tag("p")
            paragraph.extend(node.extract() for node in nodes)
            nodes = [paragraph]
        children.extend(nodes)
    _refill(container, children)


def _refill(tag: Tag, children: Iterable[PageElement]) -> None:
    """Give a tag other children all at once: one by one, each would be looked for among its siblings."""
    tag.clear()
    tag.extend(children)


def _says(node: PageElement) -> bool:
    """Whether a node is more than white space between others."""
    return isinstance(node, Tag) or bool(str(node).replace(LINE_END, "").strip())


def _is_block(node: PageElement) -> bool:
    return isinstance(node, Tag) and node.name in BLOCK_TAGS
