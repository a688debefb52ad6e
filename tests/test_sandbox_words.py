"""The independent word check: it must find every lost word, and nothing that is only told differently."""

from typing import Any

import pytest

from sync_worker.sandbox.words import document_words, lost_words, note_words

TABLE = "Before\n\n| Topic | Details |\n| --- | :---: |\n| PMH | Asthma |\n| DH | Nil regular |\n\nAfter"
HTML_TABLE = (
    "<p>Before</p><table><thead><tr><th>Topic</th><th>Details</th></tr></thead><tbody><tr><td>PMH</td><td>Asthma</td>"
    "</tr><tr><td>DH</td><td>Nil regular</td></tr></tbody></table><p>After</p>"
)


def a_note(*questions: tuple[str, str]) -> dict[str, Any]:
    """A note's content with paragraph questions, and a source line as the last."""
    asked = [{"name": name, "type": "paragraph", "answer": answer} for name, answer in questions]
    return {"sections": [{"questions": [*asked, {"name": "Source", "type": "text", "answer": "Heidi, ref 12"}]}]}


# ---------------------------------------------------------------- words a reader of a document sees


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("# Plan\n\nRest", "Plan Rest"),
        ("## Plan ##\nRest", "Plan Rest"),
        ("Plan\n====\nRest\n\n---\n\nIce", "Plan Rest Ice"),
        ("**Plan:** _rest_ and ***ice***, ~~heat~~ `now`", "Plan: rest and ice, heat now"),
        ("**bold *and* more**", "bold and more"),
        ("- one\n  * two\n    + three\n1. four\n12) five", "one two three four five"),
        ("> said twice", "said twice"),
        ("Knee ROM <90°, BP >140/90, <grade 4 and >grade 3", "Knee ROM <90°, BP >140/90, <grade 4 and >grade 3"),
        (">140/90 at rest", ">140/90 at rest"),
        ("A & E, R&amp;D, 18&nbsp;kg &lt;20", "A & E, R&D, 18 kg <20"),
        (r"2 \* 3 \# left \<b\> a\|b", "2 * 3 # left <b> a|b"),
        ("2 * 3 * 4, stress ++, a - b, # wrist", "2 * 3 * 4, stress ++, a - b, # wrist"),
        ("snake_case_name", "snake_case_name"),
        ("one<br>two <b>th</b>ree", "one two three"),
        (
            "see [the page](https://example.com/a(b)) ![a knee](x.png) <https://example.com>",
            "see the page a knee https://example.com",
        ),
        ("```text\n# 3 * 4\n```\nafter", "# 3 * 4 after"),
        ("one\\\ntwo", "one two"),
        (TABLE, "Before Topic Details PMH Asthma DH Nil regular After"),
        ("| a | b |\n|---|---|\n| 1 \\| 2 | 3 |\nafter", "a b 1 | 2 3 after"),
        ("pain | stiffness", "pain | stiffness"),
        ("zero\u200bwidth \ufeffmark, e\u0301", "zerowidth mark, é"),
        ("", ""),
        (" \n\t\u00a0\n", ""),
    ],
)
def test_markdown_is_read_as_its_reader_sees_it(content: str, words: str) -> None:
    assert document_words(content, "MARKDOWN") == words.split(" ") if words else document_words(content, None) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<h1>Plan</h1><p>Rest<br>Ice</p>", "Plan Rest Ice"),
        ("<p><strong>Pl</strong>an: <em>rest</em></p>", "Plan: rest"),
        ("<ul><li>one<ul><li>two</li></ul></li><li>three</li></ul>", "one two three"),
        ("<p>ROM &lt;90&deg; &amp; 18&nbsp;kg</p>", "ROM <90° & 18 kg"),
        ("<p>ROM <90</p>", "ROM <90"),
        ("<p style='x'><span>a</span></p><script>alert(1)</script><style>p{}</style><!-- no -->", "a"),
        ("<p>2 * 3 # 4 - 5 | 6</p>", "2 * 3 # 4 - 5 | 6"),
        ("<p>a<img alt='a knee'>b</p>", "a a knee b"),
        (HTML_TABLE, "Before Topic Details PMH Asthma DH Nil regular After"),
    ],
)
def test_html_is_read_as_its_reader_sees_it(content: str, words: str) -> None:
    assert document_words(content, "HTML") == words.split()
    assert document_words(content, None) == words.split()


def test_content_without_a_label_is_told_apart_by_its_tags() -> None:
    assert document_words("# a <b>c</b>\n- d<br>e", None) == ["a", "c", "d", "e"]
    assert document_words("<div># a</div>", None) == ["#", "a"]


def test_a_label_that_the_content_contradicts_is_not_believed() -> None:
    assert document_words("# Plan\n- rest", "HTML") == ["Plan", "rest"]
    assert document_words("<h2>Plan</h2><p>rest</p>", "MARKDOWN") == ["Plan", "rest"]


# ---------------------------------------------------------------- words of a note


