"""Log lines: an event's name and facts about it, on stderr, and nothing that could say who a patient is.

Owns the one list of what may be logged. A key that is not on it, or a value that is not of its key's kind, is dropped
and counted; an exception becomes its class, our code and a place in our source, never its text; a library's record
becomes the library's name. It refuses free text at every level, DEBUG included: a list of what is forbidden always
misses something, a list of what is allowed does not.
"""

import logging
import math
import re
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Literal, cast

import stamina.instrumentation
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from sync_worker.errors import RemoteError, SyncWorkerError
from sync_worker.records import Status

Format = Literal["json", "console"]
Check = Callable[[object], object | None]
"""The value as it may be logged, or None where it may not."""


def _text(pattern: str, *, flags: re.RegexFlag = re.ASCII) -> Check:
    compiled = re.compile(pattern, flags)
    return lambda value: str(value) if isinstance(value, str) and compiled.fullmatch(value) else None


def _whole(value: object) -> object | None:
    """A count; too small for a Cliniko id, which would tell a chart."""
    return value if type(value) is int and abs(value) < 10**12 else None


def _number(value: object) -> object | None:
    return value if type(value) in (int, float) and math.isfinite(cast(float, value)) else None


def _status(value: object) -> object | None:
    return str(value) if isinstance(value, str) and value in set(Status) else None


def _moment(value: object) -> object | None:
    """A moment with its offset. A date alone is refused: it could be a birth date."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else value
    except ValueError:
        return None
    return moment.isoformat() if isinstance(moment, datetime) and moment.tzinfo else None


_CODE = _text(r"[a-z][a-z0-9_]{0,47}")
# An id of either service holds a digit; a name of one word does not.
_ID = _text(r"(?=[^0-9]*[0-9])[A-Za-z0-9_-]{1,64}")
_CLINICIAN = _text(r"[\w .'-]{1,80}", flags=re.UNICODE)
_REFERENCE = _text(r"[0-9A-HJKMNP-TV-Z]{8}")  # Crockford's base 32
_CLASS = _text(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PLACE = _text(r"[a-z_0-9]{1,40}\.py:[0-9]{1,6}")
_HOST = _text(r"[A-Za-z0-9:][A-Za-z0-9.:-]{0,252}")
_EVENT = _text(r"[a-z][a-z0-9_]{0,31}(?:\.[a-z][a-z0-9_]{0,31}){1,3}")
_LEVEL = _text(r"debug|info|warning|error|critical")
_MODULE = _text(r"[A-Za-z_][A-Za-z0-9_.]{0,79}")


def _entry(value: object) -> object | None:
    return _whole(value) if isinstance(value, int) else _ID(value)


KNOWN: Mapping[str, Check] = MappingProxyType(
    {
        "timestamp": _moment,
        "level": _LEVEL,
        "event": _EVENT,
        # what it is about
        "clinician": _CLINICIAN,
        "entry": _entry,
        "attempt": _whole,
        "session_id": _ID,
        "note_id": _ID,
        "reference": _REFERENCE,
        # what became of it
        "status": _status,
        "reason": _CODE,
        "code": _CODE,
        "action": _CODE,
        "kind": _CODE,
        "rule": _entry,
        "candidates": _whole,
        "looks": _whole,
        # talking to a service
        "service": _CODE,
        "operation": _CODE,
        "http_status": _whole,
        "host": _HOST,
        "port": _whole,
        "retry_after": _number,
        # how many, how long
        "count": _whole,
        "sessions_seen": _whole,
        "documents_seen": _whole,
        "posted": _whole,
        "review": _whole,
        "pending": _whole,
        "in_doubt": _whole,
        "skipped": _whole,
        "evidence": _whole,
        "hashes": _whole,
        "sessions": _whole,
        "logins": _whole,
        "seconds": _number,
        # the worker itself
        "mode": _CODE,
        # what went wrong
        "error": _CLASS,
        "cause": _CLASS,
        "place": _PLACE,
        "logger": _MODULE,
    }
)
"""Everything that a log line may hold, and what each value must be. Patient ids are not in it."""


def get_logger() -> FilteringBoundLogger:
    """A logger; until `configure_logging` was called it filters all the same."""
    if not structlog.is_configured():
        _configure_structlog(logging.INFO, None)
    return cast(FilteringBoundLogger, structlog.get_logger())


def configure_logging(*, level: str, fmt: Format | None) -> None:
    """Set up every way by which this process could write a log line.

    `level` is a name such as "INFO"; `fmt` None means JSON unless stderr is a terminal. Raises KeyError for an
    unknown level. Libraries are heard from WARNING on, whatever the level.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    _configure_structlog(number, fmt)
    root = logging.getLogger()
    root.handlers[:] = [_LibraryHandler(max(number, logging.WARNING))]
    root.setLevel(max(number, logging.WARNING))
    logging.captureWarnings(True)  # a warning's text may quote what it warns of
    logging.raiseExceptions = False  # a failing handler would print the record's arguments
    _guard_uncaught()


