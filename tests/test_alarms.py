"""Alarms: what stands, when people are told of it, and that they are told once."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session

from sync_worker.advice import HINTS
from sync_worker.alarms import Alarm, a_working_day_before, expected_of, late_after, of_clinician
from sync_worker.channels import Mail, Message, channels_of, send_everywhere
from sync_worker.errors import LedgerUnavailable, NotTold, Stopping
from sync_worker.ledger.alarms import Alarms
from sync_worker.ledger.decisions import Decisions
from sync_worker.ledger.views import Views
from sync_worker.notices import Notice, Notices
from sync_worker.records import AlarmCode, PauseReason
from sync_worker.sandbox.wire import json_reply
from sync_worker.settings import load_settings
from sync_worker.watch import Watch
from sync_worker.web.words import TROUBLES
from tests.conftest import Clinic
from tests.loopback import Service, a_refused_url

HOBART = ZoneInfo("Australia/Hobart")
MINUTE = 60.0


@pytest.fixture
def watched(clinic: Clinic) -> Iterator["Watched"]:
    """The clinic with somebody who is told of alarms, and a document that waits to be filed."""
    with Service() as hook:
        clinic.restart(SYNC_ALERT_WEBHOOK_URL=f"{hook.url}hook", SYNC_TIMEZONE="Australia/Hobart")
        watched = Watched(clinic, hook)
        yield watched
        watched.watch.close()


class Watched:
    """A clinic that is looked at every minute, and what arrives at its webhook."""

    def __init__(self, clinic: Clinic, hook: Service) -> None:
        self.clinic = clinic
        self.hook = hook
        self.watch = self._started()

    def start_anew(self, **extra: str) -> None:
        """The service starts anew, perhaps with other settings."""
        self.watch.close()
        self.clinic.restart(**extra)
        self.watch = self._started()

    def _started(self) -> Watch:
        settings = load_settings(self.clinic.environment(), env_file=None)
        return Watch(settings, self.clinic.worker, self.clinic.clock)

    def minutes(self, count: int, *, ticks: bool = True) -> list[tuple[str, bool]]:
        """Let minutes go by, each with a look, every fifth with a tick; what was told: code, and whether it began."""
        told: list[Notice] = []
        for number in range(count):
            if ticks and number % 5 == 0:
                self.clinic.tick(full=False)
            told += self.watch.look()
            self.clinic.clock.advance(MINUTE)
        return [(one.code, one.begins) for one in told]

    def arrived(self) -> list[dict[str, object]]:
        """What arrived at the webhook."""
        return [json.loads(request.body) for request in self.hook.requests]


def test_a_service_that_is_down_for_half_an_hour_is_told_once_and_its_return_once(watched: Watched) -> None:
    watched.clinic.heidi.fail("sessions", "500", times=10_000)
    assert watched.minutes(29) == []
    assert watched.minutes(31) == [("heidi_unreachable", True)]
    watched.clinic.heidi.faults.clear()
    assert watched.minutes(30) == [("heidi_unreachable", False)]
    first, last = watched.arrived()
    assert (first["code"], first["state"], last["state"]) == ("heidi_unreachable", "begins", "ends")
    assert "Heidi cannot be reached" in str(first["text"])


def test_a_service_that_comes_and_goes_is_one_trouble(watched: Watched) -> None:
    watched.clinic.heidi.fail("sessions", "500", times=10_000)
    assert watched.minutes(40) == [("heidi_unreachable", True)]
    watched.clinic.heidi.faults.clear()
    assert watched.minutes(3) == []
    watched.clinic.heidi.fail("sessions", "500", times=10_000)
    assert watched.minutes(40) == [("heidi_unreachable", False), ("heidi_unreachable", True)]


def test_a_worker_that_starts_anew_neither_repeats_nor_forgets(watched: Watched) -> None:
    watched.clinic.heidi.fail("sessions", "500", times=10_000)
    assert watched.minutes(40) == [("heidi_unreachable", True)]
    watched.start_anew()
    assert watched.minutes(10) == []
    watched.clinic.heidi.faults.clear()
    assert watched.minutes(10) == [("heidi_unreachable", False)]


def test_a_trouble_from_before_the_ledger_knew_its_beginning_is_told_in_time(watched: Watched) -> None:
    watched.clinic.heidi.fail("sessions", "500", times=10_000)
    watched.minutes(2)
    with watched.clinic.ledger.engine.begin() as db:
        db.exec_driver_sql("UPDATE clinicians SET trouble_since = NULL")  # as the migration leaves it
    assert watched.minutes(40) == [("heidi_unreachable", True)]


def test_a_clinician_who_was_never_read_is_told_of_as_stalled(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = watched.clinic.worker.pipelines["physio-1"]

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(pipeline, "collect_sessions", fail)
    assert watched.minutes(20) == [("stalled", True)]


@pytest.mark.parametrize("trouble", [*(f"cliniko_{kind}" for kind in TROUBLES), "settings", "unexpected", "lease_lost"])
def test_no_trouble_that_lasts_stays_untold_though_polls_go_on(clinic: Clinic, trouble: str) -> None:
    clinic.tick()
    now, state = clinic.clock.now(), Views(clinic.ledger.engine).clinicians()["physio-1"]
    troubled = replace(state, trouble=trouble, trouble_since=now - timedelta(minutes=31), last_poll_at=now)
    expected = expected_of(load_settings(clinic.environment(), env_file=None))
    [alarm] = of_clinician(troubled, "physio-1", expected, now)
    keys = ("cliniko_key_refused", "cliniko_not_permitted", "cliniko_not_a_practitioner", "cliniko_another_key")
    if trouble.startswith("cliniko"):
        assert alarm.code == ("cliniko_key_refused" if trouble in keys else "cliniko_unreachable")
    else:
        assert alarm.code == "stalled"


@pytest.mark.parametrize(("poll", "late"), [(30, 600), (120, 600), (900, 2700)])
def test_a_tick_that_delivers_for_some_minutes_is_no_standstill(poll: int, late: int) -> None:
    assert late_after(timedelta(seconds=poll)) == timedelta(seconds=late)


def test_a_user_who_is_no_practitioner_any_more_is_told_at_once(watched: Watched) -> None:
    clinic = watched.clinic
    clinic.a_finished_document()
    clinic.cliniko.fail_post("403", times=100)
    assert watched.minutes(10) == [("cliniko_key_refused", True)]


def test_a_host_that_slept_is_no_stall(watched: Watched) -> None:
    watched.minutes(15)
    watched.clinic.clock.advance(3 * 60 * MINUTE)
    assert watched.minutes(1, ticks=False) == []  # the look is faster than the tick
    assert watched.minutes(15) == []
    assert watched.minutes(25, ticks=False) == [("stalled", True)]


def test_a_surprise_that_was_noted_by_a_clock_far_ahead_does_not_stand_until_then(watched: Watched) -> None:
    watched.minutes(1)
    with watched.clinic.ledger.engine.begin() as db:
        db.exec_driver_sql("UPDATE clinicians SET not_listed_at = '2036-01-01 00:00:00.000000'")
    assert watched.minutes(3) == []


def test_a_worker_whose_clinician_another_holds_does_not_call_the_ledger_broken(watched: Watched) -> None:
    pipeline = watched.clinic.worker.pipelines["physio-1"]
    pipeline.last_trouble = "ledger_unavailable"
    pipeline.leases.acquire = lambda *_: None  # type: ignore[method-assign]
    assert watched.minutes(1) == []


def test_a_refused_key_is_told_at_once_and_names_the_clinician(watched: Watched) -> None:
    clinic = watched.clinic
    clinic.a_finished_document()
    clinic.cliniko.revoke(clinic.cliniko.key_of(clinic.user_id))
    assert watched.minutes(10) == [("cliniko_key_refused", True)]
    [told] = watched.arrived()
    assert told["clinicians"] == ["physio-1"]


def test_an_account_that_is_not_linked_is_told_at_once_and_its_link_ends_it(watched: Watched) -> None:
    watched.clinic.heidi.unlink("a.physio@example.com")
    assert watched.minutes(10) == [("unlinked", True)]
    watched.clinic.heidi.link("a.physio@example.com")
    assert watched.minutes(10) == [("unlinked", False)]


def test_what_could_not_be_told_is_told_once_somebody_can_be_reached(watched: Watched) -> None:
    watched.clinic.heidi.unlink("a.physio@example.com")
    watched.hook.replies = [json_reply(503, {})]
    assert watched.minutes(5) == []
    watched.hook.replies = [json_reply(200, {})]
    assert watched.minutes(5) == [("unlinked", True)]


def test_a_document_that_waits_for_longer_than_a_working_day_is_told(watched: Watched) -> None:
    watched.clinic.a_document(watched.clinic.a_session("Nobody Known"))
    assert watched.minutes(2) == []
    watched.clinic.clock.advance(23 * 60 * MINUTE)  # Thursday morning to Friday morning
    assert ("waiting", True) not in watched.minutes(3)
    watched.clinic.clock.advance(60 * MINUTE)
    assert ("waiting", True) in watched.minutes(3)


def test_what_a_rehearsal_does_not_file_is_not_told_as_waiting(watched: Watched) -> None:
    watched.start_anew(SYNC_MODE="rehearse")
    watched.clinic.a_finished_document()
    watched.minutes(2)
    watched.clinic.clock.advance(48 * 60 * MINUTE)
    assert watched.minutes(3) == []
    watched.clinic.a_document(watched.clinic.a_session("Nobody Known"))
    watched.minutes(2)
    watched.clinic.clock.advance(4 * 24 * 60 * MINUTE)
    assert watched.minutes(3) == [("waiting", True)]


@pytest.mark.parametrize(
    ("now", "before"),
    [
        ("2026-11-19 10:00", "2026-11-18 10:00"),  # Thursday
        ("2026-11-23 10:00", "2026-11-20 10:00"),  # Monday: Friday's
        ("2026-11-21 10:00", "2026-11-20 00:00"),  # Saturday: what came on Friday waits until Monday
        ("2026-10-05 10:00", "2026-10-02 10:00"),  # a Monday after the clocks changed
    ],
)
def test_a_working_day_leaves_the_weekend_out(now: str, before: str) -> None:
    def there(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=HOBART)

    assert a_working_day_before(there(now), HOBART) == there(before)


def test_a_paused_brake_is_told_until_somebody_resumes(watched: Watched) -> None:
    clinic = watched.clinic
    watched.start_anew(SYNC_BRAKE_POSTS_PER_HOUR="1")
    clinic.a_patient()
    for number in range(3):
        clinic.a_document(clinic.a_session(), f"# Plan\n\nDocument {number} {'again ' * number}.")
    assert watched.minutes(3) == [("brake", True)]
    Decisions(clinic.ledger.engine, "person test").resume(None, clinic.clock.now())
    clinic.clock.advance(60 * MINUTE)
    assert ("brake", False) in watched.minutes(10)


def test_a_clock_that_is_far_off_is_told_until_it_is_right(watched: Watched) -> None:
    clinic = watched.clinic
    watched.minutes(1)
    true = clinic.heidi.now
    clinic.heidi.now = lambda: true() + timedelta(minutes=7)  # our clock is seven minutes slow
    assert watched.minutes(3) == [("clock", True)]
    clinic.heidi.now = true
    assert watched.minutes(10) == [("clock", False)]


def test_a_ledger_that_cannot_be_written_is_told_though_nothing_can_be_kept(watched: Watched, tmp_path: Path) -> None:
    clinic = watched.clinic
    watched.minutes(1)
    ledger = tmp_path / "ledger.db"
    away = ledger.rename(tmp_path / "away.db")
    ledger.mkdir()
    assert watched.minutes(3) == [("ledger", True)]
    ledger.rmdir()
    away.rename(ledger)
    assert watched.minutes(10) == [("ledger", False)]
    assert clinic.ledger.trail.breaks() == []


def test_a_full_disk_is_told(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync_worker.watch._free_bytes", lambda _worker: 100 * 1024**2)
    assert watched.minutes(2) == [("ledger", True)]
    assert "100 MB left" in str(watched.arrived()[0]["text"])


# ---------------------------------------------------------------- several workers on one ledger


class Teller:
    """One process that tells: what stands for it, and what it told."""

    def __init__(self, clinic: Clinic, standing: list[Alarm]) -> None:
        self.standing = standing
        self.told: list[tuple[str, bool]] = []
        self.is_ledger_up = True
        self.clock = clinic.clock
        self.notices = Notices(
            ledger=self._by_the_ledger, process=list, store=Alarms(clinic.ledger.engine), tell=lambda _notice: True
        )

    def _by_the_ledger(self) -> list[Alarm]:
        if not self.is_ledger_up:
            raise LedgerUnavailable("It does not answer.")
        return self.standing

    def look(self) -> None:
        self.told += [(one.code, one.begins) for one in self.notices.watch(self.clock.now())]


def an_alarm(code: str, clinician: str | None = None) -> Alarm:
    return Alarm(code, "alarm", clinician, "What to do.")


def test_what_one_worker_tells_another_neither_ends_nor_forgets(clinic: Clinic) -> None:
    ours, theirs = Teller(clinic, [an_alarm("unlinked", "A")]), Teller(clinic, [])
    for minute in range(20):
        if minute == 5:
            theirs = Teller(clinic, [])  # starts anew, and finds what ours told
        if minute == 8:
            theirs.standing = [an_alarm("doubt")]
        if minute == 10:
            theirs.standing = []
        for one in (ours, theirs):
            one.look()
        clinic.clock.advance(MINUTE)
    assert sorted(ours.told + theirs.told) == [("doubt", False), ("doubt", True), ("unlinked", True)]
    assert list(Alarms(clinic.ledger.engine).open()) == ["unlinked"]


def test_what_every_worker_sees_is_told_by_one_of_them(clinic: Clinic) -> None:
    tellers = [Teller(clinic, [an_alarm("waiting")]) for _ in range(2)]
    for minute in range(20):
        for one in tellers:
            one.standing = one.standing if minute < 5 else []
            one.look()
        clinic.clock.advance(MINUTE)
    assert sorted(tellers[0].told + tellers[1].told) == [("waiting", False), ("waiting", True)]


def test_what_was_told_before_a_start_without_a_ledger_is_not_told_again(clinic: Clinic) -> None:
    Teller(clinic, [an_alarm("unlinked", "A")]).look()
    ours = Teller(clinic, [an_alarm("unlinked", "A")])
    read = ours.notices._store.open  # as when the database goes away between start and first look

    def fail() -> None:
        raise LedgerUnavailable("It does not answer.")

    ours.notices._store.open = fail  # type: ignore[assignment, method-assign]
    ours.is_ledger_up = False
    ours.look()
    ours.notices._store.open = read  # type: ignore[method-assign]
    ours.is_ledger_up = True
    for _ in range(10):
        clinic.clock.advance(MINUTE)
        ours.look()
    assert ours.told == [("ledger", True), ("ledger", False)]


def test_one_more_clinician_with_a_trouble_of_their_own_is_told(clinic: Clinic) -> None:
    ours = Teller(clinic, [an_alarm("brake", "A"), an_alarm("heidi_unreachable", "A")])
    for minute in range(40):
        if minute == 10:
            ours.standing += [an_alarm("brake", "B"), an_alarm("heidi_unreachable", "B")]
        ours.is_ledger_up = minute not in range(20, 30)
        ours.look()
        clinic.clock.advance(MINUTE)
    begun = [code for code, begins in ours.told if begins]
    assert begun == ["brake", "heidi_unreachable", "brake", "ledger"]


# ---------------------------------------------------------------- what a sweep came upon


def test_a_session_that_no_poll_had_listed_is_told_and_filed(watched: Watched) -> None:
    clinic = watched.clinic
    clinic.a_patient()
    assert watched.minutes(60) == []
    clinic.clock.advance(-40 * MINUTE)
    session = clinic.a_session(created_at=clinic.clock.now(), updated_at=clinic.clock.now())
    clinic.a_document(session)
    clinic.clock.advance(40 * MINUTE)
    assert watched.minutes(20) == [("not_listed", True)]
    assert len(clinic.notes()) == 1


def test_sessions_that_come_as_they_should_are_no_surprise(watched: Watched) -> None:
    clinic = watched.clinic
    clinic.a_patient()
    for _ in range(6):
        watched.minutes(10)
        clinic.a_document(clinic.a_session(created_at=clinic.clock.now()), f"# Plan\n\nAt {clinic.clock.now()}.")
    assert [one for one in watched.minutes(40) if one[0] in ("not_listed", "changed_unseen")] == []


# ---------------------------------------------------------------- a day without a document


def an_appointment(clinic: Clinic, patient_id: str, at: datetime, **more: object) -> None:
    clinic.cliniko.add_booking(
        practitioner_id=clinic.practitioner_id,
        patient_ids=[patient_id],
        starts_at=at,
        ends_at=at + timedelta(minutes=30),
        **more,
    )


@pytest.mark.parametrize(("came", "told"), [(3, [("nothing_filed", True)]), (2, [])])
def test_a_day_with_patients_and_no_document_is_told_in_the_evening(
    watched: Watched, came: int, told: list[tuple[str, bool]]
) -> None:
    clinic = watched.clinic
    patient_id, morning = clinic.a_patient(), clinic.clock.now()
    for number in range(came):
        an_appointment(clinic, patient_id, morning + timedelta(hours=number))
    an_appointment(clinic, patient_id, morning + timedelta(hours=4), did_not_arrive=True)
    assert watched.minutes(3) == []
    clinic.clock.advance(9 * 60 * MINUTE)  # half past six in the evening
    assert watched.minutes(3) == told
    clinic.a_document(clinic.a_session())
    assert watched.minutes(10) == [(code, False) for code, _ in told]


def test_a_day_without_a_document_is_not_over_because_the_worker_started_anew(watched: Watched) -> None:
    clinic = watched.clinic
    patient_id, morning = clinic.a_patient(), clinic.clock.now()
    for number in range(3):
        an_appointment(clinic, patient_id, morning + timedelta(hours=number))
    clinic.clock.advance(9 * 60 * MINUTE)
    assert watched.minutes(3) == [("nothing_filed", True)]
    clinic.clock.advance(12 * 60 * MINUTE)  # the next morning
    watched.start_anew()
    assert watched.minutes(10) == []
    clinic.a_document(clinic.a_session())
    assert watched.minutes(10) == [("nothing_filed", False)]


# ---------------------------------------------------------------- the digest


def test_people_hear_twice_a_day_how_things_stand_with_the_tip_of_the_trail(watched: Watched) -> None:
    clinic = watched.clinic
    watched.minutes(1)
    clinic.a_finished_document()
    clinic.a_document(clinic.a_session("Nobody Known"))
    watched.minutes(3)
    assert watched.arrived() == []
    clinic.clock.advance(7 * 60 * MINUTE)  # half past four
    watched.minutes(3)
    [told] = watched.arrived()
    assert (told["kind"], told["filed"], told["review"]) == ("digest", 1, {"no_match": 1})
    [tip] = Views(clinic.ledger.engine).tips({})
    assert told["trail"] == [{"clinician": "physio-1", "step": tip.number, "hash": (tip.hash or b"").hex()}]
    assert "Mary" not in json.dumps(told)
    assert "Nobody" not in json.dumps(told)


def test_a_digest_told_by_a_clock_far_ahead_is_not_the_last_until_then(watched: Watched) -> None:
    watched.minutes(1)
    Alarms(watched.clinic.ledger.engine).remember_digest(watched.clinic.clock.now() + timedelta(days=365))
    watched.minutes(1)
    watched.clinic.clock.advance(7 * 60 * MINUTE)
    watched.minutes(1)
    assert [one["kind"] for one in watched.arrived()] == ["digest"]


def test_a_digest_that_nobody_wants_is_not_sent(watched: Watched) -> None:
    watched.start_anew(SYNC_ALERT_DIGEST_AT="off")
    watched.minutes(1)
    watched.clinic.clock.advance(24 * 60 * MINUTE)
    watched.minutes(2)
    assert [one for one in watched.arrived() if one["kind"] == "digest"] == []


# ---------------------------------------------------------------- the heartbeat


def test_the_heart_beats_while_somebody_is_polled(clinic: Clinic) -> None:
    with Service() as monitor, Service() as hook:
        clinic.restart(SYNC_HEARTBEAT_URL=f"{monitor.url}ping", SYNC_ALERT_WEBHOOK_URL=hook.url)
        watched = Watched(clinic, hook)
        watched.minutes(11)
        assert len(monitor.requests) == 3
        watched.minutes(60, ticks=False)
        assert len(monitor.requests) in (4, 5)
        watched.watch.close()


# ---------------------------------------------------------------- the ways to people


class Postbox:
    """A mail server on loopback that wants a login."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []

    async def handle_DATA(self, _server: object, _session: Session, envelope: Envelope) -> str:
        self.mails.append(envelope)
        return "250 taken"


