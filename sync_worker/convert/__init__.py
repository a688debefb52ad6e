"""A Heidi document becomes a note's title and content. Pure: the same document gives the same note for ever.

    document -> markdown_source | html_source -> structure -> parts -> (layout) -> cliniko_html -> note

`words` tells what a reader sees, before and after, so that nothing is lost on the way. Raises `ConversionError` for a
document that cannot be carried whole; refuses to cut.
"""

from sync_worker.convert.note import (
    document_text,
    document_texts,
    has_words,
    note_title,
    reads_as_html,
    render_note_content,
    source_line,
)
from sync_worker.convert.words import answers_of, canonical_text, holds, stored_questions

__all__ = [
    "answers_of",
    "canonical_text",
    "document_text",
    "document_texts",
    "has_words",
    "holds",
    "note_title",
    "reads_as_html",
    "render_note_content",
    "source_line",
    "stored_questions",
]
