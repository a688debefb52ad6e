"""Reading ahead: what the next documents in line will need is asked for while the first one's note is on its way.

Requests are long and POSTs go one at a time, so that a backlog would else use a part of the rate budget only. Nothing
is decided here: answers are left where whoever delivers finds them, or asks anew. What cannot be read ahead is not.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice

from sync_worker.cliniko import ClinikoClient
from sync_worker.errors import LedgerUnavailable, NotAuthorised, RateLimited, Stopping, Unavailable
from sync_worker.first_look import FirstLook
from sync_worker.http import asked_once
from sync_worker.identity import Identity
from sync_worker.logs import get_logger
from sync_worker.model import Document
from sync_worker.patients import Patients
from sync_worker.prepare import Preparer
from sync_worker.reading import SessionReader
from sync_worker.records import Entry

log = get_logger()

DEPTH = 4
"""Entries that are read ahead, beside each other. What is read must still be fresh when its turn comes."""
TROUBLE = (Unavailable, NotAuthorised, LedgerUnavailable, Stopping)
"""What is a service's trouble, and not one document's."""


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
        identity: Identity,
        first_look: FirstLook,
        was_rehearsed: Callable[[Entry, bytes], bool],
        keyed_hash: Callable[[str], bytes],
    ) -> None:
        """`patients` asks by `cliniko`, which must never make a note wait for its turn."""
        self._reader = reader
        self._preparer = preparer
        self._patients = patients
        self._cliniko = cliniko
        self._identity = identity
        self._first_look = first_look
        self._was_rehearsed = was_rehearsed
        self._keyed_hash = keyed_hash
        self._readers = readers
        self._is_over = False

    def close(self) -> None:
        """Let go of all connections."""
        self._cliniko.close()

    def along(self, entries: Iterator[Entry]) -> Generator[Entry, None, None]:
        """The entries in their order, those behind each of them being read meanwhile, from the second one on.

        With the first comes what is asked once a tick. Close it where it is left before its end: then nothing is being
        read any more.
        """
        yield from islice(entries, 1)
        line = deque(islice(entries, DEPTH))
        if len(line) < 2:
            yield from line
            return
        self._is_over = False
        reading = self._readers()
        try:
            for entry in line:
                self._begin(reading, entry)
            while line:
                yield line.popleft()
                for entry in islice(entries, 1):
                    line.append(entry)
                    self._begin(reading, entry)
        finally:
            self._is_over = True
            reading.shutdown(wait=True, cancel_futures=True)

    def _begin(self, reading: Executor, entry: Entry) -> None:
        with suppress(RuntimeError):  # the machine gives no thread: whoever delivers asks
            reading.submit(self._read_safely, entry)

    def _read_safely(self, entry: Entry) -> None:
        """Read what an entry needs. A service in trouble is asked by whoever delivers alone, as it must be judged."""
        if self._is_over:
            return
        try:
            with asked_once():
                self._read(entry)
        except TROUBLE as error:
            if not isinstance(error, RateLimited) or error.status is not None:  # else there was no place to spare
                self._is_over = True
        except Exception as error:  # noqa: BLE001 - whoever delivers meets it again, and judges it
            log.info("ahead.failed", entry=entry.entry_id, error=type(error).__name__)

    def _read(self, entry: Entry) -> None:
        """Ask what delivering will ask, in its order, as far as nothing says that it will not come to that."""
        document = self._reader.document(entry.session_id, entry.document_id)
        if document is None or not self._may_be_filed(entry, document):
            return
        session = self._reader.session(entry.session_id)
        if session is not None and self._identity.is_known():  # it gives the time zone, which says what today is
            self._patients.read_ahead(session, entry)

    def _may_be_filed(self, entry: Entry, document: Document) -> bool:
        text_hash = self._keyed_hash(document.content.strip())
        if text_hash != entry.text_hash or self._was_rehearsed(entry, text_hash):
            return False
        return self._first_look.is_new(entry.reference) and self._preparer.may_be_filed(document, entry)
