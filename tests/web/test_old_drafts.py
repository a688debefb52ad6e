"""The drafts on the first page: the oldest of everybody's."""

from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from sync_worker.model import StoredNote
from sync_worker.records import Account, Role
from sync_worker.web.today import MOST_DRAFTS, _old_drafts
from tests.conftest import MORNING, TestClock


def drafts_of(*ages: int) -> Any:
    """A clinician's live services, with drafts of these ages in days."""
    made = [StoredNote(str(age), "", None, None, draft=True, created_at=MORNING - timedelta(days=age)) for age in ages]
    return SimpleNamespace(begin_old_drafts=lambda: None, old_drafts=lambda: made)


def listed(live: dict[str, Any], clock: TestClock) -> Sequence[str]:
    office: Any = SimpleNamespace(live=live, clock=clock, name_of=str)
    owner = Account(
        1, "owner", Role.ADMIN, None, wants_second_factor=False, totp_secret=None, disabled=False, created_at=MORNING
    )
    return [draft.note_id for draft in _old_drafts(office, owner)[0]]


def test_the_oldest_drafts_are_listed_whoever_wrote_them(clock: TestClock) -> None:
    first, second = drafts_of(*range(30, 4, -1)), drafts_of(99, 98)
    found = listed({"physio-1": first, "physio-2": second}, clock)
    assert found[:3] == ["99", "98", "30"]
    assert len(found) == MOST_DRAFTS
