"""The channels to people outside: mail, and a web request signed with a shared secret; and their settings."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import smtplib
import ssl
import time
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, getaddresses, make_msgid
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from edge.errors import ConfigError, SyncError
from edge.events import Kind
from edge.line_end import ended_after
from edge.policy.hours import GrantHours
from edge.words import LANGUAGES, has, say
from facegate_hub.alerts import QuietHours
from facegate_hub.partly_taken import Recipients

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from facegate_hub.alerts import Alert, AlertChannel
    from facegate_hub.partly_taken import Refusals

T = TypeVar("T")

FILE = "alerts.toml"
TIMEOUT_SECONDS = 20.0
LONGEST_SECONDS = 60.0
"""For all of it: a receiver that sends a byte now and then would hold up all alarms that come after."""
LOCAL = {"localhost", "127.0.0.1", "::1"}
URGENT = (Kind.ALARM_DURESS, Kind.DOOR_FORCED, Kind.DOOR_FIRE_ALARM)
AS_IT_IS = "/?%&=+,;:@!$'()*~[]"
"""Of an address: what has a meaning there, or is quoted already. Other scripts' letters travel quoted."""
SIGNATURE, TIMESTAMP = "X-Facegate-Signature", "X-Facegate-Timestamp"


def _spoken(language: str) -> str:
    if language not in LANGUAGES:
        raise ValueError(f"must be one of: {', '.join(LANGUAGES)}")
    return language


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WebhookSection(_Section):
    """Where alarms are posted; `secret_file` has the secret that both sides know."""

    url: str
    secret_file: str


class MailSection(_Section):
    """Who gets mail, through which server; `tls` is how the line is secured."""

    host: str
    port: int = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password_file: str | None = None
    sender: str
    to: list[str] = Field(min_length=1)
    language: Annotated[str, AfterValidator(_spoken)] = LANGUAGES[0]


class AlertSettings(_Section):
    """All that `alerts.toml` may say."""

    quiet: str | None = None
    urgent: list[str] = [str(kind) for kind in URGENT]
    timezone: str | None = None
    webhook: WebhookSection | None = None
    mail: MailSection | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts alarms as JSON, one request for all that are new; never follows a redirect.

    The receiver checks `X-Facegate-Signature`: `sha256=` and the HMAC-SHA-256, in hex, of the timestamp in
    `X-Facegate-Timestamp` (seconds since 1970), a dot, and the body.
    """

    url: str
    secret: bytes
    name: str = "webhook"
    longest_seconds: float = LONGEST_SECONDS

    def send(self, alerts: Sequence[Alert]) -> None:
        """Post them in one request. Raises `OSError` unless the answer begins with 2."""
        self.post({"v": 1, "alarms": [alert.fields() for alert in alerts]})

    def post(self, values: dict[str, object]) -> None:
        """Post JSON values, signed. Raises `OSError` unless the answer begins with 2."""
        body = json.dumps(values).encode()
        place = urlsplit(self.url)
        kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
        # `http.client` follows no redirect, as `urllib` would: alarms go where the site said, or nowhere.
        line = kind(place.hostname or "", place.port, timeout=TIMEOUT_SECONDS)
        target = quote((place.path or "/") + (f"?{place.query}" if place.query else ""), safe=AS_IT_IS)
        try:
            with ended_after(self.longest_seconds, lambda: line.sock):
                line.request("POST", target, body, signed_headers(self.secret, body, int(time.time())))
                status = line.getresponse().status
        except http.client.HTTPException as error:
            raise OSError(f"{place.hostname}: {type(error).__name__}: {error}") from error
        finally:
            line.close()
        if not 200 <= status < 300:
            raise OSError(f"{place.hostname} answered {status}")


@dataclass(frozen=True, slots=True)
class Mail:
    """Sends alarms by mail, all that are new in one."""

    section: MailSection
    site: str
    password: str | None = None
    name: str = "mail"
    longest_seconds: float = LONGEST_SECONDS
    _people: Recipients = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nobody who has anything."""
        object.__setattr__(self, "_people", Recipients(_addresses(self.section.to)))

    def send(self, alerts: Sequence[Alert]) -> None:
        """Send one mail. Raises `OSError` until the server has taken it for every recipient that it knows."""
        self.deliver({alert.id: alert for alert in alerts}, self.letter)

    def deliver(self, items: Mapping[int, T], letter: Callable[[list[T]], EmailMessage]) -> None:
        """Send things by number, in one letter. Raises as `Recipients.send` does."""
        try:
            self._people.send(
                list(items),
                lambda numbers, people: self._hand_over(letter([items[one] for one in numbers]), people),
            )
        except smtplib.SMTPException as error:
            raise OSError(f"{self.section.host}: {type(error).__name__}: {error}"[:300]) from error

    def _hand_over(self, letter: EmailMessage, people: list[str]) -> Refusals:
        """Send a letter to these people; return who was refused."""
        line = self._line()
        try:
            with ended_after(self.longest_seconds, lambda: line.sock):
                self._greet(line)
                try:
                    return line.send_message(letter, to_addrs=people)
                finally:
                    # What the server says to our goodbye changes nothing: it has the letter, or has it not.
                    with suppress(OSError, smtplib.SMTPException):
                        line.quit()
        except smtplib.SMTPRecipientsRefused as error:
            return error.recipients
        finally:
            line.close()

    def letter(self, alerts: Sequence[Alert]) -> EmailMessage:
        """Return the mail: what happened, where, when; people by id only."""
        told = [f"{alert.door}: {_title(alert.kind, self.section.language)}" for alert in alerts]
        more = f" (+{len(told) - 1})" if len(told) > 1 else ""
        lines = [
            f"{alert.fields()['at']}  {text}" + (f"  {alert.resident}" if alert.resident else "")
            for alert, text in zip(alerts, told, strict=True)
        ]
        return self.addressed(f"{told[0]}{more}", "\n".join(lines) + "\n")

    def addressed(self, subject: str, text: str) -> EmailMessage:
        """Return a mail to everybody that the settings name."""
        letter = EmailMessage()
        letter["Subject"] = f"[{self.site}] {subject}"
        letter["From"], letter["To"] = self.section.sender, ", ".join(self.section.to)
        letter["Date"], letter["Message-ID"] = formatdate(), make_msgid(domain="facegate.invalid")
        letter.set_content(text)
        return letter

    def _line(self) -> smtplib.SMTP:
        """Return a line that is not connected yet, so that what ends it knows it from its first byte on."""
        section = self.section
        line = (
            smtplib.SMTP_SSL(timeout=TIMEOUT_SECONDS, context=ssl.create_default_context())
            if section.tls == "tls"
            else smtplib.SMTP(timeout=TIMEOUT_SECONDS)
        )
        # Whose certificate TLS asks for; a line that does not connect at once has no name else.
        line._host = section.host  # type: ignore[attr-defined]  # noqa: SLF001
        return line

    def _greet(self, line: smtplib.SMTP) -> None:
        line.connect(self.section.host, self.section.port)
        if self.section.tls == "starttls":
            line.starttls(context=ssl.create_default_context())
        if self.section.user is not None:
            line.login(self.section.user, self.password or "")


