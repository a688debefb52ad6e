"""What the browser's tests share: one browser for all, and a clinic whose worker really runs."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from sync_worker.bootstrap import Worker
from sync_worker.clock import SystemClock
from sync_worker.commands.setup import open_ledger
from sync_worker.records import Role
from sync_worker.sandbox import Sandbox
from sync_worker.scheduler import Service
from sync_worker.settings import load_settings
from sync_worker.web.server import PageServer
from tests.conftest import Clinic
from tests.web.browser.chromium import a_browser, path_of_browser
from tests.web.house import PASSWORD, House


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of this test process."""
    if path_of_browser() is None:
        if os.environ.get("SYNC_TEST_BROWSER_REQUIRED"):
            pytest.fail("no Chromium is installed, and these tests must not go without")
        pytest.skip("no Chromium is installed")
    with a_browser() as started:
        yield started


@dataclass
class OpenHouse(House):
    """A clinic whose worker runs by itself: a decision is carried out within seconds."""

    browser: Browser | None = None

    def at_the_browser(self, *, width: int = 1280, dark: bool = False, is_watched: bool = False) -> Page:
        """A new person's browser. `is_watched`: let a test's own script look at the page, which its rules forbid."""
        assert self.browser is not None
        context = self.browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            bypass_csp=is_watched,
        )
        context.set_default_timeout(15_000)
        return context.new_page()

    def log_in(self, page: Page, name: str, path: str = "/") -> None:
        """Open a page and log in where that leads."""
        page.goto(path)
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()

    def everybody(self) -> None:
        """An account of each role: reception, ada (the clinic's clinician) and owner."""
        self.an_account("reception", Role.DESK)
        self.an_account("ada", Role.CLINICIAN, of="physio-1")
        self.an_account("owner", Role.ADMIN)


@pytest.fixture
def house(browser: Browser, tmp_path: Path) -> Iterator[OpenHouse]:
    """A clinic, its worker and its page, on the real clock."""
    clock = SystemClock()
    with Sandbox() as sandbox:
        sandbox.heidi.add_clinician(email="a.physio@example.com", user_id="physio-1")
        user_id = sandbox.cliniko.add_user(first_name="Ada", last_name="Physio")
        clinic = Clinic(sandbox, clock, f"sqlite:///{tmp_path / 'ledger.db'}", user_id)  # type: ignore[arg-type]
        clinic.extra |= {"SYNC_WEB_BIND": "127.0.0.1:0", "SYNC_DOUBT_SECOND_LOOK_SECONDS": "3600"}
        settings = load_settings(clinic.environment(), env_file=None)
        worker = Worker(settings, open_ledger(settings, clock), clock)
        clinic._worker = worker
        service = Service(worker, poll_seconds=2, clock=clock)
        running = threading.Thread(target=service.run)
        with PageServer(settings, worker, clock) as server:
            running.start()
            assert server.wait_until_ready(30)
            yield OpenHouse(clinic, f"http://127.0.0.1:{server.port}", browser=browser)
            clock.stop.set()
            running.join(30)
        for context in browser.contexts:
            context.close()
        clinic.restart()
