"""Errors become advice here: one sentence on stderr, the right exit code, and never a traceback."""

import json
import sys
from collections.abc import Callable, Sequence
from io import TextIOWrapper

from sync_worker.errors import (
    ConfigurationError,
    LedgerMismatch,
    LedgerUnavailable,
    NotPossible,
    RemoteError,
    Stopping,
    SyncWorkerError,
)

DONE, PARTLY, SETTINGS_WRONG, HELD_ELSEWHERE = 0, 1, 2, 3
ONE_AT_A_TIME = "One worker files for a clinician at a time: let that one do it, or stop it first."


def exit_code_of(command: Callable[[], int], *, as_json: bool) -> int:
    """Run a command; give back its exit code, or tell what went wrong and give back that failure's."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a sign that the terminal has not is told by its number
    try:
        return command()
    except ConfigurationError as error:
        return report("settings", error.problems, SETTINGS_WRONG, as_json=as_json)
    except LedgerMismatch as error:
        return report("ledger_version", [str(error)], SETTINGS_WRONG, as_json=as_json)
    except LedgerUnavailable as error:
        return report("ledger_unavailable", [str(error)], PARTLY, as_json=as_json)
    except NotPossible as error:
        return report("not_possible", [str(error)], PARTLY, as_json=as_json)
    except RemoteError as error:
        return report(f"{error.service}_{error.code}", [error.sentence], PARTLY, as_json=as_json)
    except Stopping:
        return report("stopped", ["Stopped before the end, as asked."], PARTLY, as_json=as_json)
    except BrokenPipeError:
        return PARTLY  # whoever read our output went away
    except KeyboardInterrupt:
        return PARTLY
    except SyncWorkerError as error:
        return report(
            "error",
            [f"The program stopped over an error of its own ({type(error).__name__})."],
            PARTLY,
            as_json=as_json,
        )
    except Exception as error:  # noqa: BLE001 - the text of a foreign error may hold anything: its class must do
        return report("unexpected", [_unexpected(error)], PARTLY, as_json=as_json)


def report(code: str, problems: Sequence[str], exit_code: int, *, as_json: bool) -> int:
    """Say what is wrong, every problem of it, and give back the exit code."""
    if as_json:
        print_json({"error": {"code": code, "problems": list(problems)}})
    else:
        for problem in problems:
            print(f"sync-worker: {problem}", file=sys.stderr)  # noqa: T201 - a command talks to a person
    return exit_code


def print_json(value: object) -> None:
    """The one JSON object of a `--json` run."""
    print(json.dumps(value))  # noqa: T201 - this is the output


def say(sentence: str) -> None:
    """Tell the person at the terminal."""
    print(sentence)  # noqa: T201 - this is the output


def _unexpected(error: Exception) -> str:
    innermost = error.__traceback__
    step = innermost
    while step is not None:
        if "sync_worker" in step.tb_frame.f_code.co_filename:
            innermost = step
        step = step.tb_next
    where = f" at {innermost.tb_frame.f_code.co_name}:{innermost.tb_lineno}" if innermost else ""
    return f"An unexpected error, which is ours ({type(error).__name__}{where}). Nothing is lost: please report it."
