"""Reasons, alarms and troubles in words for the person who acts: what was found, and what to do. Pure text."""

from collections.abc import Mapping

from sync_worker.errors import ConfigurationError, LeaseLost, LedgerMismatch, LedgerUnavailable, RemoteError
from sync_worker.records import AlarmCode, PauseReason, Reason, Trouble

ADVICE: Mapping[Reason, str] = {
    Reason.NO_MATCH: "No chart has this name and birth date. Mend the chart or the session: it is asked again every hour, or at once by trying again. Or choose a patient.",
    Reason.NOT_IDENTIFIABLE: "The session has no usable birth date, or no full name of one person. Mend it in Heidi: it is asked again every hour. Or choose a patient.",
    Reason.SEVERAL_CHARTS: "Several live charts fit. Merge them in Cliniko if they are one person: it is asked again every hour. Or choose one.",
    Reason.ARCHIVED_ONLY: "Only archived charts fit. Unarchive the right one: it is asked again every hour. Or choose another patient.",
    Reason.LINK_CONTRADICTED: "Heidi links the session to a chart of another name or birth date, or it and its profile to two charts. Mend the link in Heidi: it is asked again every hour. Or choose the right patient.",
    Reason.BIRTH_DATES_DIFFER: "The session and the patient's profile in Heidi tell different birth dates, or name two people. Mend one: it is asked again every hour. Or choose a patient.",
    Reason.THIRD_IDENTIFIER: "Name and birth date agree, and the practice asks for a third identifier. Choose the patient if they are the one.",
    Reason.PRIVACY_DECLINED: "The patient has declined the privacy policy in Cliniko. If they accept it now, say so in Cliniko: it is asked again every hour. Or choose them if the note may be filed all the same.",
    Reason.PATIENT_UNAVAILABLE: "The chosen chart is archived, merged or gone. Choose the chart that is in use.",
    Reason.PATIENT_CHANGED: "The session names another patient now, or another document of it went to another patient or was taken off this one. If its note is filed, look whose it is and mend it by hand, then dismiss; if not, choose the patient that is right.",
    Reason.CONSENT_REFUSED: "The session says that consent was refused. Dismiss it; or choose the patient if the note may be filed all the same.",
    Reason.SHARED_SESSION: "The session is in two clinicians' lists. Retry if this clinician is to file it, else dismiss.",
    Reason.GROUP_SESSION: "At the session's time the diary holds a group that the patient may be in. Choose the patient if the document is about them alone, else dismiss it.",
    Reason.DIARY_DISAGREES: "At the session's time the clinician's diary holds somebody else, and it does not hold the patient that day. Mend the session or the diary: it is asked again every hour. Or choose the patient that is right.",
    Reason.NOT_CARRIED: "The document cannot become a note without losing something. Simplify it in Heidi; or copy it by hand, then dismiss.",
    Reason.REGENERATED: "The document says nearly the same as another one of its session. Choose the patient to file both, or dismiss it.",
    Reason.ALREADY_THERE: "The same text is on the patient's chart already, perhaps pasted by hand. Dismiss it; or choose the patient to file it all the same.",
    Reason.TOUCHED: "The note was to be taken back, and it is not as this program left it, or Cliniko does not let it. Do it by hand in Cliniko, then dismiss.",
    Reason.REVISED: "The document was changed after its note was filed. Have the draft updated on the review page, or bring the note up to date by hand, then dismiss.",
    Reason.CONTENT_CHANGED: "Cliniko stored something else than was sent. Compare the note with the document, mend it by hand, then dismiss.",
    Reason.SOURCE_GONE: "The session is gone from Heidi before it was filed. Dismiss it if that was meant.",
    Reason.LATE_START: "The session is older than this service's start. Retry if its document is not in Cliniko yet, else dismiss.",
    Reason.ROUTE: "The practice wants such documents looked at. Choose the patient to file it, or dismiss it.",
    Reason.TWICE_IN_DOUBT: "Twice nobody could tell whether the note was made. Look in Cliniko, then say whether it is there.",
    Reason.TWO_NOTES: "Cliniko holds two notes of this document. Archive one there, then say which one it is.",
    Reason.DOUBT_KEY_GONE: "The key was refused while a note was in doubt. Put a working key in the settings, then retry: it is looked for again.",
    Reason.REFUSED: "Cliniko refused the note. The log names the fields it complained of; mend the cause, then retry.",
    Reason.FAILING: "Filing failed several times while others succeeded. The log says where; mend the cause, then retry.",
}
"""One sentence or two for every reason with which an entry can wait."""

