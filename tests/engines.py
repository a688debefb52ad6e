"""Engines that outlive a story: to open a connection and to compile a statement takes longer than to use it."""

from unittest.mock import patch

from sqlalchemy import Engine
from sqlalchemy.pool import QueuePool

from sync_worker.ledger import storage


def kept_open(url: str, *, pooled: bool = False) -> Engine:
    """An engine that keeps its connections, for one thread. Dispose of it before the ledger's file is replaced."""
    with patch.object(storage, "NullPool", QueuePool):
        return storage.open_engine(url, pooled=pooled)