def test_a_notes_words_are_its_names_and_answers_without_tags() -> None:
    content = {
        "sections": [
            {
                "name": "Notes",
                "questions": [{"name": "ROM <90", "type": "paragraph", "answer": "<p>a<br>b &amp; <b>c</b>d</p>"}],
            },
            {"questions": [{"name": "Source", "type": "text", "answer": "Heidi <1> &amp;"}]},
            {"questions": [{"name": "Side", "type": "checkboxes", "answers": [{"value": "left", "selected": True}]}]},
            {"questions": [{"name": "Nothing", "type": "paragraph"}]},
        ]
    }
    seen = "Notes ROM <90 a b & cd Source Heidi <1> &amp; Side left Nothing"
    assert " ".join(note_words(content)) == seen
    assert note_words(None) == []


# ---------------------------------------------------------------- what got lost


def test_a_whole_note_has_lost_nothing() -> None:
    note = a_note(("GP letter", "<p>Left knee</p>"), ("Plan", "<p>1. Rest<br>2. ROM &lt;90°</p>"))
    assert lost_words("Left knee\n\n## Plan\n1. Rest\n2. ROM <90°", "MARKDOWN", note) == []


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        ("ROM 90° and BP &gt;140", ["<90°"]),
        ("ROM &gt;140", ["<90°", "and", "BP"]),  # from "<" to ">" swallowed as a tag
        ("ROM &lt;90° and BP", [">140"]),
        ("ROM &lt;90° BP &gt;140", ["and"]),
        ("ROM &lt;90° an d BP &gt;140", ["and"]),
        ("ROM &lt;90° and bp &gt;140", ["BP"]),
        ("BP &gt;140 and ROM &lt;90°", ["ROM", "<90°", "and"]),
        ("", ["ROM", "<90°", "and", "BP", ">140"]),
    ],
)
def test_each_lost_or_changed_word_is_named_and_no_other(answer: str, lost: list[str]) -> None:
    assert lost_words("ROM <90° and BP >140", None, a_note(("Plan", f"<p>{answer}</p>"))) == lost


def test_a_word_lost_early_does_not_make_later_words_seem_lost() -> None:
    assert lost_words("rest then ice then rest then heat", None, a_note(("Plan", "then ice then rest then heat"))) == [
        "rest"
    ]


def test_a_word_said_twice_must_be_kept_twice() -> None:
    assert lost_words("ice ice", None, a_note(("Plan", "ice"))) == ["ice"]


def test_a_note_may_add_words_and_punctuation_but_not_take_them() -> None:
    assert lost_words("PMH Asthma", None, a_note(("Report", "<p>PMH: Asthma; (end)</p>"))) == []
    assert lost_words("PMH: Asthma.", None, a_note(("PMH", "<p>Asthma</p>"))) == ["PMH:", "Asthma."]
    assert lost_words("5 mg", None, a_note(("Dose", ".5 mg"))) == ["5"]


def test_a_missing_note_has_lost_everything() -> None:
    assert lost_words("two words", None, None) == ["two", "words"]


@pytest.mark.parametrize("content", [TABLE, HTML_TABLE])
@pytest.mark.parametrize(
    "told",
    [
        "Topic: PMH; Details: Asthma<br>Topic: DH; Details: Nil regular",
        "PMH (Topic), Asthma (Details)<br>DH (Topic), Nil regular (Details)",
        "Topic, Details<br>PMH, Asthma<br>DH, Nil regular",
    ],
)
def test_a_table_may_repeat_its_columns_names_beside_the_cells(content: str, told: str) -> None:
    assert lost_words(content, None, a_note(("Report", f"<p>Before</p><p>{told}</p><p>After</p>"))) == []


@pytest.mark.parametrize(
    ("told", "lost"),
    [
        ("Topic: PMH; Asthma<br>Topic: DH; Nil regular", ["Details"]),
        ("Topic: PMH; Details: Asthma<br>Topic: DH; Details: regular", ["Nil"]),
        ("Topic: DH; Details: Nil regular<br>Topic: PMH; Details: Asthma", ["PMH", "Asthma"]),
    ],
)
@pytest.mark.parametrize("content", [TABLE, HTML_TABLE])
def test_a_table_that_lost_a_cell_or_a_name_is_found(content: str, told: str, lost: list[str]) -> None:
    assert lost_words(content, None, a_note(("Report", f"<p>Before</p><p>{told}</p><p>After</p>"))) == lost


def test_a_columns_name_told_outside_of_its_table_does_not_count() -> None:
    note = a_note(
        ("Details", "<p>Before</p><p>Topic: PMH, Asthma, Topic: DH, Nil regular</p><p>After</p><p>Details</p>")
    )
    assert lost_words(TABLE, None, note) == ["Details"]


def test_a_heading_too_long_for_a_name_may_be_split_between_its_words() -> None:
    heading = " ".join(f"word{number}" for number in range(60))
    name, rest = heading[:250].rsplit(" ", 1)[0], heading[len(heading[:250].rsplit(" ", 1)[0]) :]
    assert lost_words(f"# {heading}\nRest", None, a_note((name, f"<p>{rest.strip()}</p><p>Rest</p>"))) == []


def test_only_a_word_longer_than_a_name_may_come_in_pieces() -> None:
    assert lost_words("# " + "x" * 300, None, a_note(("x" * 255, "x" * 45))) == []
    assert lost_words("# " + "x" * 300, None, a_note(("x" * 255, "x" * 44))) == ["x" * 300]
    assert lost_words("therapist", None, a_note(("Who", "the rapist"))) == ["therapist"]