def a_login(_server: object, _session: object, _envelope: object, _kind: str, login: object) -> AuthResult:
    return AuthResult(success=getattr(login, "password", b"") == b"quiet harbour", handled=False)


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, int]]:
    box, port = Postbox(), urlsplit(a_refused_url()).port or 0
    controller = Controller(
        box, hostname="127.0.0.1", port=port, authenticator=a_login, auth_required=True, auth_require_tls=False
    )
    controller.start()
    yield box, port
    controller.stop()


def mail_settings(clinic: Clinic, port: int, password: str = "quiet harbour") -> Mail:  # noqa: S107
    environment = clinic.environment() | {
        "SYNC_ALERT_EMAIL_TO": "owner@example.com, it@example.com",
        "SYNC_ALERT_EMAIL_FROM": "sync@example.com",
        "SYNC_ALERT_SMTP_HOST": "127.0.0.1",
        "SYNC_ALERT_SMTP_PORT": str(port),
        "SYNC_ALERT_SMTP_TLS": "none",
        "SYNC_ALERT_SMTP_USER": "sync",
        "SYNC_ALERT_SMTP_PASSWORD": password,
    }
    [mail] = channels_of(load_settings(environment, env_file=None), clinic.clock)
    assert isinstance(mail, Mail)
    return mail


