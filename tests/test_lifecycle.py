"""What may follow what: one line a rule, no database, no clock."""

from datetime import datetime, timedelta

import pytest

from sync_worker import lifecycle
from sync_worker.lifecycle import (
    LookTimes,
    Settlement,
    after_look,
    after_post,
    beginning,
    is_allowed,
    is_finished,
    postponement,
)
from sync_worker.model import Accepted, InDoubt, KeyTrouble, NotSent, PostOutcome, Refused, StoredNote
from sync_worker.records import Reason, Status, WaitsOn
from tests.conftest import MORNING

NOTE = StoredNote("2001", "Letter", None, "1001", draft=True)

FOLLOWS = {
    Status.PENDING: "posting posted review skipped",
    Status.POSTING: "posted pending in_doubt review",
    Status.IN_DOUBT: "posted pending review",
    Status.REVIEW: "pending in_doubt posted skipped review withdrawn",
    Status.POSTED: "review withdrawn",
    Status.SKIPPED: "pending",
    Status.WITHDRAWN: "",
}


@pytest.mark.parametrize("from_", Status)
def test_an_entry_moves_only_where_the_table_lets_it(from_: Status) -> None:
    assert {to for to in Status if is_allowed(from_, to)} == {Status(to) for to in FOLLOWS[from_].split()}


def test_a_request_is_only_ever_sent_for_a_pending_entry() -> None:
    assert [from_ for from_ in Status if is_allowed(from_, Status.POSTING)] == [Status.PENDING]


def test_a_request_under_way_never_goes_back_to_waiting_without_its_outcome_being_known() -> None:
    certain = [NotSent("not_connected"), KeyTrouble(401)]
    assert {after_post(outcome, arrived_whole=True).to for outcome in certain} == {Status.PENDING}
    assert after_post(InDoubt("anything at all"), arrived_whole=True).to is Status.IN_DOUBT


def test_every_status_can_be_reached_and_every_unfinished_one_can_be_ended() -> None:
    reached, ends = {Status.PENDING}, {Status.POSTED, Status.SKIPPED, Status.WITHDRAWN}
    for _ in Status:
        reached |= {to for from_ in reached for to in Status if is_allowed(from_, to)}
        ends |= {from_ for from_ in Status if any(is_allowed(from_, to) for to in ends)}
    assert reached == ends == set(Status)


OUTCOMES: dict[str, tuple[PostOutcome, bool, Settlement]] = {
    "accepted and arrived whole": (Accepted(NOTE), True, Settlement(Status.POSTED, None, "2001", "accepted")),
    "accepted but changed on the way": (
        Accepted(NOTE),
        False,
        Settlement(Status.REVIEW, Reason.CONTENT_CHANGED, "2001", "accepted", "content_changed"),
    ),
    "refused, naming fields": (
        Refused(422, ("title", "content")),
        True,
        Settlement(Status.REVIEW, Reason.REFUSED, None, "refused", "http_422_title_content"),
    ),
    "refused, saying nothing": (
        Refused(404),
        True,
        Settlement(Status.REVIEW, Reason.REFUSED, None, "refused", "http_404"),
    ),
    "never sent": (
        NotSent("not_connected"),
        True,
        Settlement(Status.PENDING, None, None, "not_sent", "not_connected"),
    ),
    "asked to come back later": (
        NotSent("rate_limited"),
        True,
        Settlement(Status.PENDING, None, None, "not_sent", "rate_limited"),
    ),
    "the key's trouble": (KeyTrouble(403), True, Settlement(Status.PENDING, None, None, "key_trouble", "http_403")),
    "nobody knows": (InDoubt("http_502"), True, Settlement(Status.IN_DOUBT, None, None, "in_doubt", "http_502")),
}


@pytest.mark.parametrize(("outcome", "whole", "settlement"), OUTCOMES.values(), ids=OUTCOMES)
def test_what_an_attempts_outcome_makes_of_its_entry(outcome: PostOutcome, whole: bool, settlement: Settlement) -> None:
    assert after_post(outcome, arrived_whole=whole) == settlement
    assert is_allowed(Status.POSTING, settlement.to)


def test_a_complaint_about_many_fields_still_fits_its_column_and_the_log() -> None:
    refused = Refused(422, tuple(f"field_{number}" for number in range(50)))
    assert len(after_post(refused, arrived_whole=True).code) == 48


