"""The pictures of docs/notes.md, as far as they can be looked at without drawing them."""

from pathlib import Path

import pytest

from tests import pictures
from tests.golden import cases


def drawn(stem: str) -> str:
    return pictures.page(next(case for case in cases() if case.path.stem == stem))


def test_a_picture_shows_the_document_as_it_came_beside_every_question_of_its_note() -> None:
    page = drawn("whole-progress-report")
    document, note = page.split("The note, in Cliniko")
    assert "## Objective\n- Effusion: mild\n" in document
    assert "ROM &lt;90 flexion &amp; full extension" in document
    assert '<h3>Objective</h3><div class="said"><ul><li>Effusion: mild' in note
    assert '<h3>Red flags</h3><div class="empty">no answer</div>' in note


def test_a_document_in_html_is_shown_as_its_reader_sees_it() -> None:
    document = drawn("whole-gp-letter").split("The note, in Cliniko")[0]
    assert '<div class="read">\n<p>Dear Dr Example,</p>' in document


def test_without_a_browser_the_command_says_what_it_needs_and_draws_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(pictures, "PICTURES", tmp_path / "pictures")
    assert pictures.main() == 1
    assert "The pictures need Chromium" in capsys.readouterr().err
    assert not (tmp_path / "pictures").exists()


def test_every_picture_is_on_its_page_and_small_enough_to_load_at_once() -> None:
    docs = pictures.PICTURES.parent
    pages = {name: (docs / name).read_text(encoding="utf-8") for name in ("notes.md", "page.md", "architecture.md")}
    drawn = {f"{stem.removeprefix('whole-')}.png" for stem in pictures.DRAWN}
    files = sorted(pictures.PICTURES.iterdir())
    by_hand = {"flow.svg"}
    assert {path.name for path in files if not path.name.startswith("page-")} == drawn | by_hand
    for path in files:
        page = "notes.md" if path.name in drawn else "architecture.md" if path.name in by_hand else "page.md"
        assert f"(pictures/{path.name})" in pages[page]
        assert path.stat().st_size < 130_000