NO_TLS = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # this is loopback


@NO_TLS
def test_a_mail_reaches_everybody_named(clinic: Clinic, postbox: tuple[Postbox, int]) -> None:
    box, port = postbox
    mail_settings(clinic, port).send(Message("A clinic: alarm: unlinked", "What to do."))
    [envelope] = box.mails
    assert envelope.rcpt_tos == ["owner@example.com", "it@example.com"]
    assert b"Subject: A clinic: alarm: unlinked" in (envelope.original_content or b"")
    assert b"What to do." in (envelope.original_content or b"")


@NO_TLS
def test_a_mail_server_that_refuses_or_is_away_is_told_without_its_words(
    clinic: Clinic, postbox: tuple[Postbox, int]
) -> None:
    _box, port = postbox
    with pytest.raises(NotTold, match="refused the login"):
        mail_settings(clinic, port, password="wrong").send(Message("x", "y"))
    with pytest.raises(NotTold, match="cannot be reached"):
        mail_settings(clinic, 1).send(Message("x", "y"))


@NO_TLS
def test_a_password_that_no_mail_can_carry_is_told_and_spoils_no_other_way(
    clinic: Clinic, postbox: tuple[Postbox, int]
) -> None:
    mail = mail_settings(clinic, postbox[1], password="stille Bucht für Schiffe")
    with pytest.raises(NotTold, match="SYNC_ALERT_SMTP_PASSWORD"):
        mail.send(Message("x", "y"))
    with Service() as hook:
        clinic.restart(SYNC_ALERT_WEBHOOK_URL=hook.url)
        [webhook] = channels_of(load_settings(clinic.environment(), env_file=None), clinic.clock)
        assert send_everywhere([mail, webhook], Message("x", "y"))
        webhook.close()


