"""Reading ahead: what the next documents in line will need is asked for while the first one's note is on its way.

Requests are long and POSTs go one at a time, so that a backlog would else use a part of the rate budget only. Nothing
is decided here: answers are left where whoever delivers finds them, or asks anew. What cannot be read ahead is not.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import islice

from sync_worker.cliniko import ClinikoClient
from sync_worker.errors import RateLimited
from sync_worker.logs import get_logger
from sync_worker.model import Entry
from sync_worker.patients import Patients
from sync_worker.prepare import Preparer
from sync_worker.reading import SessionReader

log = get_logger()

DEPTH = 4
"""Entries that are read ahead, beside each other. What is read must still be fresh when its turn comes."""


def readers() -> Executor:
    """Threads for one run over the entries."""
    return ThreadPoolExecutor(DEPTH, thread_name_prefix="ahead")


class ReadAhead:
    """Reads ahead for one clinician's deliveries."""

    def __init__(
        self,
        *,
        reader: SessionReader,
        preparer: Preparer,
        patients: Patients,
        cliniko: ClinikoClient,
        is_as_met: Callable[[Entry, str], bool],
    ) -> None:
        """`patients` asks by `cliniko`, which must never make a note wait for its turn.

        `is_as_met` tells whether an entry with this text is one that may be filed now.
        """
        self._reader = reader
        self._preparer = preparer
        self._patients = patients
        self._cliniko = cliniko
        self._is_as_met = is_as_met
        self._readers = readers
        self._is_over = False

    def close(self) -> None:
        """Let go of all connections."""
        self._cliniko.close()

    def along(self, entries: Iterator[Entry]) -> Generator[Entry, None, None]:
        """The entries in their order, those behind each of them being read meanwhile.

        Close it where it is left before its end: then nothing is being read any more.
        """
        line = deque(islice(entries, DEPTH + 1))
        if len(line) < 2:
            yield from line
            return
        self._is_over = False
        reading = self._readers()
        try:
            for entry in islice(line, 1, None):
                reading.submit(self._read_safely, entry)
            while line:
                yield line.popleft()
                for entry in islice(entries, 1):
                    line.append(entry)
                    reading.submit(self._read_safely, entry)
        finally:
            self._is_over = True
            reading.shutdown(wait=True, cancel_futures=True)

    def _read_safely(self, entry: Entry) -> None:
        """Read what an entry needs. After the first failure whoever delivers asks alone, as it must judge it."""
        if self._is_over:
            return
        try:
            self._read(entry)
        except RateLimited:
            return
        except Exception as error:  # noqa: BLE001 - whoever delivers meets it again, and judges it
            self._is_over = True
            log.info("ahead.over", entry=entry.entry_id, error=type(error).__name__)

    def _read(self, entry: Entry) -> None:
        """Ask what delivering will ask, in its order, as far as nothing says that it will not come to that."""
        document = self._reader.document(entry.session_id, entry.document_id)
        if document is None or not self._is_as_met(entry, document.content):
            return
        session = self._reader.session(entry.session_id)
        if session is not None and self._preparer.may_be_filed(document, entry):
            self._patients.read_ahead(session, entry)
