"""The review list and its filters."""

import html
import re

import pytest

from sync_worker.records import Reason, Role
from tests.web.house import House, Person


@pytest.fixture
def reception(house: House) -> Person:
    """One question about two charts, and one that no chart fits."""
    house.a_question()
    house.clinic.a_document(house.clinic.a_session("Una Whitlam", "1951-05-06"), "# Other\n\nquite different words")
    house.clinic.tick()
    return house.person(Role.DESK)


def counts(person: Person) -> list[str]:
    return re.findall(r'class="count">(\d+)<', person.page.text)


def rows(person: Person) -> int:
    return len(re.findall(r'href="/review/\d', person.page.text))


def test_what_is_counted_is_what_the_filter_lets_through(reception: Person) -> None:
    reception.get("/review")
    assert (counts(reception), rows(reception)) == (["2"], 2)
    reception.get(f"/review?reason={Reason.NO_MATCH}")
    assert (counts(reception), rows(reception)) == (["1"], 1)
    for reason in (Reason.NO_MATCH, Reason.SEVERAL_CHARTS):
        assert f'<option value="{reason}"' in reception.page.text, "the other reasons can be chosen still"


def test_a_filter_that_fits_nothing_is_not_an_empty_list(reception: Person) -> None:
    for asked in (f"reason={Reason.REFUSED}", "for=admin", "clinician=somebody"):
        reception.get(f"/review?{asked}")
        assert "Nothing fits this filter." in reception.page.text, asked
        assert '<a href="/review">Show all that waits</a>' in reception.page.text
        assert "Nothing waits for a person" not in reception.page.text
    assert "There is nothing on this page." in reception.get("/review?for=desk&page=99").text


def test_an_empty_list_says_so(house: House) -> None:
    assert "Nothing waits for a person." in house.person(Role.DESK).get("/review").text


def test_a_filter_goes_along_from_page_to_page_whatever_it_holds(reception: Person) -> None:
    reception.get("/review?for=desk&clinician=a%2Bb%26c&page=2")
    links = [html.unescape(link) for link in re.findall(r'href="(/review\?[^"]*)"', reception.page.text)]
    assert links == ["/review?for=desk&reason=&clinician=a%2Bb%26c"]
