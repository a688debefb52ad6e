"""Documents of a practice, as scribes and editors really write them: each arrives, whole and in order."""

import re
import unicodedata
from html import unescape

import pytest

from sync_worker.sandbox.sanitiser import Html
from tests.conversion.clinic_html import HTML
from tests.conversion.clinic_markdown import MARKDOWN
from tests.conversion.reading import NAME, rendered, stored, words_of

DOCUMENTS = [("MARKDOWN", name) for name in MARKDOWN] + [("HTML", name) for name in HTML]

VERBATIM = [
    "headings that are a word and a colon", "table drawn with plus and minus", "table laid out with tabs",
    "table laid out with spaces", "referral letter with address and signature", "numbers with brackets",
    "lettered list", "roman numbers", "bullets typed by hand", "bullets with dashes of other kinds",
    "ordered list broken by text", "list with paragraphs that are not indented", "ordered list that starts at four",
    "numbers that begin a sentence", "year at the start of a line", "headings without a space", "footnotes",
    "stars as footnote marks", "marked and struck text", "blanks to fill in", "placeholders of a template",
    "angle brackets of many kinds", "thresholds at the start of lines", "shorthand signs",
    "times and multiplications", "plus and minus signs", "dates, phone numbers and money", "prose in one paragraph",
    "continuation lines that are indented", "indented by a tab", "emphasis that is never closed",
    "emoji and other alphabets", "mini mental with fractions and ranges",
    "definitions in the style of markdown extra", "bars in a sentence", "smart quotes and dashes",
]  # fmt: skip
"""In Markdown, but without anything that Markdown would take for a mark, apart from bullets: they read as written."""

READS = {
    "table right under a sentence": (
        "Report ROM today as follows: Movement Range Movement: Flexion; Range: 0-120° Pain at end of range."
    ),
    "table whose rows are too short and too long": (
        "Report Exercise Sets Reps Exercise: SLR; Sets: 3 Exercise: Bridge; Sets: 3; Reps: 10; hold 5s "
        "Exercise: Clam; Reps: 15"
    ),
    "ordered list of ones": "Report 1. Warm-up 5/60 2. Stretch 3x30s 3. Strength 3x10",
    "nested numbers two spaces apart": ("Report 1. Knee 1. Flexion 0-120° 2. Extension -5° 2. Hip 1. FADIR +ve"),
    "workcover certificate": (
        "Certificate of Capacity Worker: Sample Person Claim no.: WC-0000-1111 Date of injury: 3/10/2026 Employer: "
        "Example Pty Ltd Capacity [x] Suitable duties from 18/11/2026 to 2/12/2026 [ ] Pre-injury duties [ ] No "
        "capacity Function Can Limit Function: Lifting; Can: ☑; Limit: ≤5 kg floor to waist Function: Sitting; Can: ☑; "
        "Limit: ≤30 mins Function: Overhead reach; Can: ☐; Limit: not permitted Signed: ____________________ "
        "Date: ___/___/______"
    ),
    "emphasis inside words and beside punctuation": (
        'Report unbelievable, Pain:constant, bolditalic, (important), "now", Note—urgent, a/b'
    ),
    "signs that were not escaped": "Report ROM <90, BP >140, A&E, 5 > 3 & 2 < 4, HR<100",
    "powers and formulas": "Report H2O, SpO2 98%, 10^3 steps, 2nd MT, BMI 24 kg/m^2",
    "task list of an editor": "Report [x] Consent obtained [ ] Letter to GP",
    "table of lists": "Report Problem Plan Problem: Stiffness; Plan: Mobs Gr III HEP",
    "certificate with boxes": "Report ☑ Suitable duties ☐ No capacity From 18/11/2026 to Signed: ______________",
    "form of a questionnaire": "Report Pain [x] better [ ] worse Score 42/80",
}


@pytest.mark.parametrize("html", ["full", "basic"])
@pytest.mark.parametrize(("kind", "name"), DOCUMENTS, ids=[name for _, name in DOCUMENTS])
def test_every_word_of_a_clinics_document_arrives_in_order(kind: str, name: str, html: str) -> None:
    content = (MARKDOWN if kind == "MARKDOWN" else HTML)[name]
    there = "".join(words_of(stored(rendered(content, kind, html=html), Html.FULL)))
    position = 0
    for word in _letters(content, kind):
        found = there.find(word, position)
        assert found >= 0, f"{word!r} is missing after {there[:position][-40:]!r}"
        position = found + len(word)


@pytest.mark.parametrize("html", ["full", "basic"])
@pytest.mark.parametrize("name", VERBATIM)
def test_a_document_without_marks_reads_as_it_was_written(name: str, html: str) -> None:
    words = [word for word in MARKDOWN[name].split() if word not in {"•", "|"}]
    there = words_of(rendered(MARKDOWN[name], "MARKDOWN", html=html))
    assert _without_bullets(there) == [NAME, *_without_bullets(words)]


@pytest.mark.parametrize("name", READS)
def test_what_a_reader_of_the_note_reads(name: str) -> None:
    content, kind = (MARKDOWN[name], "MARKDOWN") if name in MARKDOWN else (HTML[name], "HTML")
    assert " ".join(words_of(rendered(content, kind))) == READS[name]


def _without_bullets(words: list[str]) -> list[str]:
    return [word for word in words if word != "-"]


def _letters(content: str, kind: str) -> list[str]:
    """Runs of letters and digits that must arrive, found without a parser."""
    if kind == "HTML":
        content = re.sub(r"<!--.*?-->|<(style|title)>.*?</\1>|</?[a-zA-Z][^<>]*>", " ", content, flags=re.DOTALL)
    else:
        content = content.removeprefix("```markdown").replace("<br>", " ").replace("<br/>", " ")
        content = re.sub(r"^( *)1\. ", r"\1", content, flags=re.MULTILINE)  # a list of ones is counted
        content = content.replace("(https://example.org/chart.png)", "").replace("mailto:", "")  # neither says anything
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", unescape(content)))
