"""Log lines: events and facts get through, a patient never does, whoever speaks and however."""

import ast
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import httpx
import pytest
import stamina
import structlog

from sync_worker.errors import NotAuthorised, Unavailable
from sync_worker.lifecycle import after_post
from sync_worker.logs import KNOWN, Format, configure_logging, get_logger, quiet_stamina
from sync_worker.model import Refused
from sync_worker.records import Reason, Status

PACKAGE = Path(__file__).parent.parent / "sync_worker"
MARKED = "Marigold Testpatient 1980-04-07"
FORMATS: list[Format] = ["json", "console"]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Everything that configure_logging changes for the whole process is put back."""
    root = logging.getLogger()
    kept = root.handlers[:], root.level, logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    logging.captureWarnings(False)
    root.handlers[:], root.level, logging.raiseExceptions = kept
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    stamina.instrumentation.set_on_retry_hooks(None)


@pytest.fixture(params=FORMATS)
def at_debug(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """Both formats, at the level that tells most."""
    configure_logging(level="DEBUG", fmt=request.param)
    return capsys


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def the_line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    (line,) = lines(capsys)
    return line


def said(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert err, "nothing was logged at all"
    for part in ("marigold", "testpatient", r"\b1980\b"):  # a microsecond may hold any four digits
        assert re.search(part, out + err, re.IGNORECASE) is None
    return err


# ---------------------------------------------------------------- what gets through


def test_why_cliniko_refused_a_note_can_be_read_in_the_log(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="INFO", fmt="json")
    code = after_post(Refused(422, ("title", "patient_id")), arrived_whole=True).code
    get_logger().info("note.amended", kind="update", code=code)
    line = the_line(capsys)
    assert (line["kind"], line["code"]) == ("update", "http_422_title_patient_id")


def test_an_event_and_its_facts_become_one_json_line_on_stderr(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="INFO", fmt="json")
    get_logger().info(
        "note.posted",
        entry=12,
        attempt=1,
        clinician="A. O'Physio",
        session_id="12345678901234567890123456789012345678",
        note_id="1234567890123456789",
        reference="7ZK3M0QX",
        seconds=0.25,
    )
    line = the_line(capsys)
    assert datetime.fromisoformat(str(line.pop("timestamp"))).utcoffset().total_seconds() == 0
    assert line == {
        "level": "info",
        "event": "note.posted",
        "clinician": "A. O'Physio",
        "entry": 12,
        "attempt": 1,
        "session_id": "12345678901234567890123456789012345678",
        "note_id": "1234567890123456789",
        "reference": "7ZK3M0QX",
        "seconds": 0.25,
    }


def test_statuses_and_reasons_are_written_as_words(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="INFO", fmt="json")
    get_logger().info("entry.held", status=Status.REVIEW, reason=Reason.NO_MATCH)
    line = the_line(capsys)
    assert (line["status"], line["reason"]) == ("review", "no_match")
    assert "dropped" not in line


def test_facts_bound_once_stand_on_every_line(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="INFO", fmt="json")
    structlog.contextvars.bind_contextvars(clinician="physio-1")
    log = get_logger().bind(entry=7)
    log.info("attempt.started")
    log.info("attempt.ended")
    assert [(one["clinician"], one["entry"]) for one in lines(capsys)] == [("physio-1", 7)] * 2


def test_lines_below_the_level_are_left_out(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="warning", fmt="json")
    get_logger().info("tick.ended")
    get_logger().warning("tick.slow")
    assert the_line(capsys)["event"] == "tick.slow"


def test_a_logger_made_before_the_configuration_follows_it(capsys: pytest.CaptureFixture[str]):
    early = get_logger()
    configure_logging(level="ERROR", fmt="json")
    early.info("tick.started")
    early.error("tick.failed")
    assert the_line(capsys)["event"] == "tick.failed"


def test_an_unknown_level_is_refused():
    with pytest.raises(KeyError):
        configure_logging(level="LOUD", fmt=None)


def test_without_a_terminal_the_format_is_json(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="INFO", fmt=None)
    get_logger().info("worker.started")
    assert the_line(capsys)["event"] == "worker.started"


def test_a_terminal_gets_a_line_for_people(monkeypatch: pytest.MonkeyPatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    configure_logging(level="INFO", fmt=None)
    get_logger().info("worker.started", mode="rehearse")
    assert "worker.started" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


# ---------------------------------------------------------------- what does not


def test_a_patients_name_in_an_event_or_a_fact_is_dropped_and_counted(at_debug: pytest.CaptureFixture[str]):
    log = get_logger()
    log.debug(f"posted the note of {MARKED}")
    log.info("note.posted %s", MARKED)
    log.info("note.posted", patient=MARKED, name=MARKED, reason=MARKED, status=MARKED, entry=MARKED)
    log.bind(**{MARKED: 1}).warning("note.posted", stack_info=True, code=[MARKED])
    text = said(at_debug)
    assert text.count("log.unnamed") == 2
    assert "dropped" in text


def test_what_was_dropped_is_counted(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="DEBUG", fmt="json")
    get_logger().info("note.posted", entry=3, patient=MARKED, reason=MARKED, note_id=None)
    line = the_line(capsys)
    assert (line["entry"], line["dropped"]) == (3, 2)
    assert line.keys() == {"timestamp", "level", "event", "entry", "dropped"}


@pytest.mark.parametrize("key", sorted(KNOWN.keys() - {"timestamp", "level", "event"}))
def test_no_known_fact_carries_a_name_with_a_birth_date(key: str, at_debug: pytest.CaptureFixture[str]):
    for value in (MARKED, [MARKED], {"x": MARKED}, MARKED.encode(), ValueError(MARKED), f"a\n{MARKED}"):
        get_logger().info("fact.tried", **{key: value})
    text = at_debug.readouterr().err
    if key == "clinician":  # a clinician's name is free text, of letters and blanks and digits
        assert f"a\\n{MARKED}" not in text
        return
    assert "fact.tried" in text
    assert "Marigold" not in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("session_id", "Testpatient"),
        ("note_id", 1234567890123456789),
        ("count", 1234567890123456789),
        ("count", True),
        ("seconds", float("nan")),
        ("reference", "marigold"),
        ("reason", "No Match"),
        ("status", "marigold"),
        ("patient_id", "1234567890123456789"),
        ("error", "ValueError: Marigold"),
        ("dropped", 0),
    ],
)
def test_a_value_that_is_not_of_its_keys_kind_is_dropped(key: str, value: object, capsys: pytest.CaptureFixture[str]):
    configure_logging(level="DEBUG", fmt="json")
    get_logger().info("fact.tried", **{key: value})
    line = the_line(capsys)
    assert line["dropped"] == 1
    assert key == "dropped" or key not in line


@pytest.mark.parametrize(
    "value",
    [date(1980, 4, 7), "1980-04-07", datetime(1980, 4, 7)],  # noqa: DTZ001 - a birth date in disguise
)
def test_a_moment_without_its_offset_is_none(value: object):
    assert KNOWN["timestamp"](value) is None


def test_the_list_holds_what_log_lines_pass_and_nothing_besides():
    passed = {key for path in PACKAGE.rglob("*.py") for key in facts_passed(ast.parse(path.read_text()))}
    of_errors = {"error", "cause", "place", "code", "service", "operation", "http_status", "retry_after"}
    of_every_line = {"timestamp", "level", "event"}
    assert set(KNOWN) == passed | of_errors | of_every_line


def facts_passed(tree: ast.AST) -> set[str]:
    """The names of the facts that calls of a logger pass, `log` or what `get_logger()` gives."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("log") | ast.Call(func=ast.Name("get_logger")))):
                found |= {one.arg for one in node.keywords if one.arg} - {"exc_info"}
    return found


