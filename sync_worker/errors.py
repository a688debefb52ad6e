"""What can go wrong, named for what the caller should do.

    SyncWorkerError
    ├─ ConfigurationError     say it plainly, list every problem, exit 2; no traceback
    ├─ RemoteError            carries service, operation, status, retry_after; never a body or an address
    │  ├─ Unavailable         no usable answer: a read may be tried again, a write is in doubt
    │  │  ├─ NotConnected     no byte of the request left this machine
    │  │  └─ RateLimited      the service named a time to come back
    │  ├─ Rejected            certainly refused: a person must look
    │  │  └─ NotAuthorised    the key's trouble: stop this clinician's tick, say so
    │  │     └─ NotLinked     the clinician's Heidi account is not linked
    │  └─ InvalidResponse     we cannot understand the answer
    ├─ ConversionError        this document cannot become a note: review
    ├─ NotTold                a message could not be sent to a person: say what to check
    ├─ Stopping               the process was asked to stop: leave the rest for the next start
    ├─ NotPossible            a person's wish does not fit where things stand: say why
    ├─ LedgerUnavailable      the database cannot be read or written now: try later
    ├─ LedgerMismatch         the ledger is of another version of this program
    ├─ LeaseLost              somebody else works for this clinician now: stop at once
    ├─ EntryMoved             a person was faster with this entry: leave it
    └─ LedgerError            an illegal move or a broken constraint: our bug, loud

No message ever holds a patient's data: callers may print them as they are.
"""

from collections.abc import Sequence


class SyncWorkerError(Exception):
    """Root of everything this program raises on purpose."""


class ConfigurationError(SyncWorkerError):
    """Settings are wrong. `problems` holds one sentence each, saying what to do."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)

    @property
    def sentence(self) -> str:
        """All of them, for a person."""
        return " ".join(self.problems)


class RemoteError(SyncWorkerError):
    """A request to Heidi or Cliniko did not end as hoped.

    `service` is "heidi" or "cliniko", `operation` our own name of the request, `status` the HTTP status if one
    came, `code` a short word for logs and JSON, `hint` one sentence for a person.
    """

    code = "remote_error"

    def __init__(
        self,
        service: str,
        operation: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        hint: str = "",
        code: str | None = None,
    ) -> None:
        self.code = code or self.code
        super().__init__(f"{service} {operation}: {self.code}" + (f" ({status})" if status else ""))
        self.service = service
        self.operation = operation
        self.status = status
        self.retry_after = retry_after
        self.hint = hint

    @property
    def sentence(self) -> str:
        """What to tell a person: never the service's own text."""
        return self.hint or f"{self.service.capitalize()} cannot be reached or does not answer: try again later."


class Unavailable(RemoteError):
    """No usable answer came: a read may be tried again, a write is in doubt."""

    code = "unavailable"


class NotConnected(Unavailable):
    """No connection was made, so no byte of the request left this machine."""

    code = "not_connected"


class RateLimited(Unavailable):
    """The service asked us to come back after `retry_after` seconds."""

    code = "rate_limited"


class Rejected(RemoteError):
    """The service understood and said no."""

    code = "rejected"


class NotAuthorised(Rejected):
    """The key or token is refused, or its user may not do this."""

    code = "key_refused"


class NotLinked(NotAuthorised):
    """The clinician's Heidi account is not linked to this program."""

    code = "not_linked"


class InvalidResponse(RemoteError):
    """The answer is not what the service's reference describes."""

    code = "invalid_response"


class ConversionError(SyncWorkerError):
    """This document cannot become a note. `code` is a review reason's detail, never its text."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotTold(SyncWorkerError):
    """A message could not be sent to a person; its text is a sentence that says what to check."""


class Stopping(SyncWorkerError):
    """The process was asked to stop; whatever is not done yet is done at the next start."""


class NotPossible(SyncWorkerError):
    """A person's wish does not fit where things stand. The message says why, and what does."""


class LedgerUnavailable(SyncWorkerError):
    """The ledger's database cannot be opened, read or written now. The message says what to do."""


class LedgerMismatch(SyncWorkerError):
    """The ledger was written by another version of this program. The message says what to do."""


class LeaseLost(SyncWorkerError):
    """Somebody else works for this clinician now: stop at once."""


class EntryMoved(SyncWorkerError):
    """The entry does not stand any more where the worker saw it, since a person was faster: leave it."""


class LedgerError(SyncWorkerError):
    """An illegal move or a broken promise inside the ledger: a bug of ours."""
