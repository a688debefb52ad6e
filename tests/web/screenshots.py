"""Pictures of the page for README and docs: `python -m tests.web.screenshots`, from the stand-ins' made-up practice.

The demo runs, the page stays up, and a real browser looks at it. It needs Chromium; nothing is fetched from elsewhere.
"""

import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.web.browser.chromium import a_browser, path_of_browser

PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"
WIDE, PHONE = {"width": 1100, "height": 700}, {"width": 390, "height": 800}


def log_in(browser: Browser, url: str, name: str, password: str, *, phone: bool = False, dark: bool = False) -> Page:
    """Somebody's browser, logged in."""
    size = PHONE if phone else WIDE
    context = browser.new_context(base_url=url, viewport=size, color_scheme="dark" if dark else "light")
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    return page


def draw(browser: Browser, url: str, logins: dict[str, str]) -> None:
    """Each picture, named for the page that it shows."""
    owner = log_in(browser, url, "owner", logins["owner"])
    owner.screenshot(path=PICTURES / "page-today.png")
    reception = log_in(browser, url, "reception", logins["reception"])
    reception.goto("/review")
    reception.screenshot(path=PICTURES / "page-review.png")
    reception.get_by_role("link", name="Several charts fit").click()
    reception.screenshot(path=PICTURES / "page-question.png")
    question = reception.url.removeprefix(url)
    phone = log_in(browser, url, "reception", logins["reception"], phone=True, dark=True)
    phone.goto(question)
    phone.screenshot(path=PICTURES / "page-question-phone.png")
    emma = log_in(browser, url, "emma", logins["emma"])
    emma.goto("/review")
    emma.locator(".cards a").first.click()
    emma.get_by_role("heading", name="The words").evaluate("it => it.scrollIntoView()")
    emma.screenshot(path=PICTURES / "page-words.png")
    for number in range(1, 58):
        emma.goto(f"/review/{number}")
        if emma.get_by_text("Filed as a draft for").count():
            break
    emma.get_by_text("Wrong patient?").click()
    emma.screenshot(path=PICTURES / "page-receipt.png")


def main() -> int:
    """Run the demo with its page, draw, and end it."""
    if path_of_browser() is None:
        sys.stderr.write("No Chromium is installed: install Debian's `chromium`, then run this again.\n")
        return 1
    command = [str(Path(sys.executable).parent / "sync-worker"), "demo", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        said = ""
        for line in demo.stdout or ():
            said += line
            if line.startswith("Ctrl-C"):
                break
        url = re.search(r"The page: (http://\S+?)/\n", said)
        try:
            if url is None:
                sys.stderr.write("The demo did not open its page.\n")
                return 1
            with a_browser() as browser:
                draw(browser, url[1], dict(re.findall(r"^  (\w+)\s+(\S+)   \(", said, re.MULTILINE)))
        finally:
            demo.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
