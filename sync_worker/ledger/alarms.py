"""Which alarms people were told of: kept, so that a worker that starts anew neither repeats nor forgets one."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, delete, select, update

from sync_worker.ledger.moves import insert_once
from sync_worker.ledger.storage import reading, writing
from sync_worker.ledger.tables import AlarmRow, Installation


@dataclass(frozen=True, slots=True)
class Open:
    """An alarm that began and has not ended. `seen_at`: when its cause last stood; `told`: whether anybody could be."""

    code: str
    level: str
    began_at: datetime
    seen_at: datetime
    told: bool


class Alarms:
    """The alarms' rows. One method is one transaction; all raise `LedgerUnavailable`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(self) -> dict[str, Open]:
        """The alarms that have not ended, by code, oldest first."""
        columns = (AlarmRow.code, AlarmRow.level, AlarmRow.began_at, AlarmRow.seen_at, AlarmRow.told)
        with reading(self._engine) as db:
            return {row.code: Open(*row) for row in db.execute(select(*columns).order_by(AlarmRow.began_at))}

    def keep(self, changed: Iterable[Open], ended: Iterable[str]) -> None:
        """Keep alarms that began or changed, and forget those that have ended; another worker's stay as they are."""
        with writing(self._engine) as db:
            db.execute(delete(AlarmRow).where(AlarmRow.code.in_(list(ended))))
            for one in changed:
                values = {name: getattr(one, name) for name in Open.__slots__}
                insert_once(db, AlarmRow, values)
                db.execute(update(AlarmRow).where(AlarmRow.code == one.code).values(**values))

    def digest_at(self) -> datetime | None:
        """When people were last told how things stand."""
        with reading(self._engine) as db:
            return db.execute(select(Installation.digest_at)).scalar()

    def remember_digest(self, at: datetime) -> None:
        """People were told how things stand."""
        with writing(self._engine) as db:
            db.execute(update(Installation).values(digest_at=at))