LOOKS: dict[str, tuple[list[str], int, int, Settlement | None]] = {
    "found at the first look": (["7"], 1, 1, Settlement(Status.POSTED, None, "7")),
    "found at the second look": (["7"], 2, 1, Settlement(Status.POSTED, None, "7")),
    "found although it was the second doubt": (["7"], 1, 2, Settlement(Status.POSTED, None, "7")),
    "two notes": (["7", "8"], 1, 1, Settlement(Status.REVIEW, Reason.TWO_NOTES)),
    "three notes after many looks": (["7", "8", "9"], 5, 2, Settlement(Status.REVIEW, Reason.TWO_NOTES)),
    "absent at the first look": ([], 1, 1, None),
    "absent at both": ([], 2, 1, Settlement(Status.PENDING)),
    "absent at the first look of a second doubt": ([], 1, 2, None),
    "absent at both looks of a second doubt": ([], 2, 2, Settlement(Status.REVIEW, Reason.TWICE_IN_DOUBT)),
    "absent when a person had it looked for again": ([], 3, 2, Settlement(Status.REVIEW, Reason.TWICE_IN_DOUBT)),
    "absent in a third doubt": ([], 2, 3, Settlement(Status.REVIEW, Reason.TWICE_IN_DOUBT)),
}


@pytest.mark.parametrize(("found", "looks", "doubts", "settlement"), LOOKS.values(), ids=LOOKS)
def test_what_a_look_makes_of_a_doubt(found: list[str], looks: int, doubts: int, settlement: Settlement | None) -> None:
    assert after_look(found, looks=looks, attempts_in_doubt=doubts) == settlement
    assert settlement is None or is_allowed(Status.IN_DOUBT, settlement.to)


def test_no_single_look_that_finds_nothing_ever_allows_another_request() -> None:
    for doubts in range(1, 5):
        assert after_look([], looks=1, attempts_in_doubt=doubts) is None


def test_both_looks_are_counted_from_the_attempts_end() -> None:
    times = LookTimes(first=timedelta(seconds=30), second=timedelta(seconds=120))
    after = [times.next_look(ended_at=MORNING, looks=looks) - MORNING for looks in range(4)]
    assert [one.total_seconds() for one in after] == [30, 120, 120, 120]


@pytest.mark.parametrize(
    ("rested", "settle", "finished"),
    [(0, 0, True), (0, 600, False), (599, 600, False), (600, 600, True), (-5, 600, False), (-5, 0, False)],
)
def test_a_document_is_finished_when_its_text_has_rested(rested: int, settle: int, finished: bool) -> None:
    read_at = MORNING + timedelta(seconds=rested)
    assert is_finished(text_since=MORNING, read_at=read_at, settle=timedelta(seconds=settle)) is finished


BEFORE, AFTER = MORNING - timedelta(seconds=1), MORNING + timedelta(seconds=1)
BEGINNINGS: dict[str, tuple[datetime | None, bool, bool, Status, Reason | None]] = {
    "of a session from after the start": (AFTER, False, True, Status.PENDING, None),
    "of a session from the very start": (MORNING, False, True, Status.PENDING, None),
    "there at the first sweep already": (BEFORE, False, True, Status.SKIPPED, Reason.BEFORE_START),
    "of an old session that turned up late": (BEFORE, False, False, Status.REVIEW, Reason.LATE_START),
    "new on an old session that was read before": (BEFORE, True, True, Status.PENDING, None),
    "new on a late one that was read before": (BEFORE, True, False, Status.PENDING, None),
    "of a session without a date": (None, False, False, Status.PENDING, None),
}


@pytest.mark.parametrize(
    ("created_at", "was_read", "in_first_sweep", "status", "reason"), BEGINNINGS.values(), ids=BEGINNINGS
)
def test_how_a_new_document_begins(
    created_at: datetime | None, was_read: bool, in_first_sweep: bool, status: Status, reason: Reason | None
) -> None:
    begun = beginning(created_at, start_at=MORNING, was_read=was_read, in_first_sweep=in_first_sweep)
    assert begun == (status, reason)


def test_an_entry_that_fails_waits_longer_each_time_up_to_an_hour() -> None:
    minutes = [postponement(failures).total_seconds() / 60 for failures in (0, 1, 2, 3, 5, 6, 60, 10_000)]
    assert minutes == [1, 2, 4, 8, 32, 60, 60, 60]


SKIPPING = {Reason.BEFORE_START, Reason.GONE, Reason.DISMISSED}


def test_every_reason_to_ask_belongs_to_somebody_and_no_reason_to_skip_does() -> None:
    assert set(lifecycle.WAITS_ON) == set(Reason) - SKIPPING
    assert set(lifecycle.WAITS_ON.values()) == set(WaitsOn)


def test_doubts_are_reviews_about_a_note_that_may_exist() -> None:
    from_looks = {made.reason for _, _, _, made in LOOKS.values() if made is not None and made.reason is not None}
    assert from_looks | {Reason.DOUBT_KEY_GONE} == lifecycle.DOUBTS
