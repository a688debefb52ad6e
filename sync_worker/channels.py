"""The ways to reach a person: mail by SMTP, a JSON webhook, and the heartbeat that a dead-man's switch waits for.

What is sent holds codes, counts, times, clinicians' names and addresses of the page; nothing of a patient. Failures are
told without the server's words, which may quote what was sent.
"""

import smtplib
import socket
import ssl
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Protocol

from sync_worker import egress
from sync_worker.clock import Clock
from sync_worker.errors import NotTold, RemoteError, Stopping
from sync_worker.http import HttpClient
from sync_worker.logs import get_logger
from sync_worker.settings import MailTls, Settings
from sync_worker.settings.residency import host_of
from sync_worker.transport import tls_context

log = get_logger()

DEADLINE_SECONDS = 20.0
READY = 220
"""A mail server's first word, where it takes mail (RFC 5321)."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell: a line, a text of some lines, and the same as facts for a program."""

    subject: str
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """A way to reach a person."""

    name: str

    def send(self, message: Message) -> None:
        """Raises `NotTold` with a sentence that says what to do."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class Mail:
    """Mail to the addresses of SYNC_ALERT_EMAIL_TO."""

    name = "mail"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, message: Message) -> None:
        """Send it by the server of SYNC_ALERT_SMTP_HOST. Raises `NotTold`."""
        settings = self._settings
        mail = EmailMessage()
        mail["Subject"], mail["Date"] = message.subject, formatdate()
        mail["From"], mail["To"] = settings.sync_alert_email_from, ", ".join(settings.sync_alert_email_to)
        mail["Message-ID"] = make_msgid(domain="sync-worker")
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        try:
            with self._server() as server:
                server.send_message(mail)
        except smtplib.SMTPAuthenticationError:
            raise NotTold("The mail server refused the login: check SYNC_ALERT_SMTP_USER and its password.") from None
        except smtplib.SMTPException as error:
            what = f"The mail server did not take the mail ({type(error).__name__})"
            raise NotTold(f"{what}: check SYNC_ALERT_EMAIL_FROM and SYNC_ALERT_EMAIL_TO.") from None
        except OSError as error:
            what = f"The mail server cannot be reached ({type(error).__name__})"
            raise NotTold(f"{what}: check SYNC_ALERT_SMTP_HOST and SYNC_ALERT_SMTP_PORT.") from None
        except ValueError:  # the library takes only ASCII in a login and, of most servers, in an address
            what = "The mail cannot be written for this server"
            raise NotTold(f"{what}: use plain letters in SYNC_ALERT_SMTP_PASSWORD and SYNC_ALERT_EMAIL_TO.") from None

    def close(self) -> None:
        """Nothing stays open between two mails."""

    def _server(self) -> smtplib.SMTP:
        settings = self._settings
        tls = settings.sync_alert_smtp_tls
        server = _Server(settings.allowed_hosts, tls_context() if tls is MailTls.TLS else None)
        try:
            server.begin(str(settings.sync_alert_smtp_host), settings.sync_alert_smtp_port)
            if tls is MailTls.STARTTLS:
                server.starttls(context=tls_context())
            if settings.sync_alert_smtp_user is not None:
                server.login(settings.sync_alert_smtp_user, settings.sync_alert_smtp_password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


class _Server(smtplib.SMTP):
    """A mail server met by the one way out, with TLS from the first byte where there is a context."""

    def __init__(self, allowed: Collection[str], tls: ssl.SSLContext | None) -> None:
        self._allowed = allowed
        self._tls = tls
        super().__init__(timeout=DEADLINE_SECONDS)

    def begin(self, host: str, port: int) -> None:
        """Connect. The library remembers the name, which TLS asks for, only of a host given when it is made."""
        self._host = host
        code, _words = self.connect(host, port)
        if code != READY:
            raise smtplib.SMTPConnectError(code, b"")

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """What the library calls to connect."""
        plain = egress.connect(host, port, self._allowed, timeout=timeout, may_be_private=self._allowed)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=host)


class Webhook:
    """A JSON document posted to SYNC_ALERT_WEBHOOK_URL. Its `text` is what chat programs show."""

    name = "webhook"

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._url = settings.sync_alert_webhook_url.get_secret_value() if settings.sync_alert_webhook_url else ""
        self._http = _client("webhook", self._url, clock)

    def send(self, message: Message) -> None:
        """Post it. Raises `NotTold`."""
        body = {"text": f"{message.subject}\n{message.text}", **message.facts}
        try:
            answer = self._http.write_once("alert", "POST", self._url, body)
        except RemoteError:
            raise NotTold("The webhook cannot be reached: check SYNC_ALERT_WEBHOOK_URL.") from None
        if answer.status >= 300:
            raise NotTold(f"The webhook answered {answer.status}: check SYNC_ALERT_WEBHOOK_URL.")

    def close(self) -> None:
        """Let go of its connection."""
        self._http.close()


class Heartbeat:
    """A request to SYNC_HEARTBEAT_URL while all is well: who waits for it raises the alarm when it stays away."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._http = _client("heartbeat", url, clock)

    def beat(self) -> None:
        """Ask for the address once. What it answers is its own matter; that it could not be asked is logged."""
        try:
            self._http.read("heartbeat", self._url)
        except RemoteError as error:
            log.warning("heartbeat.failed", code=error.code)

    def close(self) -> None:
        """Let go of its connection."""
        self._http.close()


def channels_of(settings: Settings, clock: Clock) -> Sequence[Channel]:
    """The ways that the settings name."""
    found: list[Channel] = []
    if settings.sync_alert_email_to:
        found.append(Mail(settings))
    if settings.sync_alert_webhook_url is not None:
        found.append(Webhook(settings, clock))
    return found


def send_everywhere(channels: Sequence[Channel], message: Message) -> bool:
    """Send by every way; whether one of them worked, or there is none but the log."""
    worked = 0
    for channel in channels:
        try:
            channel.send(message)
            worked += 1
        except NotTold:
            log.error("alert.failed", kind=channel.name)
        except Stopping:  # what was told by another way stays told
            break
    return bool(worked) or not channels


def _client(service: str, url: str, clock: Clock) -> HttpClient:
    return HttpClient(
        service=service,
        base_url=url,
        headers={"User-Agent": "sync-worker"},
        allowed_hosts=[host_of(url)],
        may_be_private=[host_of(url)],  # it was listed by name, and no patient's data goes there
        deadline_seconds=DEADLINE_SECONDS,
        clock=clock,
        tries=1,
    )