def test_an_exception_leaves_its_class_and_place_and_never_its_text(at_debug: pytest.CaptureFixture[str]):
    patient = MARKED
    try:
        int(patient)
    except ValueError:
        get_logger().exception("entry.failed")
    text = said(at_debug)
    assert "ValueError" in text
    assert "Traceback" not in text


def test_an_exception_of_ours_tells_its_code_service_and_cause(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="DEBUG", fmt="json")
    try:
        try:
            raise httpx.ConnectTimeout(MARKED)
        except httpx.ConnectTimeout as error:
            raise Unavailable("cliniko", "find_patients", status=503, retry_after=2.5, hint=MARKED) from error
    except Unavailable as error:
        get_logger().warning("tick.stopped", exc_info=error)
    line = the_line(capsys)
    assert (line["error"], line["cause"], line["code"]) == ("Unavailable", "ConnectTimeout", "unavailable")
    assert (line["service"], line["operation"]) == ("cliniko", "find_patients")
    assert (line["http_status"], line["retry_after"]) == (503, 2.5)
    assert "dropped" not in line


def test_a_bug_of_ours_is_found_by_its_file_and_line(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="DEBUG", fmt="json")
    try:
        configure_logging(level="LOUD", fmt="json")
    except KeyError as error:
        get_logger().error("command.failed", exc_info=error)
    file, number = str(the_line(capsys)["place"]).split(":")
    assert file == "logs.py"
    assert int(number) > 0


