"""Writes down what PINs, cards and passes became at the property's word; after a crash at the next start."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from edge.domain import EventDraft
from edge.store.credentials import CredentialStore
from edge.store.way_rows import CREDENTIALS_FILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.ports import Clock


class UntoldWays:
    """The events that the file of credentials of one data folder still keeps. Any thread."""

    def __init__(self, data: Path, record: Callable[[EventDraft], object], clock: Clock) -> None:
        self._path = data / CREDENTIALS_FILE
        self._record = record
        self._clock = clock

    def tell(self) -> None:
        """Record each of them, and let the file forget it then. Raises `StoreError`."""
        with closing(CredentialStore(self._path)) as store:
            for event in store.untold():
                draft = EventDraft.now(
                    self._clock, event.kind, dict(event.data), resident_id=event.resident_id
                )
                self._record(draft)
                store.told(event)
