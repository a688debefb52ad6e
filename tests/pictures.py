"""Pictures for docs/notes.md: a document beside the note that it becomes, as `python -m tests.pictures` draws them.

The page is ours and only resembles a notes view: questions as headings, answers below. It needs Chromium, and nothing
is fetched.
"""

import os
import re
import subprocess
import sys
import tempfile
from datetime import date
from html import escape
from pathlib import Path

from sync_worker.convert import note_title
from sync_worker.model import Question
from tests.golden import FOLDER, Case, cases
from tests.web.browser.chromium import NAMES, path_of_browser

PICTURES = FOLDER.parent.parent.parent / "docs" / "pictures"
DRAWN = ("whole-progress-report", "whole-gp-letter", "whole-home-exercises")
WIDTH = 980

STYLE = """
* { box-sizing: border-box }
body { margin: 0; padding: 16px; width: 980px; background: #fff; color: #1d2733;
       font: 13px/1.45 "DejaVu Sans", Arial, sans-serif; display: flex; gap: 16px; align-items: flex-start }
.side { flex: 1 1 0; min-width: 0; border: 1px solid #b9c4cf; border-radius: 6px; overflow-wrap: anywhere }
.side > h1 { margin: 0; padding: 8px 14px; font-size: 13px; border-bottom: 1px solid #b9c4cf; background: #eef2f6 }
.side > div { padding: 4px 14px 12px }
pre { font: 12px/1.45 "DejaVu Sans Mono", monospace; white-space: pre-wrap; margin: 8px 0 }
.title { font-weight: bold; margin: 8px 0 4px }
.draft { font-size: 11px; font-weight: bold; border: 1px solid #8a5a00; color: #7a4f00; border-radius: 3px;
         padding: 0 6px; margin-left: 8px; white-space: nowrap }
h3 { font-size: 13px; color: #14507a; margin: 12px 0 2px; padding-top: 8px; border-top: 1px solid #d9e0e7 }
.empty { color: #5b6670; font-style: italic }
.said p { margin: 4px 0 8px }
.said ul { margin: 4px 0 8px; padding-left: 22px }
.said ul ul { margin: 0 }
.said a, .read a { color: #14507a }
.read table { border-collapse: collapse } .read td, .read th { border: 1px solid #8a96a1; padding: 2px 8px }
.read td p { margin: 0 } .read h2 { font-size: 15px; margin: 14px 0 4px } .read p { margin: 8px 0 }
"""


def page(case: Case) -> str:
    """The document of a case on the left, its note on the right."""
    title = note_title(
        template="{document}",
        document_name=case.document_name,
        session_date=date(2026, 11, 18),
        reference="ABCDEFGH",
    )
    where = "in Cliniko" if case.html == "full" else "where Cliniko keeps line breaks only"
    seen = "as Heidi hands it over" if case.path.suffix == ".md" else "as a browser shows it"
    questions = "".join(map(_question, case.note().sections[0].questions))
    return (
        f'<!doctype html><meta charset="utf-8"><title>{escape(case.document_name)}</title><style>{STYLE}</style>'
        f'<div class="side"><h1>The document, {seen}</h1><div>{_document(case)}</div></div>'
        f'<div class="side"><h1>The note, {where}</h1><div>'
        f'<div class="title">{escape(title)}<span class="draft">Draft</span></div>{questions}</div></div>'
    )


def _document(case: Case) -> str:
    """Markdown as it is written, HTML as a browser shows it."""
    if case.path.suffix == ".md":
        return f"<pre>{escape(case.content)}</pre>"
    body = re.search(r"<body>(.*)</body>", case.content, re.DOTALL)
    return f'<div class="read">{body[1] if body else case.content}</div>'


def _question(question: Question) -> str:
    answer = escape(question.answer or "") if question.kind == "text" else question.answer
    said = f'<div class="said">{answer}</div>' if answer else '<div class="empty">no answer</div>'
    return f"<h3>{escape(question.name)}</h3>{said}"


def draw(browser: str, html: str, picture: Path) -> None:
    """Draw the page at its full height."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        measure = "<script>document.body.dataset.height = document.documentElement.scrollHeight</script>"
        source.write_text(html + measure, encoding="utf-8")
        shown = _run(browser, folder, f"--window-size={WIDTH},100", "--dump-dom", source.as_uri())
        height = re.search(r'data-height="(\d+)"', shown)
        if height is None:
            raise RuntimeError("the browser did not tell the height of the page")
        _run(browser, folder, f"--window-size={WIDTH},{height[1]}", f"--screenshot={picture}", source.as_uri())


def _run(browser: str, profile: str, *arguments: str) -> str:
    fixed = ["--headless", "--disable-gpu", "--hide-scrollbars", "--disable-lcd-text", f"--user-data-dir={profile}/own"]
    if os.geteuid() == 0:
        fixed.append("--no-sandbox")  # for root, Chromium has no other way; the page is our own
    done = subprocess.run([browser, *fixed, *arguments], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def main() -> int:
    """Draw every picture; 1 where no browser is found."""
    browser = path_of_browser()
    if browser is None:
        print(f"The pictures need Chromium: none of {', '.join(NAMES)} is installed.", file=sys.stderr)  # noqa: T201
        return 1
    PICTURES.mkdir(exist_ok=True)
    for case in cases():
        if case.path.stem in DRAWN:
            draw(browser, page(case), PICTURES / f"{case.path.stem.removeprefix('whole-')}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
