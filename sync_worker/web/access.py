"""Who may see what and do what on the page. Pure: one table, asked by every page and by every action.

Front desk sees names, birth dates, times and agreements; never a document's text or name. A clinician sees their own
sessions, and the words of these alone. An admin sees every entry; its words only where the account is also its
clinician's.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from sync_worker import lifecycle
from sync_worker.ledger.pages import Row
from sync_worker.records import Account, Reason, Role, Status, WaitsOn


class Action(StrEnum):
    """What a person can do about an entry; each is the last part of the address that it is sent to."""

    ASSIGN = "assign"
    SEARCH = "search"
    ASK_CLINICIAN = "ask-clinician"
    TAKE_BACK = "take-back"
    DISMISS = "dismiss"
    RETRY = "retry"
    FILE_NOW = "file-now"
    FILE_AFTER_ALL = "file-after-all"
    THERE = "there"
    NOT_THERE = "not-there"
    UPDATE_DRAFT = "update-draft"
    WRONG_PATIENT = "wrong-patient"


DESK_ACTIONS = frozenset({Action.ASSIGN, Action.SEARCH, Action.ASK_CLINICIAN, Action.TAKE_BACK, Action.RETRY})
"""What the front desk does about questions that wait for it: whose document it is, never what it says."""
DESK_S_OWN = frozenset({Action.ASK_CLINICIAN, Action.TAKE_BACK})

DISMISSALS: Mapping[str, str] = {
    "filed_by_hand": "Already filed by hand",
    "not_clinical": "Not a patient's document",
    "duplicate": "The same as another document",
    "done": "Looked at, nothing more to do",
}
"""Why an entry may be dismissed, as its button says it."""


def whose(account: Account) -> frozenset[str] | None:
    """The clinicians whose entries an account may see; None is all of them."""
    if account.role is Role.CLINICIAN:
        return frozenset({account.heidi_user_id or ""})
    return None


def may_see(account: Account, heidi_user_id: str) -> bool:
    """Whether an account may see that a clinician's entry exists, and whom it may be about."""
    seen = whose(account)
    return seen is None or heidi_user_id in seen


def sees_words(account: Account, heidi_user_id: str) -> bool:
    """Whether an account may read a clinician's documents: that clinician's own alone."""
    return account.role is not Role.DESK and account.heidi_user_id == heidi_user_id


def may_pause(account: Account, heidi_user_id: str | None) -> bool:
    """Whether an account may stop posting, for a clinician or (None) for everybody: stopping is always safe."""
    return account.role is not Role.CLINICIAN or account.heidi_user_id == heidi_user_id


def may_resume(account: Account, heidi_user_id: str | None) -> bool:
    """Whether an account may let posting go on: whoever answers for the notes."""
    if account.role is Role.CLINICIAN:
        return account.heidi_user_id == heidi_user_id
    return account.role is Role.ADMIN


def actions(account: Account, row: Row) -> Sequence[Action]:
    """What an account can do about an entry as it stands, in the order in which it is offered."""
    if not may_see(account, row.heidi_user_id):
        return ()
    possible = _possible(row)
    if account.role is Role.DESK:
        theirs = DESK_ACTIONS if row.waits_on is WaitsOn.DESK else {Action.TAKE_BACK}
        return [action for action in possible if action in theirs]
    if account.role is Role.CLINICIAN:
        return [action for action in possible if action not in DESK_S_OWN]
    return possible


def may_ever(account: Account, row: Row, action: Action) -> bool:
    """Whether an account may do this to a clinician's entries at all, however this one stands now."""
    if account.role is Role.DESK:
        return action in DESK_ACTIONS
    return may_see(account, row.heidi_user_id) and not (account.role is Role.CLINICIAN and action in DESK_S_OWN)


def _possible(row: Row) -> list[Action]:
    """What makes sense where an entry stands, whoever asks."""
    match row.status:
        case Status.IN_DOUBT:
            return [Action.THERE, Action.NOT_THERE]
        case Status.PENDING:
            return [Action.FILE_NOW]
        case Status.POSTED:
            return [Action.WRONG_PATIENT]
        case Status.REVIEW if row.reason in lifecycle.DOUBTS:
            return [Action.THERE, Action.NOT_THERE, Action.RETRY]
        case Status.REVIEW if row.note_id is not None:
            update = [Action.UPDATE_DRAFT] if row.reason is Reason.REVISED else []
            return [*update, Action.DISMISS, Action.WRONG_PATIENT]
        case Status.REVIEW if row.reason is Reason.SOURCE_GONE:
            return [Action.DISMISS]
        case Status.REVIEW if row.reason is Reason.NOT_CARRIED:
            return [Action.RETRY, Action.DISMISS]
        case Status.REVIEW:
            return [Action.ASSIGN, Action.SEARCH, Action.RETRY, *_passing_on(row), Action.DISMISS]
        case Status.SKIPPED if row.reason is Reason.DISMISSED:
            return [Action.FILE_AFTER_ALL]
    return []


def _passing_on(row: Row) -> list[Action]:
    """To ask the clinician, or to take that back."""
    if row.asked:
        return [Action.TAKE_BACK]
    return [Action.ASK_CLINICIAN] if row.waits_on is WaitsOn.DESK else []
