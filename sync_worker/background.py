"""Work in a thread that nobody has to wait for."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def start(work: Callable[[], T]) -> Future[T]:
    """Do this in a thread of its own, which nobody waits for at the end of the process."""
    told: Future[T] = Future()
    told.set_running_or_notify_cancel()

    def do() -> None:
        try:
            told.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whoever asked hears it
            told.set_exception(error)

    threading.Thread(target=do, name="page", daemon=True).start()
    return told
