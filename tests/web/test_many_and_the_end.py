"""Many pages at once, and pages that are open while the service ends."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from sync_worker.records import Role
from sync_worker.web import app
from sync_worker.web.app import SAFETY
from tests.conftest import Clinic
from tests.web.house import House, Person, open_house


def opened(person: Person, path: str) -> Future[httpx.Response]:
    """A page that somebody opens and waits for."""
    pool = ThreadPoolExecutor(1)
    page = pool.submit(lambda: httpx.get(f"{person.client.base_url}{path}", cookies=person.client.cookies, timeout=30))
    pool.shutdown(wait=False)
    return page


def a_slow_list(house: House) -> Person:
    """Somebody whose review list takes seconds, since Heidi stalls."""
    house.a_question()
    reception = house.person(Role.DESK)
    house.clinic.heidi.fail("session", "stall", times=1000)
    return reception


def test_programs_are_answered_beside_stalled_pages_and_too_many_pages_are_refused_with_all_headers(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "PAGES_AT_ONCE", 5)
    with open_house(clinic, HEIDI_TIMEOUT_SECONDS="20") as house:
        reception = a_slow_list(house)
        pages = [opened(reception, "/review") for _ in range(9)]
        time.sleep(0.7)
        for path in ("healthz", "readyz", "metrics"):
            began = time.monotonic()
            assert httpx.get(f"{house.url}/{path}").status_code == 200
            assert time.monotonic() - began < 1
        answers = [page.result(20) for page in pages]
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [503] * 4
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert "Wait a moment" in refused.text
    assert all(refused.headers[name] == value for name, value in SAFETY.items())


@pytest.mark.parametrize("host", ["10.0.0.5:8080", "sync-worker", ""])
def test_programs_ask_under_any_name_and_people_do_not(house: House, host: str) -> None:
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/login", 421)):
        assert httpx.get(house.url + path, headers={"Host": host}).status_code == status


def test_the_end_of_the_service_waits_for_no_page_and_says_so(clinic: Clinic) -> None:
    with open_house(clinic, HEIDI_TIMEOUT_SECONDS="20") as house:
        reception = a_slow_list(house)
        page = opened(reception, "/review")
        time.sleep(0.5)
        began = time.monotonic()
    assert time.monotonic() - began < 4
    answer = page.result(1)
    assert answer.status_code == 503
    assert "stopped or started anew" in answer.text


def test_no_thread_of_a_page_holds_up_the_end_of_the_process(clinic: Clinic) -> None:
    with open_house(clinic, HEIDI_TIMEOUT_SECONDS="20") as house:
        before = set(threading.enumerate())
        page = opened(a_slow_list(house), "/review")
        time.sleep(0.5)
        fresh = [thread for thread in set(threading.enumerate()) - before if thread.name == "page"]
        assert fresh
        assert all(thread.daemon for thread in fresh)
    page.result(5)
