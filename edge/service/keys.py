"""The configured source of the key that opens faces, put in force before anything is opened."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.aside import Aside, TooSlow
from edge.errors import StoreError
from edge.store.key_source import KeySource, finish_renewal, read_source, told_of_weakening, use_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.config.settings import Settings
    from edge.store.residents import ResidentStore

logger = logging.getLogger(__name__)

WAIT_SECONDS = 5.0
"""For keys that are made anew: a thousand people take about a second."""


def settle_key(settings: Settings, data: Path, environ: Mapping[str, str]) -> str | None:
    """Make the configured source the one in use; return what is wrong, None for nothing.

    While the new key cannot be obtained the present one stays in use: a setting must lock nobody out.
    """
    is_free = _finish(data, environ)
    try:
        # Keys that are being made anew go on as they began: the source changes at the next start.
        if not is_free:
            is_wanted = read_source(data) == configured(settings)
            return None if is_wanted else "storage.key comes into force at the next start: keys are made anew"
        if use_source(data, configured(settings), environ):
            logger.warning("the key that opens the faces now comes from: %s", settings.storage.key)
    except (StoreError, OSError) as error:
        logger.critical("storage.key is not in force, the key stays where it was: %s", error)
        return str(error)
    return None


def _finish(data: Path, environ: Mapping[str, str]) -> bool:
    """Bind what an older version wrote, and end a change of keys that was cut short.

    The door waits some seconds for it, whatever the card does; then it goes on beside. False while it does.
    """
    try:
        if Aside("keys", WAIT_SECONDS).ask(lambda: finish_renewal(data, environ)):
            logger.warning("%s: all rows are bound and sealed with keys made anew", data)
    except TooSlow:
        logger.warning("%s: all rows are bound and sealed with keys made anew, while the door starts", data)
        return False
    except (StoreError, OSError) as error:
        logger.error("the keys are made anew at a later start: %s", error)  # noqa: TRY400 - one clear line
    return True


def weakening(data: Path) -> dict[str, str]:
    """Return what the event of the start says of a key that a command has made weaker since the last one."""
    former = told_of_weakening(data)
    if former is None:
        return {}
    logger.critical("the key that opens the faces was taken from %s and lies on the card now", former)
    return {"key_weakened_from": former}


def edited_rows(store: ResidentStore) -> dict[str, str]:
    """Return what the event of the start says of rows that somebody edited: they let nobody in."""
    try:
        edited = store.edited()
    except StoreError:
        return {}
    if not edited:
        return {}
    logger.critical("rows edited on the card, not by this door, count for nothing: %s", ", ".join(edited))
    return {"edited": ", ".join(edited)[:200]}


def configured(settings: Settings) -> KeySource:
    """Return the source that the settings name; a key server is shown the door's own certificate."""
    storage, mqtt = settings.storage, settings.mqtt
    if storage.key != "site" or mqtt is None:
        return KeySource(storage.key)
    return KeySource(
        "site",
        storage.key_server or "",
        mqtt.ca_file,
        mqtt.cert_file,
        mqtt.key_file,
        storage.key_cache_hours,
    )
