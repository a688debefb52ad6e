"""Finding and starting the browser. Nothing is downloaded: Debian's `chromium`, or another one that is installed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-AU",
)
"""A container's root may not sandbox, and a browser under test talks to nobody but the page."""


def path_of_browser() -> str | None:
    """Where a browser is installed, if one is."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def a_browser() -> Iterator[Browser]:
    """The browser, as long as the block lasts. Needs one to be installed."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path_of_browser(), args=list(QUIET))
        yield browser
        browser.close()
