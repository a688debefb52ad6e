"""A document cut at its headings: the parts that become a note's questions.

Owns what counts as a heading. Refuses to know Cliniko's templates or tags.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import dropwhile, zip_longest

from sync_worker.convert.structure import Block, Heading, Line, Paragraph, blocks_text, line_text, lines_text

BOLD_LINE_LEVEL = 7
"""Below every heading that is marked as one."""

LONGEST_BOLD_HEADING = 80
"""Characters of a bold line that may still be a heading and not a sentence that matters."""

_SENTENCE_ENDS = (".", "!", "?", ";", ",")


@dataclass(frozen=True, slots=True)
class Part:
    """What stands under one heading. `level` is the heading's, 1 to 7; 0 for what stands before the first one."""

    name: str
    level: int
    blocks: tuple[Block, ...]

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands under the heading."""
        return not blocks_text(self.blocks)


def parts_of(blocks: Iterable[Block], name: str) -> list[Part]:
    """The document cut at its headings, in its order; `name` is that of the part before the first heading.

    A heading without words opens nothing. A document that marks no heading, or none but its title, is cut at its
    bold-only lines too: that is how models and clinicians write headings without marking them.
    """
    said = list(blocks)
    if not any(isinstance(block, Heading) for block in said[1:]):
        said = list(_with_bold_headings(said))
    found: list[Part] = []
    title, level, inner = name, 0, list[Block]()
    for block in said:
        text = lines_text(block.lines) if isinstance(block, Heading) else ""
        if not isinstance(block, Heading) or not text:
            inner.append(block)
            continue
        if level or blocks_text(tuple(inner)):
            found.append(Part(title, level, tuple(inner)))
        title, level, inner = text, block.level, []
    found.append(Part(title, level, tuple(inner)))
    return found


# ---------------------------------------------------------------- bold lines


def _with_bold_headings(blocks: list[Block]) -> Iterator[Block]:
    """The blocks, with a bold line that begins a paragraph as a heading where something stands under it."""
    for block, following in zip_longest(blocks, blocks[1:]):
        if not isinstance(block, Paragraph) or not _is_bold_heading(block.lines[0]):
            yield block
            continue
        first, rest = block.lines[0], tuple(dropwhile(_is_blank, block.lines[1:]))
        if rest and not _is_bold_heading(rest[0]):
            yield from (Heading(BOLD_LINE_LEVEL, (first,)), Paragraph(rest))
        elif not rest and following is not None and not _begins_bold(following):
            yield Heading(BOLD_LINE_LEVEL, (first,))
        else:
            yield block


def _begins_bold(block: Block) -> bool:
    return isinstance(block, Paragraph) and _is_bold_heading(block.lines[0])


def _is_blank(line: Line) -> bool:
    return not line_text(line).strip()


def _is_bold_heading(line: Line) -> bool:
    """Whether a line is short, wholly bold, and no sentence."""
    text = line_text(line).strip()
    return (
        0 < len(text) <= LONGEST_BOLD_HEADING
        and not text.endswith(_SENTENCE_ENDS)
        and any(map(str.isalpha, text))
        and all(span.bold for span in line if span.text.strip())
    )