def _addresses(texts: Sequence[str]) -> list[str]:
    """Return the addresses in texts that may name several, with or without people's names."""
    return [address for _, address in getaddresses(texts) if address]


def _title(kind: str, language: str) -> str:
    name = f"event.{kind}"
    return say(name, language) if has(name) else kind


def signed_headers(secret: bytes, body: bytes, at: int) -> dict[str, str]:
    """Return the headers of a request with this body at this time (seconds since 1970)."""
    digest = hmac.new(secret, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", TIMESTAMP: str(at), SIGNATURE: f"sha256={digest}"}


def load_alerts(
    path: Path, site: str, longest_seconds: float = LONGEST_SECONDS
) -> tuple[list[AlertChannel], QuietHours]:
    """Return the channels that a file names, and when it is quiet. Raises `ConfigError`."""
    try:
        wanted = AlertSettings.model_validate(tomllib.loads(path.read_text()))
        hours = None if wanted.quiet is None else GrantHours.parse(wanted.quiet)
        zone = None if wanted.timezone is None else ZoneInfo(wanted.timezone)
        return _channels(path, wanted, site, longest_seconds), QuietHours(
            hours, frozenset(wanted.urgent), zone
        )
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path}: {where}: {first['msg']}") from error
    except (OSError, ValueError, KeyError, SyncError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _channels(path: Path, wanted: AlertSettings, site: str, longest_seconds: float) -> list[AlertChannel]:
    found: list[AlertChannel] = []
    if (hook := wanted.webhook) is not None:
        place = urlsplit(hook.url)
        if place.scheme != "https" and not (place.scheme == "http" and place.hostname in LOCAL):
            raise ConfigError(f"webhook.url {hook.url!r}: https, or http to this machine")
        if not place.hostname or place.port == 0:  # a port that is no number is told by `place.port` itself
            raise ConfigError(f"webhook.url {hook.url!r}: names no machine, or no port of one")
        found.append(
            Webhook(hook.url, _secret(path, hook.secret_file).encode(), longest_seconds=longest_seconds)
        )
    if (mail := wanted.mail) is not None:
        if mail.tls == "none" and mail.host not in LOCAL:
            raise ConfigError(f"mail.tls: none is for this machine only; {mail.host} needs starttls or tls")
        if not _addresses(mail.to):
            raise ConfigError("mail.to: names nobody")
        password = None if mail.password_file is None else _secret(path, mail.password_file)
        found.append(Mail(mail, site, password, longest_seconds=longest_seconds))
    return found


def _secret(path: Path, name: str) -> str:
    secret = (path.parent / name).read_text().strip()
    if not secret:
        raise ConfigError(f"{path.parent / name}: is empty")
    return secret