def test_what_one_way_has_told_when_the_service_stops_is_not_told_again() -> None:
    class Way:
        name = "way"

        def __init__(self, error: Exception | None = None) -> None:
            self.error = error

        def send(self, _message: Message) -> None:
            if self.error is not None:
                raise self.error

        def close(self) -> None: ...

    assert send_everywhere([Way(), Way(Stopping())], Message("x", "y"))
    assert not send_everywhere([Way(Stopping())], Message("x", "y"))


def test_a_webhook_that_refuses_is_told_without_its_address(clinic: Clinic) -> None:
    with Service(json_reply(404, {})) as hook:
        clinic.restart(SYNC_ALERT_WEBHOOK_URL=f"{hook.url}secret-path")
        [webhook] = channels_of(load_settings(clinic.environment(), env_file=None), clinic.clock)
        with pytest.raises(NotTold, match="answered 404") as refused:
            webhook.send(Message("x", "y"))
        webhook.close()
    assert "secret-path" not in str(refused.value)


def test_every_alarm_has_words_for_what_it_means() -> None:
    told_elsewhere = {*PauseReason, AlarmCode.DOUBT, AlarmCode.RETENTION}
    assert set(HINTS) == {code for code in AlarmCode if code.value not in {one.value for one in told_elsewhere}}