def quiet_stamina() -> None:
    """Log a retry without the arguments of the call, which stamina's own hooks would print."""
    stamina.instrumentation.set_on_retry_hooks([_log_retry])


def _log_retry(details: stamina.instrumentation.RetryDetails) -> None:
    error = details.caused_by
    get_logger().warning(
        "request.retried", attempt=details.retry_num, seconds=round(details.wait_for, 3), **_error_facts(error)
    )


def _configure_structlog(level: int, fmt: Format | None) -> None:
    as_json = fmt == "json" or (fmt is None and not _Stderr().isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_known,
            _renderer(as_json=as_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=cast(Any, _Stderr())),
        cache_logger_on_first_use=False,  # loggers made at import must follow the configuration made later
    )


def _renderer(*, as_json: bool) -> Processor:
    if as_json:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=_Stderr().isatty())


def _only_known(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The filter: the last to touch a line before it is written."""
    error = _exception_of(event.pop("exc_info", None))
    facts = {**event, **(_error_facts(error) if error is not None else {})}
    # None says "nothing to say": leaving it out is no loss.
    told = {key for key, value in facts.items() if value is not None}
    passed: dict[str, Any] = {}
    for key, check in KNOWN.items():
        if key in told and (value := check(facts[key])) is not None:
            passed[key] = value
    dropped = len(told - passed.keys())
    passed.setdefault("event", "log.unnamed")
    return passed | ({"dropped": dropped} if dropped else {})


def _exception_of(exc_info: object) -> BaseException | None:
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case None | False:
            return None
    return sys.exc_info()[1]


def _error_facts(error: BaseException) -> dict[str, object]:
    """What may be said of an exception: classes, our own code, and the line of ours it came through; never its text."""
    facts: dict[str, object] = {"error": type(error).__name__, "place": _place(error.__traceback__)}
    if cause := error.__cause__ or error.__context__:
        facts["cause"] = type(cause).__name__
    if isinstance(error, SyncWorkerError) and hasattr(error, "code"):
        facts["code"] = error.code
    if isinstance(error, RemoteError):
        facts |= {"service": error.service, "operation": error.operation}
        facts |= {"http_status": error.status, "retry_after": error.retry_after}
    return {key: value for key, value in facts.items() if value is not None}


def _place(traceback: TracebackType | None) -> str | None:
    """The innermost line of this package: with no text and no locals, it is what a bug report has left."""
    place = None
    ours = str(Path(__file__).parent)
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file.startswith(ours):
            place = f"{Path(file).name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


class _LibraryHandler(logging.Handler):
    """Says that a library spoke, not what it said: httpx writes addresses, SQLAlchemy values, APScheduler errors."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's logger, where that is a module's name, its level, and the class of its exception."""
        module = record.name if record.name.partition(".")[0] in sys.modules else None
        level = min(record.levelno // 10 * 10, logging.CRITICAL)
        get_logger().log(level, "library.log", logger=module, exc_info=record.exc_info)


class _Stderr:
    """The process's stderr of the moment. A log line that cannot be written must not stop a tick half-way."""

    def write(self, text: str) -> int:
        try:
            return sys.stderr.write(text)
        except (OSError, ValueError, AttributeError):  # closed, broken pipe, disk full, no stderr at all
            return 0

    def flush(self) -> None:
        try:
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            return

    def isatty(self) -> bool:
        try:
            return sys.stderr.isatty()
        except (ValueError, AttributeError):
            return False


def _guard_uncaught() -> None:
    """Python prints an exception that nobody caught with its text: say its class instead."""
    sys.excepthook = lambda kind, error, traceback: _log_uncaught(error)
    threading.excepthook = lambda args: _log_uncaught(args.exc_value)
    sys.unraisablehook = lambda args: _log_uncaught(args.exc_value)


def _log_uncaught(error: BaseException | None) -> None:
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return
    get_logger().critical("error.uncaught", exc_info=error)
