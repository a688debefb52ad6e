"""The synthetic practice: the same every time, true to the notes it is made of, and sure of what it expects."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest

from sync_worker.records import Reason
from sync_worker.sandbox.cliniko import ClinikoSandbox
from sync_worker.sandbox.documents import Markup, raw_notes
from sync_worker.sandbox.heidi import HeidiSandbox
from sync_worker.sandbox.people import FEWEST_PATIENTS
from sync_worker.sandbox.practice import (
    ZONE,
    Practice,
    PracticeBooking,
    PracticeDocument,
    PracticePatient,
    PracticeSession,
    build_practice,
    populate,
)
from sync_worker.sandbox.words import document_words

NOW = datetime(2026, 11, 18, 3, 0, tzinfo=UTC)
# A Wednesday afternoon; a Monday before opening; the Sunday on which clocks go forward; a New Year's Day.
TIMES = (
    NOW,
    datetime(2026, 11, 15, 20, tzinfo=UTC),
    datetime(2026, 10, 4, 2, tzinfo=UTC),
    datetime(2027, 1, 1, 5, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def practice() -> Practice:
    return build_practice(now=NOW)


@pytest.fixture(params=[(seed, now) for seed in (1, 2, 7) for now in TIMES], ids=str)
def any_practice(request: pytest.FixtureRequest) -> Practice:
    seed, now = request.param
    return build_practice(seed=seed, now=now)


# ---------------------------------------------------------------- the practice as a whole


def test_the_same_seed_and_time_give_the_same_practice(practice: Practice) -> None:
    assert build_practice(seed=1, now=NOW) == practice


def test_another_seed_gives_other_people(practice: Practice) -> None:
    assert build_practice(seed=2, now=NOW).patients != practice.patients


def test_there_are_as_many_charts_as_asked_for() -> None:
    assert [len(build_practice(now=NOW, patients=size).patients) for size in (FEWEST_PATIENTS, 400)] == [120, 400]


def test_too_small_a_practice_or_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        build_practice(now=NOW, patients=FEWEST_PATIENTS - 1)
    with pytest.raises(ValueError, match="aware"):
        build_practice(now=NOW.replace(tzinfo=None))


def test_three_clinicians_share_the_sessions(any_practice: Practice) -> None:
    assert {session.clinician for session in any_practice.sessions} == {c.user_id for c in any_practice.clinicians}
    assert len(any_practice.clinicians) == 3


def test_the_patients_are_as_mixed_as_the_town(practice: Practice) -> None:
    names = " ".join(patient.full_name for patient in practice.patients)
    emails = Counter(patient.email for patient in practice.patients if patient.email)
    for part in (
        "O'",
        "Nguyen",
        "Papadopoulos",
        "Chen",
        "Gurung",
        "Al-Hassan",
        "Zoë",
        "José",
        "Bjørn",
        "Siân",
        "-Jones",
    ):
        assert part in names
    assert max(emails.values()) > 6, "nobody uses the desk's address"
    assert sum(number > 1 for number in emails.values()) > 10, "no families"
    assert any("+" in email for email in emails)
    assert any(patient.birth_date is None for patient in practice.patients)
    assert any(patient.preferred_first_name for patient in practice.patients)
    assert len([patient for patient in practice.patients if patient.archived]) > 10
    assert [patient.merged_into is not None for patient in practice.patients].count(True) == 1


def test_nobody_can_be_written_to(practice: Practice) -> None:
    for email in (*(p.email for p in practice.patients), *(c.email for c in practice.clinicians)):
        assert email is None or re.fullmatch(r"[a-z.]+(\+physio)?@example\.(com|net|org)", email)


# ---------------------------------------------------------------- the documents


def test_every_note_of_the_data_set_is_one_document(any_practice: Practice) -> None:
    notes = [note.note_id for note in raw_notes()]
    assert len(set(notes)) == 57
    assert sorted(d.source for d in any_practice.documents if d.source) == sorted(notes)


def test_no_word_of_a_note_is_lost_in_its_document(practice: Practice) -> None:
    documents = {document.source: document for document in practice.documents}
    for note in raw_notes():
        said = iter(_pieces(" ".join(documents[note.note_id].words)))
        assert [piece for piece in _pieces(_without_list_numbers(note.text)) if piece not in said] == []


def test_a_reader_sees_just_the_words_that_were_put_in(practice: Practice) -> None:
    for document in practice.documents:
        assert document_words(document.content, document.content_type) == list(document.words), document.key
        assert document_words(document.content, document.markup) == list(document.words), document.key


def test_half_of_the_documents_are_markdown_and_half_html(practice: Practice) -> None:
    markups = Counter(document.markup for document in practice.documents if document.source)
    assert markups == {Markup.MARKDOWN: 29, Markup.HTML: 28}


def test_some_documents_of_each_markup_have_no_label_and_no_label_is_wrong(practice: Practice) -> None:
    for markup in Markup:
        labels = {document.content_type for document in practice.documents if document.markup is markup}
        assert labels == {None, markup}


@pytest.mark.parametrize(
    ("markup", "shapes"),
    [
        (
            Markup.MARKDOWN,
            r"^#   ^##   ^###   ^-   ^1\.   ^3\.   ^  \*   ^\| --- \|   ^\*\*\w+:\*\*   ^\*\w.*\*$   ^##.*\n-",
        ),
        (Markup.MARKDOWN, r"<90°   >140/90   \\\|   [^>] & [^<]   💪   “   ≤"),
        (
            Markup.HTML,
            r"<h1>   <h2>   <h3>   <p>   <br>   <ul>   <ol>   <li>[^<]+<ul>   <table>   <th>   <strong>   <em>",
        ),
        (
            Markup.HTML,
            r"&lt;90&deg;   &gt;140   &amp;   &nbsp;   &#160;   &rsquo;   style=   <span   <ol\ start   ½   “",
        ),
    ],
)
def test_the_documents_have_every_shape_a_scribe_makes(practice: Practice, markup: Markup, shapes: str) -> None:
    written = "\n".join(document.content for document in practice.documents if document.markup is markup)
    assert [shape for shape in shapes.split("   ") if not re.search(shape, written, re.MULTILINE)] == []


def test_numbered_lists_show_the_numbers_of_the_note(practice: Practice) -> None:
    plan = next(d for d in practice.documents if d.source == "primock57-day1_consultation02")
    assert re.search(r"1\. Steroid cream.*\n2\. Emollients|<ol><li>Steroid cream[^/]*</li><li>Emollients", plan.content)


# ---------------------------------------------------------------- what must become of them


def test_fifty_documents_are_filed_and_seven_wait_each_for_another_thing(any_practice: Practice) -> None:
    held = {session.story: document.held for session, document in _each(any_practice) if document.held}
    assert sum(document.expected_patient is not None for document in any_practice.documents) == 50
    assert held == {
        "no birth date": Reason.NOT_IDENTIFIABLE,
        "two people": Reason.NOT_IDENTIFIABLE,
        "no name": Reason.NOT_IDENTIFIABLE,
        "twins, and neither's name": Reason.NO_MATCH,
        "two charts": Reason.SEVERAL_CHARTS,
        "archived": Reason.ARCHIVED_ONLY,
        "unknown here": Reason.NO_MATCH,
    }


def test_no_document_is_both_filed_and_held(any_practice: Practice) -> None:
    assert not [d for d in any_practice.documents if d.expected_patient and d.held]


def test_an_empty_document_and_one_of_white_space_have_nothing_to_file(any_practice: Practice) -> None:
    blank = [d for d in any_practice.documents if not d.expected_patient and not d.held]
    assert [d.content.strip() for d in blank] == ["", ""]
    assert {bool(d.content) for d in blank} == {True, False}


def test_a_filed_session_fits_one_living_chart_and_no_other(any_practice: Practice) -> None:
    for session, document in _each(any_practice):
        if document.expected_patient:
            living = [chart.key for chart in _fitting(any_practice, session) if not chart.archived]
            assert living == [document.expected_patient], session.story


def test_a_held_session_fits_as_its_reason_says(any_practice: Practice) -> None:
    for session, document in _each(any_practice):
        fitting = Counter(chart.archived for chart in _fitting(any_practice, session))
        match document.held:
            case Reason.NOT_IDENTIFIABLE:
                assert not session.birth_date or not session.patient_name or "&" in session.patient_name
            case Reason.NO_MATCH:
                assert not fitting
            case Reason.SEVERAL_CHARTS:
                assert fitting[False] == 2
            case Reason.ARCHIVED_ONLY:
                assert fitting == {True: 1}


def test_the_wrong_twin_is_named_where_twins_are_listed(any_practice: Practice) -> None:
    session = next(s for s in any_practice.sessions if s.story == "twins, and neither's name")
    twins = [chart for chart in any_practice.patients if chart.birth_date == session.birth_date]
    assert {chart.last_name for chart in twins} == {session.patient_name.split()[-1]}
    assert len({chart.first_name for chart in twins}) == len(twins) == 2


def test_birth_dates_are_shared_only_on_purpose(any_practice: Practice) -> None:
    dates = Counter(chart.birth_date for chart in any_practice.patients if chart.birth_date)
    shared = [chart for chart in any_practice.patients if dates[chart.birth_date] > 1]
    assert {chart.last_name for chart in shared} == {"Bennett", "Thapa", "Cowen", "Fazackerley", "Triffitt"}


def test_every_session_has_a_consult_note_which_is_no_document(any_practice: Practice) -> None:
    for session, document in _each(any_practice):
        assert "never to be filed" in session.consult_note
        assert "never to be filed" not in document.content


# ---------------------------------------------------------------- the week


def test_sessions_lie_in_the_last_days_and_are_over(any_practice: Practice, request: pytest.FixtureRequest) -> None:
    _, now = request.node.callspec.params["any_practice"]
    for session in any_practice.sessions:
        begun = session.created_at.astimezone(ZONE)
        assert timedelta() < now - session.updated_at < timedelta(days=6)
        assert session.created_at + timedelta(seconds=session.duration_seconds) < session.updated_at
        assert 8 <= begun.hour < 18
        assert begun.weekday() != 6, "nobody works on a Sunday"


def test_the_diary_speaks_for_every_filed_patient_or_is_silent(any_practice: Practice) -> None:
    silent = 0
    for session, document in _each(any_practice):
        if document.expected_patient:
            near = [booking for booking in any_practice.bookings if _is_near(booking, session)]
            who = {patient for booking in near if not booking.cancelled for patient in booking.patients}
            assert document.expected_patient in who or not near, session.story
            silent += not near
    assert silent in (1, 2, 3), "there are three walk-ins, some perhaps with a blank document"


def test_no_clinician_is_booked_twice_at_a_time_but_for_who_cancelled(any_practice: Practice) -> None:
    for clinician in any_practice.clinicians:
        own = [b for b in any_practice.bookings if b.clinician == clinician.user_id and not b.cancelled]
        assert all(first.ends_at <= second.starts_at for first, second in pairwise(own))
    assert sum(booking.cancelled for booking in any_practice.bookings) == 3


def test_some_bookings_are_classes_of_several_patients(practice: Practice) -> None:
    assert any(len(booking.patients) > 1 for booking in practice.bookings)


# ---------------------------------------------------------------- in the sandboxes


def test_populating_tells_the_ids_of_everything_and_leaves_nothing_out(practice: Practice) -> None:
    heidi, cliniko = _Recorder(), _Recorder()
    populated = populate(practice, heidi, cliniko)  # type: ignore[arg-type]
    assert [len(calls) for calls in (populated.patients, populated.sessions, populated.documents)] == [400, 59, 59]
    assert len(set(populated.api_keys.values())) == 3
    assert Counter(name for name, _, _ in heidi.calls) == {"add_clinician": 3, "add_session": 59, "add_document": 59}
    assert Counter(name for name, _, _ in cliniko.calls)["add_booking"] == len(practice.bookings)
    assert len(populated.expected) + len(populated.held) + len(populated.blank) == 59


def test_expectations_speak_in_the_ids_of_the_sandboxes(practice: Practice) -> None:
    populated = populate(practice, _Recorder(), _Recorder())  # type: ignore[arg-type]
    for document in practice.documents:
        document_id = populated.documents[document.key]
        assert populated.expected.get(document_id) == populated.patients.get(document.expected_patient or "")
        assert populated.held.get(document_id) == document.held
        assert (document_id in populated.blank) == (not document.words)


def test_the_real_sandboxes_take_the_whole_practice(practice: Practice) -> None:
    heidi, cliniko = HeidiSandbox(now=lambda: NOW), ClinikoSandbox(now=lambda: NOW)
    populated = populate(practice, heidi, cliniko)
    stored = {document.document_id: document for session in heidi.sessions.values() for document in session.documents}
    assert {name: d.content for name, d in populated.by_document_id.items()} == {
        name: document.content for name, document in stored.items()
    }
    assert {populated.sessions[s.key]: s.updated_at for s in practice.sessions} == {
        session_id: session.updated_at for session_id, session in heidi.sessions.items()
    }
    assert set(populated.patients.values()) == set(cliniko.patients)
    assert not cliniko.notes


# ---------------------------------------------------------------- how the tests see it

_NICKNAMES = {"bob": "robert", "liz": "elizabeth", "bill": "william", "tom": "thomas"}
_STROKES = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "-": " ", "'": "", "’": "", ",": " ", ".": " "})


def _each(practice: Practice) -> Iterator[tuple[PracticeSession, PracticeDocument]]:
    return ((session, document) for session in practice.sessions for document in session.documents)


def _folded(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name.translate(_STROKES)).encode("ascii", "ignore").decode().casefold()
    return [_NICKNAMES.get(word, word) for word in plain.split() if len(word) > 1 and word != "mrs"]


def _fitting(practice: Practice, session: PracticeSession) -> list[PracticePatient]:
    """Charts with the birth date whose names, in either order and with or without spaces, are what was typed."""
    typed = re.sub(r"\(.*?\)| - .*", "", session.patient_name)
    letters = {"".join(_folded(typed)), "".join(_folded(typed.replace("O Shea", "OShea")))}
    charts = [chart for chart in practice.patients if session.birth_date and chart.birth_date == session.birth_date]
    return [chart for chart in charts if letters & _spellings(chart)]


def _spellings(chart: PracticePatient) -> set[str]:
    given = {chart.first_name, chart.preferred_first_name or chart.first_name}
    pairs = [("".join(_folded(name)), "".join(_folded(chart.last_name))) for name in given]
    return {first + last for first, last in pairs} | {last + first for first, last in pairs}


def _is_near(booking: PracticeBooking, session: PracticeSession) -> bool:
    begins, ends = (at.astimezone(UTC) for at in (booking.starts_at, booking.ends_at))
    half_an_hour = timedelta(minutes=30)
    is_around = begins - half_an_hour <= session.created_at <= ends + half_an_hour
    return booking.clinician == session.clinician and is_around


def _pieces(text: str) -> list[str]:
    """Runs of letters and digits, and each sign with a clinical meaning; label punctuation aside."""
    return re.findall(r"[^\W_]+|[<>+?&/%°℅]", text)


def _without_list_numbers(text: str) -> str:
    return re.sub(r"(?m)^((?:Plan - )?)\s*\d+[.)]\s+", r"\1", text)


class _Recorder:
    """Answers every call with a new id and remembers it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self._ids = count(1)

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> str:
            self.calls.append((name, args, kwargs))
            return f"id-{next(self._ids)}"

        return call
