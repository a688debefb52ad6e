"""The ledger's rows as such, whatever columns they have: summed up, and carried from one database to another.

Works from the tables' metadata alone. A sum is the same on SQLite and Postgres if the rows say the same.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Insert,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Select,
    String,
    Table,
    Text,
    bindparam,
    cast,
    func,
    insert,
    select,
    text,
)

from sync_worker.ledger.tables import Base

BATCH = 1000
VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


@dataclass(frozen=True, slots=True)
class Sum:
    """How many rows a table has, and a hash over all that they say."""

    count: int
    digest: str


Sums = Mapping[str, Sum]


def tables() -> list[Table]:
    """Every table of a ledger, those that others refer to first."""
    return [VERSION, *Base.metadata.sorted_tables]


def sums(db: Connection) -> Sums:
    """The sum of every table, as this transaction sees them."""
    found = {}
    for table in tables():
        adding = _Adding()
        for rows in db.execute(_all_of(table), execution_options={"yield_per": BATCH}).partitions():
            adding.add(rows)
        found[table.name] = adding.total()
    return found


def copy_rows(source: Connection, target: Connection) -> Sums:
    """Put every row of `source` into the empty tables of `target`; gives the sums of what was read."""
    found = {}
    for table in tables():
        adding, into = _Adding(), _into(table, target.dialect.name)
        for rows in source.execute(_all_of(table), execution_options={"yield_per": BATCH}).partitions():
            adding.add(rows)
            target.execute(into, [{_parameter(name): value for name, value in row._mapping.items()} for row in rows])
        found[table.name] = adding.total()
    return found


def make_tables(db: Connection) -> None:
    """Make every table of this program's version, in the caller's transaction."""
    VERSION.create(db)
    Base.metadata.create_all(db, checkfirst=False)


def clear(db: Connection) -> None:
    """Delete every row."""
    for table in reversed(tables()):
        db.execute(table.delete())


def follow_sequences(db: Connection) -> None:
    """Let each table's next row get a number beyond all that are there, and beyond all that were ever given out.

    SQLite does the first by itself.
    """
    if db.dialect.name != "postgresql":
        return
    for table in tables():
        for column in table.primary_key:
            query = text("SELECT pg_get_serial_sequence(:table, :column)")
            sequence = db.execute(query, {"table": table.name, "column": column.name}).scalar()
            highest = db.execute(select(func.max(column))).scalar() if sequence else None
            if highest is not None:
                ahead = f"SELECT setval('{sequence}', greatest(:highest, (SELECT last_value FROM {sequence})))"  # noqa: S608
                db.execute(text(ahead), {"highest": highest})


class _Adding:
    def __init__(self) -> None:
        self._count = 0
        self._hash = hashlib.sha256()

    def add(self, rows: Sequence[Row[Any]]) -> None:
        self._count += len(rows)
        for row in rows:
            self._hash.update(repr(tuple(row)).encode())

    def total(self) -> Sum:
        return Sum(self._count, self._hash.hexdigest())


def _all_of(table: Table) -> Select[Any]:
    """Every row in the order of its key. JSON as it is written: parsed, NULL and `null` would be one."""
    columns = [cast(one, Text).label(one.name) if isinstance(one.type, JSON) else one for one in table.columns]
    return select(*columns).order_by(*table.primary_key)


def _into(table: Table, dialect: str) -> Insert:
    return insert(table).values({one.name: _value_of(one, dialect) for one in table.columns})


def _value_of(column: Column[Any], dialect: str) -> Any:
    if not isinstance(column.type, JSON):
        return bindparam(_parameter(column.name), type_=column.type)
    written = bindparam(_parameter(column.name), type_=Text())
    return cast(written, JSON) if dialect == "postgresql" else written


def _parameter(column: str) -> str:
    return f"the_{column}"
