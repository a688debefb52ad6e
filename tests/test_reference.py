"""A note of this program is known by the end of its title, and by nothing that a clinician would write there."""

import pytest

from sync_worker.reference import reference_in, reference_of, references_in

REFERENCE = reference_of(region="au", session_id="1", document_id="2")


def test_the_reference_is_read_from_the_end_of_a_title() -> None:
    assert reference_in(f"Assessment · 3 Feb 2026 · ref {REFERENCE}") == REFERENCE
    assert reference_in(f"Assessment · 3 Feb 2026 · ref {REFERENCE} ") == REFERENCE


@pytest.mark.parametrize(
    "title",
    [
        "",
        "Letter ref Dr Smith",
        "Letter ref ANDERSEN",
        f"Assessment · ref {REFERENCE}, my copy",
        f"Assessment · ref {REFERENCE[:-1]}",
        f"Assessment · ref {REFERENCE[:-1]}U",
        f"Assessment · pref {REFERENCE}",
    ],
)
def test_words_of_one_s_own_are_no_reference(title: str) -> None:
    assert reference_in(title) is None


def test_every_reference_in_a_text_is_found_whoever_wrote_it() -> None:
    told = f"Heidi document, session of 3 Feb 2026 09:00, ref {REFERENCE}. Referral, ref 12345678"
    assert references_in(told) == {REFERENCE, "12345678"}
    assert references_in(f"pref {REFERENCE}, ref {REFERENCE}X, ref {REFERENCE[:-1]}U, ref Dr Smith") == set()