PAUSED_ITSELF: Mapping[PauseReason, str] = {
    PauseReason.BRAKE: "More notes than SYNC_BRAKE_POSTS_PER_HOUR allows: posting is paused for this clinician. Look at the newest notes in Cliniko; if they are right, resume it on the review page, or by `sync-worker resume NAME`, with the clinician's name.",
    PauseReason.ANOTHER_WORKER: "Cliniko holds new notes of this program that this ledger does not know: another worker files for this clinician, or the ledger is an old copy. Posting is paused. Stop the other worker, then resume it on the review page, or by `sync-worker resume NAME`, with the clinician's name.",
    PauseReason.WRONG_PATIENT: "A note was reported to be on the wrong patient: posting is paused for this clinician. Follow the steps on the entry's page; once its cause is mended, resume posting there, or by `sync-worker resume NAME`, with the clinician's name.",
}
"""Why posting is paused where nobody simply paused it, and what to do."""

HINTS: Mapping[AlarmCode, str] = {
    AlarmCode.HEIDI_UNREACHABLE: "Heidi cannot be reached for more than 30 minutes. Nothing is lost: what was made meanwhile is filed when it is back. Look at Heidi's status page and at this machine's network.",
    AlarmCode.CLINIKO_UNREACHABLE: "Cliniko cannot be reached for more than 30 minutes. Nothing is lost: what waits is filed when it is back. Look at Cliniko's status page and at this machine's network.",
    AlarmCode.HEIDI_KEY_REFUSED: "Heidi refuses the practice's key: no document is found any more. Put a working key in the settings.",
    AlarmCode.CLINIKO_KEY_REFUSED: "Cliniko refuses the clinician's key, it is somebody else's, or its user may not write notes: their documents wait. `sync-worker check` says which, and what to do.",
    AlarmCode.UNLINKED: "The clinician's Heidi account is not linked: their documents are not found. Link it with `sync-worker link`.",
    AlarmCode.STALLED: "Nothing was read in Heidi lately, or a trouble that is neither Heidi's nor Cliniko's has lasted for more than 30 minutes. `sync-worker status` names it, and the log tells more.",
    AlarmCode.WAITING: "A document has been waiting for more than a working day. Decide about it on the review page.",
    AlarmCode.NOT_LISTED: "A walk through Heidi's whole list found a session that the polls had not shown. It is taken in, later than it should be: tell Heidi's support, and lower SYNC_SWEEP_INTERVAL_SECONDS if it happens again.",
    AlarmCode.CHANGED_UNSEEN: "A walk through Heidi's whole list found a change that the polls had not shown. It is taken in, later than it should be: tell Heidi's support, and lower SYNC_SWEEP_INTERVAL_SECONDS if it happens again.",
    AlarmCode.NOTHING_FILED: "Today's diary in Cliniko has attended appointments, and Heidi brought no document. Look whether clinicians use Heidi's templates, and whether their accounts are linked.",
    AlarmCode.LEDGER: "The ledger cannot be read or written: nothing is filed until it can. Look at the disk's free space and at the database.",
    AlarmCode.CLOCK: "This machine's clock is more than five minutes off. Set it right, and keep it so with a time service such as systemd-timesyncd.",
}
"""What each means and what to do, where the cause itself does not say it."""


def trouble_of(error: Exception) -> Trouble:
    """What stopped a tick, for `once --json`, `status` and the log: never the error's own text."""
    match error:
        case RemoteError():
            return Trouble(f"{error.service}_{error.code}", error.sentence)
        case LedgerUnavailable():
            return Trouble("ledger_unavailable", str(error))
        case LedgerMismatch():
            return Trouble("ledger_version", str(error))
        case ConfigurationError():
            return Trouble("settings", error.sentence)
        case LeaseLost():
            hint = "This worker lost its hold on the clinician, or was held up before a request: it starts anew."
            return Trouble("lease_lost", hint)
    return Trouble("unexpected", "An unexpected error, which is ours: the log names its place. The entry is kept.")
