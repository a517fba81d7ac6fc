"""Sends notices on by mail and as signed web requests, behind which gateways of chats and messages stand.

The same ways out as those of alarms (`alert_channels`), with settings of their own: `hub/notices.toml`. What
was sent is noted; what was not taken is tried again until the notice ends. Nobody is told who reads what.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

from facegate_hub.alert_channels import Mail, Webhook
from facegate_hub.alerts import FIRST_RETRY_SECONDS, TryLater
from facegate_hub.clerk import DATABASE_FAILS
from facegate_hub.community.notices import NoticeLevel, Notices
from facegate_hub.database import insert_missing, reading
from facegate_hub.tables import NOTICES_SENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Engine

    from facegate_hub.alerts import AlertChannel
    from facegate_hub.community.book import Book
    from facegate_hub.community.notices import Notice

LOG = logging.getLogger(__name__)

NOTICES_FILE = "notices.toml"
LOOK_SECONDS = 2.0
BETWEEN_SECONDS = 3600.0
"""Between two sendings of what is not urgent: a phone that rings all day is put on mute."""


class NoticeChannel(Protocol):
    """One way out. `name` tells it from the others, and stays."""

    @property
    def name(self) -> str:
        """The channel's name."""

    def takes(self, notice: Notice) -> bool:
        """Return whether a notice may go this way."""

    def send(self, notices: Sequence[Notice]) -> None:
        """Hand them over, all or none. Raises `OSError` when they were not taken."""


@dataclass(frozen=True, slots=True)
class NoticeHook:
    """Posts notices as JSON: whom each is for stands in it, the receiver knows whom it reaches."""

    hook: Webhook

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.hook.name

    def takes(self, notice: Notice) -> bool:
        """Return True: every notice says whom it is for."""
        return bool(notice.titles)

    def send(self, notices: Sequence[Notice]) -> None:
        """Post them in one request. Raises `OSError`."""
        self.hook.post({"v": 1, "notices": [_values(one) for one in notices]})


@dataclass(frozen=True, slots=True)
class NoticeMail:
    """Mails notices that are for everybody to the addresses of the settings, such as a list of residents."""

    mail: Mail

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.mail.name

    def takes(self, notice: Notice) -> bool:
        """Return whether it is for everybody: a list does not know owners, tenants and buildings."""
        return not notice.tie and not notice.buildings

    def send(self, notices: Sequence[Notice]) -> None:
        """Send one mail. Raises `OSError`."""
        language = self.mail.section.language
        titles = [one.title(language) for one in notices]
        more = f" (+{len(titles) - 1})" if len(titles) > 1 else ""
        parts = [
            "\n".join([*filter(None, dict.fromkeys(one.titles.values())), "", one.text]) for one in notices
        ]
        self.mail.deliver(self.mail.addressed(f"{titles[0]}{more}", "\n\n".join(parts).strip() + "\n"))


class NoticePost:
    """Sends each notice once to every channel, as far as it can know. Has a thread of its own."""

    def __init__(
        self,
        engine: Engine,
        book: Book,
        channels: Sequence[NoticeChannel],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._notices = Notices(book)
        self._channels = channels
        self._now = now
        self._patience = TryLater()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hub-notice-post", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is sent again by the next run at the worst."""
        self._ended.set()
        self._thread.join(5.0)

    def step(self, channel: NoticeChannel) -> int:
        """Send one channel what it was not sent, unless it has to wait; return how many notices that was."""
        now = self._now()
        if not self._patience.may_try(channel.name, now) or not (due := self._due(channel, now)):
            return 0
        try:
            channel.send(due)
        except OSError as error:
            wait = self._patience.failed(channel.name, now)
            LOG.error("%s does not take notices: %s; again in %.0f s", channel.name, error, wait)  # noqa: TRY400
            return 0
        self._patience.worked(channel.name)
        rows = [{"channel": channel.name, "notice": one.number, "at": now} for one in due]
        with self._engine.begin() as connection:
            insert_missing(connection, NOTICES_SENT, rows)
        return len(due)

    def _due(self, channel: NoticeChannel, now: float) -> list[Notice]:
        mine = sa.select(NOTICES_SENT).where(NOTICES_SENT.c.channel == channel.name)
        with reading(self._engine) as connection:
            sent = {row.notice: row.at for row in connection.execute(mine)}
        due = [one for one in self._notices.shown() if one.number not in sent and channel.takes(one)]
        is_soon = now - max(sent.values(), default=0.0) < BETWEEN_SECONDS
        is_loud = any(one.level is not NoticeLevel.INFO for one in due)
        return [] if is_soon and not is_loud else due

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            for channel in self._channels:
                try:
                    self.step(channel)
                except DATABASE_FAILS:
                    self._ended.wait(FIRST_RETRY_SECONDS)
                except Exception:  # the thread's outermost loop: notices are worth another try
                    LOG.exception("notices could not be sent on")
                    self._ended.wait(FIRST_RETRY_SECONDS)


def notice_channels(channels: Sequence[AlertChannel]) -> list[NoticeChannel]:
    """Return the ways for notices through what the settings name."""
    found: list[NoticeChannel] = []
    for one in channels:
        if isinstance(one, Webhook):
            found.append(NoticeHook(one))
        elif isinstance(one, Mail):
            found.append(NoticeMail(one))
    return found


def _values(notice: Notice) -> dict[str, object]:
    begins, ends = (
        datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") for at in (notice.begins, notice.ends)
    )
    return {
        "v": 1,
        "number": notice.number,
        "level": notice.level.value,
        "titles": {language: title for language, title in notice.titles.items() if title},
        "text": notice.text,
        "begins": begins,
        "ends": ends,
        "buildings": list(notice.buildings),
        "for": notice.tie or "everybody",
        "replaces": int(notice.replaces) if notice.replaces else None,
    }