def test_a_librarys_record_becomes_its_name_and_level(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="DEBUG", fmt="json")
    logging.getLogger("httpx").error("GET https://x/?q=%s", MARKED, extra={"patient": MARKED})
    line = the_line(capsys)
    del line["timestamp"]
    assert line == {"level": "error", "event": "library.log", "logger": "httpx"}


def test_no_library_can_speak_of_a_patient(at_debug: pytest.CaptureFixture[str]):
    for name in ("httpx", "apscheduler.scheduler", "sqlalchemy.engine", "alembic", "root", MARKED, "marigold"):
        logger = logging.getLogger(name)
        logger.info("ignored %s", MARKED)
        logger.warning("said %s of %d", MARKED, "no number")
        try:
            raise RuntimeError(MARKED)
        except RuntimeError:
            logger.exception("failed with %s", MARKED, stack_info=True)
    assert said(at_debug).count("library.log") == 14


def test_a_library_that_sets_its_own_level_is_not_heard_below_warning(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="DEBUG", fmt="json")
    chatty = logging.getLogger("httpcore.chatty")
    chatty.setLevel(logging.DEBUG)
    chatty.debug(MARKED)
    chatty.info(MARKED)
    assert lines(capsys) == []


def test_a_request_with_a_name_in_its_address_leaves_no_trace(at_debug: pytest.CaptureFixture[str]):
    answer = httpx.MockTransport(lambda request: httpx.Response(404))
    with httpx.Client(transport=answer) as client:
        response = client.get("https://api.au1.cliniko.com/v1/patients", params={"q": MARKED})
    try:
        response.raise_for_status()
    except httpx.HTTPStatusError:
        get_logger().exception("request.refused")
    assert "HTTPStatusError" in said(at_debug)


def test_a_warning_that_quotes_its_input_is_not_quoted(at_debug: pytest.CaptureFixture[str]):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)  # pytest records warnings itself: take them back for this test
        warnings.warn(MARKED, UserWarning, stacklevel=1)
        logging.captureWarnings(False)
    assert "library.log" in said(at_debug)


def test_handlers_that_were_there_before_are_silenced(at_debug: pytest.CaptureFixture[str]):
    logging.getLogger().addHandler(logging.StreamHandler())
    configure_logging(level="DEBUG", fmt="json")
    logging.getLogger("alembic").error(MARKED)
    assert "library.log" in said(at_debug)


def test_an_exception_that_nobody_caught_is_named_and_not_told(at_debug: pytest.CaptureFixture[str]):
    def fail() -> None:
        raise LookupError(MARKED)

    thread = threading.Thread(target=fail, name=MARKED)
    thread.start()
    thread.join()
    try:
        fail()
    except LookupError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    text = said(at_debug)
    assert text.count("error.uncaught") == text.count("LookupError") == 2


def test_before_any_configuration_lines_are_filtered_and_kept_off_stdout(capsys: pytest.CaptureFixture[str]):
    structlog.reset_defaults()
    get_logger().info("note.posted", patient=MARKED)
    assert capsys.readouterr().out == ""
    get_logger().info("note.posted", patient=MARKED)
    assert "dropped" in said(capsys)


def test_a_retry_tells_its_number_and_wait_and_not_what_was_asked(at_debug: pytest.CaptureFixture[str]):
    quiet_stamina()

    @stamina.retry(on=Unavailable, attempts=2, wait_initial=0.0, wait_jitter=0.0)
    def find_patients(name: str) -> None:
        raise Unavailable("cliniko", "find_patients", status=502)

    with pytest.raises(Unavailable):
        find_patients(MARKED)
    text = said(at_debug)
    assert text.count("request.retried") == 1
    for word in ("cliniko", "find_patients", "502", "attempt", "seconds"):
        assert word in text


def test_a_refused_key_is_told_by_its_code(capsys: pytest.CaptureFixture[str]):
    configure_logging(level="INFO", fmt="json")
    get_logger().error("tick.stopped", exc_info=NotAuthorised("heidi", "sign_in", status=401))
    assert the_line(capsys)["code"] == "key_refused"


# ---------------------------------------------------------------- a line that cannot be written


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_log_that_cannot_be_written_does_not_stop_the_worker(fmt: Format, monkeypatch: pytest.MonkeyPatch):
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    closed = io.StringIO()
    closed.close()
    configure_logging(level="INFO", fmt=fmt)
    for stderr in (Broken(), closed, None):
        monkeypatch.setattr(sys, "stderr", stderr)
        get_logger().info("note.posted", entry=1)
        logging.getLogger("httpx").error("x")
