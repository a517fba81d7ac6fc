"""Sends notices by mail and as signed web requests, for example to the gateway of a chat program.

It uses the channels of alarms (`alert_channels`) with its own settings, `hub/notices.toml`. What was sent is
stored; what was not accepted is repeated until the notice ends. Nobody learns who reads what.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

from facegate_hub.alert_channels import Mail, Webhook
from facegate_hub.community.notice_desk import NoticeDesk
from facegate_hub.community.notices import NoticeLevel
from facegate_hub.database import insert_missing, reading
from facegate_hub.sending import ChannelSender, OutsideChannel
from facegate_hub.tables import NOTICES_SENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from email.message import EmailMessage

    from sqlalchemy.engine import Engine

    from facegate_hub.alerts import AlertChannel
    from facegate_hub.community.notices import Notice
    from facegate_hub.community.staff_store import StaffStore

NOTICES_FILE = "notices.toml"
BETWEEN_SECONDS = 3600.0
"""Between two sendings of what is not urgent: a phone that rings all day is put on mute."""


class NoticeChannel(OutsideChannel["Notice"], Protocol):
    """One way out for notices."""

    def takes(self, notice: Notice) -> bool:
        """Return whether a notice may go this way."""


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
        self.mail.deliver({one.number: one for one in notices}, self._letter)

    def _letter(self, notices: Sequence[Notice]) -> EmailMessage:
        language = self.mail.section.language
        titles = [one.title(language) for one in notices]
        more = f" (+{len(titles) - 1})" if len(titles) > 1 else ""
        parts = [
            "\n".join([*filter(None, dict.fromkeys(one.titles.values())), "", one.text]) for one in notices
        ]
        return self.mail.addressed(f"{titles[0]}{more}", "\n\n".join(parts).strip() + "\n")


class NoticePost(ChannelSender[NoticeChannel, "Notice"]):
    """Sends each notice to every channel that takes it, until the notice ends."""

    what = "notices"
    look_seconds = 2.0

    def __init__(
        self,
        engine: Engine,
        staff: StaffStore,
        channels: Sequence[NoticeChannel],
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(channels, now)
        self._engine = engine
        self._notices = NoticeDesk(staff)

    def _due(self, channel: NoticeChannel, now: float) -> list[Notice]:
        mine = sa.select(NOTICES_SENT).where(NOTICES_SENT.c.channel == channel.name)
        with reading(self._engine) as connection:
            sent = {row.notice: row.at for row in connection.execute(mine)}
        due = [one for one in self._notices.shown() if one.number not in sent and channel.takes(one)]
        # Not before 0 either: after the clock went back the last sending lies ahead.
        is_soon = 0.0 <= now - max(sent.values(), default=0.0) < BETWEEN_SECONDS
        is_loud = any(one.level is not NoticeLevel.INFO for one in due)
        return [] if is_soon and not is_loud else due

    def _note(self, channel: NoticeChannel, items: Sequence[Notice], now: float) -> None:
        rows = [{"channel": channel.name, "notice": one.number, "at": now} for one in items]
        with self._engine.begin() as connection:
            insert_missing(connection, NOTICES_SENT, rows)


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
