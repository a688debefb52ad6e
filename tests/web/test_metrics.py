"""What `/metrics` tells over a real socket: while ticks run and after them, without a ledger, and to whom."""

import asyncio
import math
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from sync_worker import __version__, lifecycle, metrics
from sync_worker.counts import POST_OUTCOMES
from sync_worker.ledger.decisions import Decisions
from sync_worker.model import Accepted, InDoubt, KeyTrouble, NotSent, Refused, StoredNote
from sync_worker.records import Status
from sync_worker.settings import load_settings
from sync_worker.web.app import build_app
from sync_worker.web.office import office_of
from tests.conftest import Clinic
from tests.test_privacy import BORN, DOCUMENT, EMAIL, FIRST, LAST, MARKS, TEXT
from tests.web.house import House, open_house

Scraped = dict[tuple[str, ...], float]
"""Every sample, by its metric's name without the prefix and the values of its labels."""


def scraped(text: str) -> Scraped:
    """What an answer tells, as Prometheus reads it."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name.removeprefix("sync_worker_"), *one.labels.values()): one.value for one in samples}


def asked(house: House, headers: dict[str, str] | None = None) -> httpx.Response:
    """The running page's answer to whoever asks for its metrics."""
    asker = house.people[0] if house.people else house.somebody()
    return asker.client.get("/metrics", headers=headers)


def scrape(house: House) -> Scraped:
    """What the running page tells."""
    answer = asked(house)
    assert answer.status_code == 200
    return scraped(answer.text)


# ---------------------------------------------------------------- what is told


def test_a_scrape_between_two_ticks_tells_what_was_filed_what_waits_and_what_was_asked(house: House) -> None:
    before = scrape(house)
    house.clinic.a_finished_document()
    house.clinic.a_document(house.clinic.a_session("Zed Nobody", "1950-01-01"))
    house.clinic.tick()
    told = scrape(house)
    assert told["posts_total", "accepted"] - before["posts_total", "accepted"] == 1
    assert told["entries", "posted"] == 1
    assert told["review_entries", "not_identifiable"] == 1
    assert told["ticks_total", "done"] == 2
    assert told["ledger_up",] == 1
    assert told["build_info", __version__] == 1
    requests = len(house.clinic.heidi.requests) + len(house.clinic.cliniko.requests)
    assert sum(value for sample, value in told.items() if sample[0] == "requests_total") == requests
    assert told["rate_budget_left", "1"] == 1000 - len(house.clinic.cliniko.requests)


def test_what_never_happened_is_told_as_nought(house: House) -> None:
    told = scrape(house)
    assert {one[1] for one in told if one[0] == "posts_total"} == set(POST_OUTCOMES)
    assert {one[1] for one in told if one[0] == "review_entries"} == {reason.value for reason in lifecycle.WAITS_ON}
    assert {one[1] for one in told if one[0] == "entries"} == {status.value for status in Status}
    assert told["oldest_waiting_seconds",] == told["oldest_doubt_seconds",] == told["paused", "1"] == 0


def test_every_end_of_a_request_has_its_name_among_the_outcomes() -> None:
    note = StoredNote("1", "", {}, "2", draft=True, updated_at=None)
    ends = (Accepted(note), Refused(422, ()), NotSent("rate_limited"), KeyTrouble(401), InDoubt("http_500"))
    assert tuple(lifecycle.after_post(one, arrived_whole=True).outcome for one in ends) == (
        "accepted",
        "refused",
        "not_sent",
        "key_trouble",
        "in_doubt",
    )
    assert {lifecycle.after_post(one, arrived_whole=True).outcome for one in ends} == set(POST_OUTCOMES)


