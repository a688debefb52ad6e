"""A telephone's width: words stay whole, and a table that is wider moves within itself alone."""

import pytest

from sync_worker.records import Role
from tests.web.browser.conftest import OpenHouse

pytestmark = pytest.mark.proof

BROKEN = """() => [...document.querySelectorAll('table th, table td, .tag')].flatMap(cell => {
  const found = [], walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode())
    for (const word of node.data.matchAll(/[\\w’'.]+/g)) {
      const range = document.createRange();
      range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) found.push(word[0]);
    }
  return found;
})"""


def test_no_word_of_a_table_is_broken_on_a_telephone(house: OpenHouse) -> None:
    house.an_account("owner", Role.ADMIN)
    page = house.at_the_browser(width=390, is_watched=True)
    house.log_in(page, "owner")
    page.get_by_text("Filing is on.").wait_for()
    assert page.evaluate(BROKEN) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
