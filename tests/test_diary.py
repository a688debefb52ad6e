"""The diary as evidence: what it links, when it objects, and that it never speaks for the wrong patient."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from sync_worker.diary import SILENT, UNREADABLE_SECONDS, Diary, DiaryWord, booked, read_diary
from sync_worker.errors import NotAuthorised, Unavailable
from sync_worker.model import Booking
from sync_worker.records import Reason
from tests.conftest import Clinic, TestClock

HOBART = ZoneInfo("Australia/Hobart")
THURSDAY = date(2026, 11, 19)
CLOCKS_FORWARD, CLOCKS_BACK = date(2026, 10, 4), date(2027, 4, 4)
"""Days of 23 and of 25 hours in Hobart."""
MARY, ANN, ZOE = "17", "18", "19"
GROUP = DiaryWord(objection=Reason.GROUP_SESSION)
DISAGREES = DiaryWord(objection=Reason.DIARY_DISAGREES)


def local(hour: str, day: date = THURSDAY) -> datetime:
    """A time by the practice's clock, in UTC. 24:00 and later are the next day's."""
    hours, minutes = map(int, hour.split(":"))
    day += timedelta(days=hours // 24)
    return datetime.combine(day, time(hours % 24, minutes), HOBART).astimezone(UTC)


def book(hours: str, *patient_ids: str, day: date = THURSDAY) -> Booking:
    """A booking such as "9:00-9:40", known by its hours. Without patients: a group whose members nobody tells."""
    begins, ends = hours.split("-")
    return Booking(hours, local(begins, day), local(ends, day), patient_ids)


def said(at: str, *bookings: Booking, of: str = MARY, day: date = THURSDAY) -> DiaryWord:
    """What these bookings say of a session at a time that was matched with a patient, Mary unless told otherwise."""
    answers = {
        read_diary(order, session_at=local(at, day), patient_id=of, zone=HOBART) for order in (bookings, bookings[::-1])
    }
    (word,) = answers  # the order of a list says nothing
    return word


def links(hours: str) -> DiaryWord:
    return DiaryWord(booking_id=hours)


# ---------------------------------------------------------------- the patient's own booking


@pytest.mark.parametrize("at", ["8:30", "8:55", "9:00", "9:17", "9:40", "10:10"])
def test_a_note_belongs_to_the_patients_booking_early_late_and_overrun(at: str) -> None:
    assert said(at, book("9:00-9:40", MARY)) == links("9:00-9:40")


@pytest.mark.parametrize("at", ["8:29", "10:11"])
def test_a_booking_more_than_half_an_hour_away_is_not_linked_and_does_not_object(at: str) -> None:
    assert said(at, book("9:00-9:40", MARY)) == SILENT


def test_a_session_may_begin_late_inside_a_long_appointment() -> None:
    assert said("10:45", book("9:00-11:00", MARY)) == links("9:00-11:00")
    assert said("10:45", book("9:00-11:00", ANN)) == DISAGREES


def test_back_to_back_each_session_is_linked_to_its_own_patients_booking() -> None:
    morning = book("9:00-9:40", ANN), book("9:40-10:20", MARY), book("10:20-11:00", ZOE)
    for at in ("9:38", "9:40", "9:55"):
        assert said(at, *morning) == links("9:40-10:20")
    assert said("9:42", *morning, of=ANN) == links("9:00-9:40")  # Ann's runs late into Mary's


def test_an_initial_and_its_follow_on_link_the_one_that_the_session_began_in() -> None:
    both = book("9:00-9:40", MARY), book("9:40-10:00", MARY)
    assert said("9:10", *both) == links("9:00-9:40")
    assert said("9:40", *both) == links("9:40-10:00")
    assert said("9:59", *both) == links("9:40-10:00")
    # before both, and after both: nobody can tell
    assert said("8:58", book("9:00-9:20", MARY), book("9:20-9:40", MARY)) == SILENT
    assert said("10:05", *both) == SILENT


def test_two_bookings_of_a_patient_at_one_time_link_neither() -> None:
    assert said("9:10", book("9:00-9:40", MARY), book("9:00-9:30", MARY)) == SILENT


def test_a_booking_that_was_moved_to_the_afternoon_is_not_linked_but_keeps_the_diary_from_objecting() -> None:
    assert said("9:05", book("9:00-9:40", ANN), book("14:00-14:40", MARY)) == SILENT


def test_a_booking_that_moved_to_the_winner_of_a_merge_is_the_winners() -> None:
    assert said("9:05", book("9:00-9:40", ZOE), of=ZOE) == links("9:00-9:40")
    assert said("9:05", book("9:00-9:40", ZOE), of=MARY) == DISAGREES


# ---------------------------------------------------------------- groups


def test_a_session_in_a_group_that_the_patient_is_in_is_a_persons_business() -> None:
    for at in ("8:45", "9:20", "10:05"):
        assert said(at, book("9:00-9:45", MARY, ANN, ZOE)) == GROUP


def test_a_group_whose_members_nobody_tells_may_be_the_patients() -> None:
    assert said("9:20", book("9:00-9:45")) == GROUP
    assert said("9:20", book("9:00-9:45"), book("15:00-15:40", MARY)) == GROUP
    assert said("9:20", book("9:00-9:45"), book("9:45-10:15", ANN)) == GROUP


def test_a_group_of_others_is_somebody_elses_booking() -> None:
    assert said("9:20", book("9:00-9:45", ANN, ZOE)) == DISAGREES
    assert said("9:20", book("9:00-9:45", ANN, ZOE), book("15:00-15:40", MARY)) == SILENT


def test_an_appointment_of_ones_own_beside_a_group_is_no_group_session() -> None:
    group, unknown, own = book("9:00-9:45", MARY, ANN), book("9:00-9:45"), book("9:45-10:15", MARY)
    for at in ("9:45", "9:50", "10:20"):
        assert said(at, group, own) == said(at, unknown, own) == links("9:45-10:15")
    at_once = book("9:15-9:45", MARY)
    assert said("9:20", group, at_once) == said("9:20", unknown, at_once) == links("9:15-9:45")
    assert said("9:44", unknown, own) == links("9:45-10:15")  # a minute early, after a class of nobody knows whom


def test_a_session_that_began_in_the_patients_class_is_a_group_session_though_an_appointment_follows() -> None:
    assert said("9:20", book("9:00-9:45", MARY, ANN), book("9:45-10:15", MARY)) == GROUP


# ---------------------------------------------------------------- the objection


def test_a_walk_in_is_not_objected_to() -> None:
    assert said("9:20") == SILENT
    assert said("9:20", book("13:00-13:40", ANN)) == SILENT


def test_the_diary_objects_where_the_time_is_another_patients_and_this_one_has_none_that_day() -> None:
    for at in ("8:30", "9:20", "10:10"):
        assert said(at, book("9:00-9:40", ANN)) == DISAGREES
    others_days = book("9:00-9:40", MARY, day=date(2026, 11, 18)), book("9:00-9:40", MARY, day=date(2026, 11, 20))
    assert said("9:20", book("9:00-9:40", ANN), *others_days) == DISAGREES


@pytest.mark.parametrize("hours", ["7:00-7:30", "14:00-14:40", "23:30-23:59"])
def test_whoever_has_any_booking_that_day_may_have_come_at_another_time(hours: str) -> None:
    for theirs in (book(hours, MARY), book(hours, ANN, MARY), book(hours)):
        assert said("9:20", book("9:00-9:40", ANN), theirs) == SILENT


def test_between_two_other_patients_the_diary_cannot_tell_and_says_nothing() -> None:
    assert said("9:42", book("9:00-9:40", ANN), book("9:40-10:20", ZOE)) == SILENT


# ---------------------------------------------------------------- nights


def test_around_midnight_the_day_is_the_sessions_own() -> None:
    late, early = book("23:10-23:50", MARY), book("24:10-24:50", ANN)
    assert said("24:05", late, early) == links("23:10-23:50")
    assert said("24:35", late, early) == DISAGREES  # Mary's was yesterday
    assert said("23:45", book("23:30-24:10", ANN), book("24:15-24:55", MARY)) == links("24:15-24:55")
    assert said("23:45", book("23:30-24:10", ANN), book("24:16-24:55", MARY)) == DISAGREES
    assert said("24:20", book("23:30-24:10", MARY)) == links("23:30-24:10")


@pytest.mark.parametrize("day", [THURSDAY, CLOCKS_FORWARD, CLOCKS_BACK])
def test_a_day_ends_at_the_practices_midnight_also_when_the_clocks_change(day: date) -> None:
    others = book("12:00-12:40", ANN, day=day)
    for hours in ("0:00-0:30", "23:30-23:59"):
        assert said("12:10", others, book(hours, MARY, day=day), day=day) == SILENT
    for minutes, other_day in (("23:20-23:55", -1), ("0:00-0:30", 1)):
        assert said("12:10", others, book(minutes, MARY, day=day + timedelta(days=other_day)), day=day) == DISAGREES


@pytest.mark.parametrize("fold", [0, 1])
def test_the_hour_that_comes_twice_is_told_apart(fold: int) -> None:
    began = datetime(2027, 4, 4, 2, 30, tzinfo=HOBART, fold=fold)
    second = Booking("1", datetime(2027, 4, 3, 16, 30, tzinfo=UTC), datetime(2027, 4, 3, 16, 50, tzinfo=UTC), (MARY,))
    word = read_diary([second], session_at=began, patient_id=MARY, zone=HOBART)
    assert word == (DiaryWord("1") if fold else SILENT)
    assert booked([second], session_at=began) == ({MARY} if fold else set())


# ---------------------------------------------------------------- the third identifier


def test_those_with_an_appointment_of_their_own_around_the_session_are_booked() -> None:
    diary = (
        book("8:00-8:20", "1"),
        book("9:00-9:40", MARY),
        book("9:40-10:20", ANN),
        book("9:00-9:45", ZOE, "2"),
        book("9:00-9:45"),
    )
    assert booked(diary, session_at=local("9:35")) == {MARY, ANN}
    assert booked(diary, session_at=local("8:10")) == {"1"}
    assert booked([], session_at=local("9:35")) == frozenset()


# ---------------------------------------------------------------- whatever the diary

PEOPLE = st.sampled_from([MARY, ANN, ZOE])


@st.composite
def bookings(draw: st.DrawFn) -> Booking:
    begins = local("0:00") + timedelta(minutes=5 * draw(st.integers(-24, 320)))
    length = timedelta(minutes=5 * draw(st.integers(0, 60)))
    patients = draw(st.lists(PEOPLE, unique=True))
    return Booking(str(draw(st.integers(1, 10**9))), begins, begins + length, tuple(patients))


DIARIES = st.lists(bookings(), max_size=7, unique_by=lambda booking: booking.booking_id)
MINUTES = st.integers(0, 24 * 60 - 1)


@given(DIARIES, MINUTES, PEOPLE)
def test_the_diary_links_no_booking_that_is_somebody_elses_or_far_away(
    diary: Sequence[Booking], minute: int, patient: str
) -> None:
    at = local("0:00") + timedelta(minutes=minute)
    word = read_diary(diary, session_at=at, patient_id=patient, zone=HOBART)
    linked = [booking for booking in diary if booking.booking_id == word.booking_id]
    assert len(linked) == (word.booking_id is not None)
    for booking in linked:
        assert booking.patient_ids == (patient,)
        assert booking.starts_at - timedelta(minutes=30) <= at <= booking.ends_at + timedelta(minutes=30)
        assert word.objection is None
        assert patient in booked(diary, session_at=at)


@given(DIARIES, MINUTES, PEOPLE)
def test_the_diary_disagrees_with_nobody_who_is_or_may_be_booked_that_day(
    diary: Sequence[Booking], minute: int, patient: str
) -> None:
    at = local("0:00") + timedelta(minutes=minute)
    word = read_diary(diary, session_at=at, patient_id=patient, zone=HOBART)
    theirs = [booking for booking in diary if patient in booking.patient_ids or not booking.patient_ids]
    if any(booking.starts_at.astimezone(HOBART).date() == THURSDAY for booking in theirs):
        assert word.objection is not Reason.DIARY_DISAGREES
    if all(len(booking.patient_ids) == 1 for booking in theirs):
        assert word.objection is not Reason.GROUP_SESSION


@given(DIARIES, MINUTES, PEOPLE)
def test_nothing_depends_on_the_zone_in_which_a_sessions_time_is_written(
    diary: Sequence[Booking], minute: int, patient: str
) -> None:
    at = local("0:00") + timedelta(minutes=minute)
    words = [
        read_diary(diary, session_at=at.astimezone(zone), patient_id=patient, zone=HOBART)
        for zone in (UTC, HOBART, ZoneInfo("Pacific/Auckland"))
    ]
    assert words[0] == words[1] == words[2]


# ---------------------------------------------------------------- reading it


@pytest.fixture
def mary(clinic: Clinic) -> str:
    return clinic.a_patient()


def diary_of(clinic: Clinic, *, veto: bool = True, oldest: datetime | None = None) -> Diary:
    pipeline = clinic.worker.pipelines["physio-1"]
    pipeline.identity.practitioner()
    clinic.cliniko.requests.clear()
    return Diary(
        cliniko=pipeline.cliniko,
        identity=pipeline.identity,
        clock=clinic.clock,
        name="A. Physio",
        veto=veto,
        oldest_session=lambda: oldest,
    )


def a_booking(clinic: Clinic, *patients: str, ago: timedelta = timedelta(hours=1)) -> str:
    begins = clinic.clock.now() - ago
    return clinic.cliniko.add_booking(
        practitioner_id=clinic.practitioner_id,
        patient_ids=patients,
        starts_at=begins,
        ends_at=begins + timedelta(minutes=40),
    )


def word(clinic: Clinic, diary: Diary, patient: str, ago: timedelta = timedelta(hours=1)) -> DiaryWord:
    return diary.word(session_at=clinic.clock.now() - ago, patient_id=patient)


def windows(clinic: Clinic) -> list[tuple[str, str]]:
    """From when until when the diary was asked for, so far."""
    asked = [one for one in clinic.cliniko.requests if one.path.endswith("/bookings")]
    filters = [[value for name, value in one.query if name == "q[]"] for one in asked]
    return [(since.removeprefix("starts_at:>="), until.removeprefix("starts_at:<")) for _, since, until in filters]


def test_one_reading_serves_all_sessions_of_a_tick_and_the_next_tick_reads_again(clinic: Clinic, mary: str) -> None:
    days = [timedelta(days=number, hours=1) for number in range(6)]
    made = [a_booking(clinic, mary, ago=ago) for ago in days]
    oldest = clinic.clock.now() - days[-1]
    diary = diary_of(clinic, oldest=oldest)
    for _ in range(2):
        found = [word(clinic, diary, mary, ago).booking_id for ago in days]
        assert found == made
        assert diary.booked(session_at=oldest) == {mary}
    # from twelve hours before the oldest session's day until half an hour after today, by Hobart's clock
    assert windows(clinic) == [("2026-11-13T01:00:00Z", "2026-11-19T13:30:00Z")]
    diary.forget()
    word(clinic, diary, mary)
    assert len(windows(clinic)) == 2


def test_a_reading_is_used_for_a_minute(clinic: Clinic, clock: TestClock, mary: str) -> None:
    diary = diary_of(clinic)
    word(clinic, diary, mary)
    clock.advance(59)
    made = a_booking(clinic, mary)
    assert word(clinic, diary, mary) == SILENT
    clock.advance(1)
    assert word(clinic, diary, mary) == DiaryWord(made)
    assert len(windows(clinic)) == 2


def test_a_backlog_of_a_year_is_read_a_week_at_a_time_and_only_where_it_is_needed(clinic: Clinic, mary: str) -> None:
    days = [timedelta(days=number) for number in (365, 359, 358, 1, 0)]
    made = [a_booking(clinic, mary, ago=ago) for ago in days]
    diary = diary_of(clinic, oldest=clinic.clock.now() - days[0])
    assert [word(clinic, diary, mary, ago).booking_id for ago in days] == made
    lengths = [datetime.fromisoformat(until) - datetime.fromisoformat(since) for since, until in windows(clinic)]
    assert len(lengths) == 3
    assert max(lengths) == timedelta(days=7, hours=12, minutes=30)


def test_a_session_across_midnight_finds_the_booking_of_the_evening_before(clinic: Clinic, mary: str) -> None:
    midnight = timedelta(hours=9, minutes=30)  # so long ago, at half past nine
    made = a_booking(clinic, mary, ago=midnight + timedelta(minutes=30))
    assert word(clinic, diary_of(clinic), mary, midnight - timedelta(minutes=5)) == DiaryWord(made)


def test_a_session_of_tomorrow_by_a_clock_that_is_ahead_is_read_too(clinic: Clinic, mary: str) -> None:
    tomorrow = -timedelta(days=1)
    made = a_booking(clinic, mary, ago=tomorrow)
    assert word(clinic, diary_of(clinic), mary, tomorrow) == DiaryWord(made)


def test_without_the_veto_the_diary_links_and_does_not_object(clinic: Clinic, mary: str) -> None:
    other = clinic.a_patient("Ann")
    a_booking(clinic, other)
    assert word(clinic, diary_of(clinic), mary) == DISAGREES
    assert word(clinic, diary_of(clinic, veto=False), mary) == SILENT
    assert word(clinic, diary_of(clinic, veto=False), other).booking_id is not None


def test_a_booking_that_was_cancelled_and_made_anew_counts_once(clinic: Clinic, mary: str) -> None:
    cancelled, anew = a_booking(clinic, mary), a_booking(clinic, mary)
    clinic.cliniko.bookings[cancelled].cancelled_at = clinic.clock.now()
    assert word(clinic, diary_of(clinic), mary) == DiaryWord(anew)


def test_bookings_of_a_merged_chart_are_the_winners(clinic: Clinic, mary: str) -> None:
    double = clinic.a_patient()
    made = a_booking(clinic, double)
    clinic.cliniko.merge_patients(double, mary)
    assert word(clinic, diary_of(clinic), mary) == DiaryWord(made)


def test_a_key_that_may_not_read_bookings_makes_a_silent_diary_told_once_and_asked_again_after_an_hour(
    clinic: Clinic, clock: TestClock, mary: str
) -> None:
    clinic.cliniko.users[clinic.user_id].can_read_bookings = False
    diary, began = diary_of(clinic), clock.now()
    with capture_logs() as told:
        for _ in range(3):
            assert diary.word(session_at=began, patient_id=mary) == SILENT
            assert diary.booked(session_at=began) == frozenset()
            diary.forget()
        assert len(windows(clinic)) == 1
        clock.advance(UNREADABLE_SECONDS)
        assert diary.word(session_at=began, patient_id=mary) == SILENT
        assert len(windows(clinic)) == 2
    assert told == [{"event": "diary.unreadable", "log_level": "warning", "clinician": "A. Physio"}]


def test_a_role_that_was_mended_is_noticed_and_one_that_was_spoilt_again_is_told_again(
    clinic: Clinic, clock: TestClock, mary: str
) -> None:
    a_booking(clinic, clinic.a_patient("Ann"), ago=timedelta())
    diary, began = diary_of(clinic), clock.now()
    for may_read, expected in ((False, SILENT), (True, DISAGREES), (False, SILENT)):
        clinic.cliniko.users[clinic.user_id].can_read_bookings = may_read
        with capture_logs() as told:
            assert diary.word(session_at=began, patient_id=mary) == expected
        assert [one["event"] for one in told] == ([] if may_read else ["diary.unreadable"])
        clock.advance(UNREADABLE_SECONDS)


def test_a_refused_key_and_a_service_that_is_down_are_no_empty_diary(clinic: Clinic, mary: str) -> None:
    diary = diary_of(clinic)
    clinic.cliniko.fail("bookings", "401")
    with pytest.raises(NotAuthorised):
        word(clinic, diary, mary)
    clinic.cliniko.fail("bookings", "502_html", times=3)
    with pytest.raises(Unavailable):
        word(clinic, diary, mary)
    assert word(clinic, diary, mary) == SILENT