def test_a_scrape_while_a_note_is_under_way_tells_of_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    cliniko = house.clinic.worker.pipelines["physio-1"].cliniko
    sent, answered, create = threading.Event(), threading.Event(), cliniko.create_treatment_note

    def create_slowly(*given: object) -> object:
        sent.set()
        assert answered.wait(20)
        return create(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(cliniko, "create_treatment_note", create_slowly)
    house.clinic.a_finished_document()
    tick = threading.Thread(target=house.clinic.tick)
    tick.start()
    assert sent.wait(20)
    meanwhile = scrape(house)
    answered.set()
    tick.join(20)
    assert (meanwhile["entries", "posting"], meanwhile["doubts",], meanwhile["posts_total", "accepted"]) == (1, 1, 0)
    after = scrape(house)
    assert (after["entries", "posted"], after["doubts",], after["posts_total", "accepted"]) == (1, 0, 1)


def test_ages_pauses_and_alarms_are_told(clinic: Clinic) -> None:
    with open_house(clinic, SYNC_BRAKE_POSTS_PER_HOUR="1") as house:
        clinic.a_finished_document()
        clinic.tick()
        clinic.a_document(clinic.a_session(), "# Plan\n\nSwim.", name="Plan")
        clinic.tick()
        clinic.clock.advance(1200)
        told = scrape(house)
        assert told["paused", "1"] == 1
        assert told["alarms", "brake", "alarm"] == 1
        assert told["oldest_waiting_seconds",] == told["last_poll_age_seconds", "1"] == 1200


def test_a_doubt_has_an_age_and_a_lost_request_a_status(house: House) -> None:
    house.clinic.a_finished_document()
    house.clinic.cliniko.fail_post("commit_then_drop")
    house.clinic.tick()
    house.clinic.clock.advance(1200)
    told = scrape(house)
    assert (told["doubts",], told["oldest_doubt_seconds",], told["posts_total", "in_doubt"]) == (1, 1200, 1)
    assert told["alarms", "doubt", "alarm"] == 1
    assert told["requests_total", "127.0.0.1", "none"] == 1


def test_a_pause_of_everybody_is_each_one_s(house: House) -> None:
    Decisions(house.clinic.ledger.engine, "admin owner").pause(None, house.clinic.clock.now())
    assert scrape(house)["paused", "1"] == 1


def test_who_was_never_read_was_not_read_for_ever(clinic: Clinic) -> None:
    office = office_of(load_settings(clinic.environment(), env_file=None), clinic.worker, clinic.clock)
    assert scraped(metrics.exposition(office.metrics).decode())["last_poll_age_seconds", "1"] == math.inf


def test_nothing_but_our_metrics_is_told_and_none_of_them_in_the_library_s_own_registry(house: House) -> None:
    names = {sample[0] for sample in scraped(asked(house).text)}
    of_one_worker = {*metrics.OF_THE_PROCESS, *metrics.OF_THE_LEDGER}
    assert names == {one.name.removeprefix("sync_worker_") for one in of_one_worker} - {"alarms"}
    libraries = prometheus_client.generate_latest(prometheus_client.REGISTRY).decode()
    assert [line for line in libraries.splitlines() if line.startswith("sync_worker")] == []


# ---------------------------------------------------------------- nobody's data


def test_no_patient_and_no_clinician_is_named(clinic: Clinic) -> None:
    with open_house(clinic, HEIDI_USER_ID="a.physio.of-hobart") as house:
        clinic.sandbox.heidi.add_clinician(email="a.physio@example.com", user_id="a.physio.of-hobart")
        clinic.a_patient(FIRST, LAST, BORN, email=EMAIL)
        for born, fault in ((BORN, None), (BORN, "commit_then_drop"), (BORN, "422"), ("1999-01-02", None)):
            session = clinic.heidi.add_session(
                clinician="a.physio.of-hobart",
                patient_name=f"{FIRST} {LAST}",
                birth_date=born,
                created_at=clinic.clock.now(),
            )
            clinic.a_document(session, f"# {TEXT}\n\n{TEXT}", name=DOCUMENT)
            if fault:
                clinic.cliniko.fail_post(fault)
            clinic.ticks(2)
        text = asked(house).text.casefold()
        assert clinic.notes()
    assert 'reason="refused"} 1.0' in text
    for mark in (*MARKS, "physio", "a.physio@example.com", "ada", clinic.user_id, session):
        assert mark.casefold() not in text, mark


# ---------------------------------------------------------------- the ledger away, slow, large


def test_without_a_ledger_the_process_is_told_all_the_same(house: House, tmp_path: Path) -> None:
    house.clinic.a_finished_document()
    house.clinic.tick()
    file = tmp_path / "ledger.db"
    file.rename(tmp_path / "elsewhere")
    file.mkdir()
    told = scrape(house)
    assert told["ledger_up",] == 0
    assert (told["posts_total", "accepted"], told["ticks_total", "done"]) == (1, 2)
    assert {sample[0] for sample in told} == {one.name.removeprefix("sync_worker_") for one in metrics.OF_THE_PROCESS}
    file.rmdir()
    (tmp_path / "elsewhere").rename(file)
    assert scrape(house)["ledger_up",] == 1


def test_a_ledger_that_hangs_is_not_waited_for_and_hangs_one_reading_only(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "LEDGER_SECONDS", 0.05)
    begun, start = [], metrics.start

    def counted(work: Callable[[], object]) -> object:
        begun.append(work)
        return start(work)

    monkeypatch.setattr(metrics, "start", counted)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert [scrape(house)["ledger_up",] for _ in range(3)] == [0, 0, 0]
        other.execute("ROLLBACK")
    assert len(begun) == 1
    monkeypatch.setattr(metrics, "LEDGER_SECONDS", 20)
    assert scrape(house)["ledger_up",] == 1


def test_a_scrape_asks_the_ledger_as_often_whatever_it_holds_and_by_indexes(house: House) -> None:
    engine = house.clinic.ledger.engine
    statements: list[tuple[str, object]] = []
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append((given[2], given[3])))
    scrape(house)
    few = len(statements)
    for number in range(30):
        house.clinic.a_document(house.clinic.a_session(f"Zed Nobody{number}", "1950-01-01"), f"# Plan\n\n{number}")
    house.clinic.tick()
    statements.clear()
    scrape(house)
    assert len(statements) == few
    with engine.connect() as db:
        plans = [db.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", given).all() for one, given in list(statements)]
    steps = [step[3] for plan in plans for step in plan]
    assert [step for step in steps if step.startswith("SCAN") and "INDEX" not in step and "entries" in step] == []


# ---------------------------------------------------------------- to whom

OUTSIDE = {"X-Forwarded-For": "203.0.113.9"}
PUBLIC = "sync.example.com.au"
PROXIED = {
    "as Caddy passes it on": {
        "Host": PUBLIC,
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": PUBLIC,
    },
    "as nginx does, told to": {"Host": PUBLIC, "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"},
    "with nothing but the name": {"Host": PUBLIC},
    "with the name and a port": {"Host": f"{PUBLIC.upper()}:443"},
    "with nothing but whom it is for": OUTSIDE,
    "by somebody who says they are this machine": {"X-Forwarded-For": "127.0.0.1"},
    "by RFC 7239": {"Forwarded": "for=203.0.113.9"},
    "with nothing but the way it came": {"Via": "1.1 proxy"},
    "with nothing but a real address": {"X-Real-IP": "203.0.113.9"},
    "with nothing but how": {"X-Forwarded-Proto": "https"},
}


@pytest.mark.parametrize("trusted", ["127.0.0.1", ""], ids=["trusted", "unknown"])
def test_nothing_is_told_through_a_proxy_on_the_same_machine(clinic: Clinic, trusted: str) -> None:
    proxied = {"SYNC_WEB_BASE_URL": f"https://{PUBLIC}", "SYNC_WEB_TRUSTED_PROXIES": trusted}
    with open_house(clinic, SYNC_WEB_METRICS_FROM="0.0.0.0/0", **proxied) as house:
        for how, headers in PROXIED.items():
            answer = asked(house, headers)
            assert answer.status_code == 403, how
            assert "sync_worker" not in answer.text
            assert "docs/metrics.md" in answer.text
        assert house.people[0].client.head("/metrics", headers=OUTSIDE).status_code == 403
        assert scrape(house)["ledger_up",] == 1


@pytest.mark.parametrize("public", ["clinic-server", "10.1.2.3"])
def test_nothing_is_told_by_the_name_that_people_use_though_it_has_no_dot_or_is_an_address(
    clinic: Clinic, public: str
) -> None:
    with open_house(clinic, SYNC_WEB_BASE_URL=f"https://{public}") as house:
        assert asked(house, {"Host": public}).status_code == 403
        assert asked(house, {"Host": f"{public}:443"}).status_code == 403
        assert scrape(house)["ledger_up",] == 1


def test_a_name_that_another_site_could_have_led_here_is_refused(house: House) -> None:
    for host in ("10.89.0.4:8080", "[::1]:8080", "localhost:8080", "sync-worker:8080"):
        assert asked(house, {"Host": host}).status_code == 200, host
    for host in ("rebound.example:8080", "127.0.0.1.rebound.example", "localhost.", "", "["):
        assert asked(house, {"Host": host}).status_code == 403, host


CALLERS = {
    "127.0.0.1": 200,
    "::1": 200,
    "10.89.0.7": 200,
    "10.90.0.7": 403,
    "203.0.113.9": 403,
    "fd00::7": 403,
    "nobody": 403,
}


def test_beyond_this_machine_only_those_are_told_whom_the_settings_list(clinic: Clinic) -> None:
    clinic.restart(SYNC_WEB_METRICS_FROM="10.89.0.0/24")
    office = office_of(load_settings(clinic.environment(), env_file=None), clinic.worker, clinic.clock)
    app = build_app(office, hosts=frozenset())

    async def ask(caller: str) -> int:
        transport = httpx.ASGITransport(app, client=(caller, 40_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://10.89.0.4:8080") as client:
            return (await client.get("/metrics")).status_code

    assert {caller: asyncio.run(ask(caller)) for caller in CALLERS} == CALLERS
