"""The one way in which a service is asked: rate budget, retries of reads, and failures with names.

Refuses hosts off the list, addresses where they may not be met (`transport`), redirects, proxies from the environment,
and any retry of a write. No message made here holds an address, a header or a body: a patient search carries a name in
its address.
"""

import json
import math
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import stamina

from sync_worker import egress, transport
from sync_worker.clock import Clock
from sync_worker.errors import InvalidResponse, NotConnected, RateLimited, RemoteError, Stopping, Unavailable
from sync_worker.rate import LONGEST_BLOCK_SECONDS, Budget

READ_ATTEMPTS = 3
LONGEST_BODY_BYTES = 64 * 1024 * 1024

Params = Sequence[tuple[str, str]]

Observer = Callable[[str, int | None], None]
"""Told of each request that was made: the host's name, and the answer's status; None where no whole answer came."""


def unobserved(_host: str, _status: int | None) -> None:
    """Tell nobody."""


# "Certainly not sent" is a closed list; whatever else goes wrong may have reached the service.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_html(self) -> bool:
        """Whether a gateway's page came instead of the API's answer."""
        return "html" in self.headers.get("content-type", "").lower()

    @property
    def date(self) -> datetime | None:
        """The service's own clock, if it told it."""
        try:
            stamp = parsedate_to_datetime(self.headers["date"])
            return stamp.astimezone(UTC) if stamp.tzinfo else stamp.replace(tzinfo=UTC)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    def json(self) -> Any:
        """The body as JSON. Raises ValueError for anything else, an absurdly deep or long-numbered body included."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("too deep") from None


class HttpClient:
    """One service as one user sees it. Thread-safe.

    `base_url` ends in a slash; paths are relative to it. `deadline_seconds` bounds a request as a whole.
    """

    def __init__(
        self,
        *,
        service: str,
        base_url: str,
        headers: Mapping[str, str],
        user_name: Callable[[], str] | None = None,
        allowed_hosts: Iterable[str],
        deadline_seconds: float,
        clock: Clock,
        budget: Budget | None = None,
        tries: int = READ_ATTEMPTS,
        silence_seconds: float = 0.0,
        observe: Observer = unobserved,
        may_be_private: Iterable[str] = (),
    ) -> None:
        """`user_name` gives that of Basic authentication, as it is at each request; its password is empty.

        `tries` are those of a read. After one without any answer, reads fail at once for `silence_seconds`.

        `may_be_private` are hosts of the list that may stand in the practice's own network: alarms', never a service's.
        """
        self.service = service
        self.base_url = base_url
        self.server_date: datetime | None = None
        self.clock_ahead = timedelta()
        """How far our clock was ahead of the service's at its last answer; negative where it was behind."""
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._budget = budget
        self._tries = tries
        self._silence_seconds = silence_seconds
        self._observe = observe
        self._silent_until = -math.inf
        way = transport.WayOut(self._allowed_hosts, frozenset(host.lower() for host in may_be_private))
        self._reads = _client(headers, user_name, deadline_seconds, way, keep_alive=20)
        # A kept connection that the server just closed looks like a lost answer: a write gets one of its own.
        self._writes = _client(headers, user_name, deadline_seconds, way, keep_alive=0)

    def close(self) -> None:
        """Let go of all connections."""
        self._reads.close()
        self._writes.close()

    def read(
        self,
        operation: str,
        path: str,
        params: Params = (),
        *,
        headers: Callable[[], Mapping[str, str]] = dict,
    ) -> Answer:
        """GET, tried again while it stays without a usable answer. `path` may also be a whole address on our host.

        Any answer below 500 but 429 and redirects is given back for the caller to understand. Raises `Unavailable`
        (5xx, lost connections, time-outs), `RateLimited`, or `InvalidResponse` (a redirect, an endless body).
        """
        self._raise_if_silent(operation)
        tries = self._tries_now()
        for attempt in stamina.retry_context(
            on=Unavailable, attempts=tries, timeout=None, wait_initial=0.2, wait_max=3.0, wait_jitter=0.3
        ):
            with attempt:
                answer = self._exchange(self._reads, "GET", operation, path, params, None, headers())
                self._raise_for_status(operation, answer, again=attempt.num < tries)
        return answer

    def wait_for_turn(self) -> None:
        """Wait until the rate budget lets a request out at once: nothing should wait between claim and request."""
        if self._budget is not None:
            self._budget.wait()

    def write_once(
        self, operation: str, method: str, path: str, body: Any, *, guard: Callable[[], None] = lambda: None
    ) -> Answer:
        """Send a request that changes something, once, and give back whatever answer came.

        `guard` is called when the connection stands and before the first byte of the request; what it raises is raised
        here, and nothing was sent.

        Raises `NotConnected` if surely nothing was sent, `Unavailable` if the answer is lost: then nobody knows.
        A 429 stops all traffic of this user until the service's reset.
        """
        sent = json.dumps(body).encode() if body is not None else None
        answer = self._exchange(self._writes, method, operation, path, (), sent, {}, guard)
        if answer.status == 429:
            self._obey(answer, again=False)
        return answer

    def retry_after(self, answer: Answer) -> float:
        """Seconds until a 429's reset: Cliniko's X-RateLimit-Reset against its own clock, else Retry-After, else 60."""
        reset = _number(answer.headers.get("x-ratelimit-reset"))
        if reset is not None:
            there = answer.date or self._clock.now()
            return min(max(reset - there.timestamp(), 0.0) + 1.0, LONGEST_BLOCK_SECONDS)
        return min(max(_number(answer.headers.get("retry-after")) or 60.0, 0.0), LONGEST_BLOCK_SECONDS)

    def is_ours(self, url: str) -> bool:
        """Whether an address that the service gave us is on the very host that we talk to."""
        try:
            there, here = urlsplit(url), urlsplit(self.base_url)
        except ValueError:
            return False
        return (there.scheme, there.netloc.lower()) == (here.scheme, here.netloc.lower())

    def _tries_now(self) -> int:
        return 1 if _asking.once else self._tries

    def _raise_if_silent(self, operation: str) -> None:
        if self._clock.monotonic() < self._silent_until:
            hint = f"{self.service.capitalize()} did not answer a moment ago: look again in a minute."
            raise Unavailable(self.service, operation, hint=hint)

    def _raise_for_status(self, operation: str, answer: Answer, *, again: bool) -> None:
        if answer.status == 429:
            raise RateLimited(self.service, operation, status=429, retry_after=self._obey(answer, again=again))
        if answer.status >= 500 or answer.status == 408:
            raise Unavailable(self.service, operation, status=answer.status)
        if 300 <= answer.status < 400:
            hint = f"{self.service} answered with a redirect, which is not followed: check its base address."
            raise InvalidResponse(self.service, operation, status=answer.status, hint=hint)

    def _obey(self, answer: Answer, *, again: bool) -> float:
        seconds = self.retry_after(answer)
        if self._budget is not None:
            return self._budget.block(seconds)
        if again:  # Heidi has no budget of ours: whoever reads again waits here
            self._clock.sleep(min(seconds, 10.0))
        return seconds

    def _exchange(
        self,
        client: httpx.Client,
        method: str,
        operation: str,
        path: str,
        params: Params,
        body: bytes | None,
        headers: Mapping[str, str],
        guard: Callable[[], None] | None = None,
    ) -> Answer:
        self._check_stop(client)
        url = path if "://" in path else self.base_url + path
        host = self._host_of(operation, url)
        if self._budget is not None:
            self._budget.take()
        try:
            answer = self._carry(client, method, operation, url, params, body, headers, guard)
        except RemoteError:
            self._observe(host, None)
            raise
        self._observe(host, answer.status)
        if answer.date is not None:
            self.server_date, self.clock_ahead = answer.date, self._clock.now() - answer.date
        return answer

    def _carry(
        self,
        client: httpx.Client,
        method: str,
        operation: str,
        url: str,
        params: Params,
        body: bytes | None,
        headers: Mapping[str, str],
        guard: Callable[[], None] | None,
    ) -> Answer:
        """The request on its way and back, within the deadline."""
        headers = _with_type(headers, body)
        try:
            with (
                transport.bounded(self._deadline_seconds, self._clock, guard),
                client.stream(method, url, params=list(params) or None, content=body, headers=headers) as response,
            ):
                return Answer(response.status_code, dict(response.headers), self._body(operation, response))
        except egress.AddressRefused:
            hint = (
                f"The host name of {self.service.capitalize()} leads to an address that is not public, so nothing was "
                "sent: have the DNS of this network looked at."
            )
            raise NotConnected(self.service, operation, hint=hint, code="address_refused") from None
        except egress.HostRefused:
            raise self._foreign(operation) from None
        except NOT_SENT:
            self._silent_until = self._clock.monotonic() + self._silence_seconds
            raise NotConnected(self.service, operation) from None
        except httpx.HTTPError:
            self._silent_until = self._clock.monotonic() + self._silence_seconds
            raise Unavailable(self.service, operation) from None
        except httpx.InvalidURL:
            hint = f"{self.service} gave an address that is none."
            raise InvalidResponse(self.service, operation, hint=hint) from None
        except RuntimeError:
            self._check_stop(client)  # closed this very moment
            raise

    def _check_stop(self, client: httpx.Client) -> None:
        """Raise `Stopping` once the process is asked to stop, or this client was closed in the middle of a page."""
        self._clock.check_stop()
        if client.is_closed:
            raise Stopping

    def _body(self, operation: str, response: httpx.Response) -> bytes:
        chunks, size = [], 0
        for chunk in response.iter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > LONGEST_BODY_BYTES:
                raise InvalidResponse(self.service, operation, hint=f"{self.service} sent an endless answer.")
        return b"".join(chunks)

    def _host_of(self, operation: str, url: str) -> str:
        """The name of the host that an address means. Raises `InvalidResponse` for one off the list."""
        host = (urlsplit(url).hostname or "").lower()
        if host not in self._allowed_hosts:
            raise self._foreign(operation)
        return host

    def _foreign(self, operation: str) -> InvalidResponse:
        hint = f"A request to a host off the list was refused: {self.service} is not to be met there."
        return InvalidResponse(self.service, operation, hint=hint)


class _Asking(threading.local):
    """How this thread asks."""

    once = False


_asking = _Asking()


@contextmanager
def asked_once() -> Iterator[None]:
    """Within the block this thread tries no read again, whatever a client's own tries."""
    _asking.once = True
    try:
        yield
    finally:
        _asking.once = False


def _client(
    headers: Mapping[str, str],
    user_name: Callable[[], str] | None,
    deadline_seconds: float,
    way: transport.WayOut,
    *,
    keep_alive: int,
) -> httpx.Client:
    return httpx.Client(
        transport=transport.to_network(keep_alive, way),
        headers=dict(headers),
        auth=_BasicNow(user_name) if user_name is not None else None,
        timeout=httpx.Timeout(deadline_seconds),
        follow_redirects=False,
        trust_env=False,
    )


class _BasicNow(httpx.Auth):
    """Basic authentication by a user name that may be another one at the next request."""

    def __init__(self, user_name: Callable[[], str]) -> None:
        self._user_name = user_name

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        yield from httpx.BasicAuth(self._user_name(), "").auth_flow(request)


def _with_type(headers: Mapping[str, str], body: bytes | None) -> dict[str, str]:
    return dict(headers) | ({"Content-Type": "application/json"} if body is not None else {})


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None
