"""Who may ask Cliniko anything, and how often.

Owns the API key (Basic, the shard after its last hyphen), the User-Agent that names a contact, and the rate limit of a
user. What a role may read is each route's business. From Cliniko's reference, "Authentication", "Shards", "Identifying
your application" and "Rate limiting".
"""

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from sync_worker.sandbox.cliniko_records import UserRecord
from sync_worker.sandbox.wire import Request

WINDOW = timedelta(minutes=1)


def user_of(request: Request, users: Iterable[UserRecord], own_shard: str) -> UserRecord | None:
    """The key's user, or None. The shard may be sent or left out; a key of another shard is nobody's here."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        name = base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None
    body, shard = _split(name)
    if scheme.lower() != "basic" or not body or shard not in (None, own_shard):
        return None
    for user in users:
        if any(_split(key) in ((body, None), (body, own_shard)) for key in user.keys):
            return user
    return None


def _split(key: str) -> tuple[str, str | None]:
    """A key and its shard: after the last hyphen, two word characters and one or two digits."""
    body, hyphen, shard = key.rpartition("-")
    if hyphen and re.fullmatch(r"[a-z]{2}\d{1,2}", shard, re.IGNORECASE | re.ASCII):
        return body, shard.lower()
    return key, None


def names_a_contact(user_agent: str) -> bool:
    """`NAME (EMAIL)`, as the reference demands."""
    return re.fullmatch(r"\S.*\([^()\s@]+@[^()\s@]+\)", user_agent) is not None


class RateWindows:
    """Requests of the last minute by user. Whether the real window slides is unknown; this one is fixed."""

    def __init__(self) -> None:
        self._windows: dict[str, tuple[datetime, int]] = {}

    def reset_of(self, user: UserRecord, limit: int, now: datetime) -> datetime | None:
        """Count one request of the user; when it is one too many, the moment at which the next window begins."""
        start, count = self._windows.get(user.user_id, (now, 0))
        if now >= start + WINDOW:
            start, count = now, 0
        self._windows[user.user_id] = (start, count + 1)
        return start + WINDOW if count >= limit else None
