"""The commanded mode as it lies on the card, bound to this door: who edits the file commands nothing."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from edge.durable import write_whole
from edge.errors import StoreError, StoreUnavailable
from edge.store.bound_rows import row_bytes
from edge.store.keyring import BOUND_HOUSE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.store.keyring import Keyring

MODE_FILE: Final = "mode.json"
"""Its name inside the data folder."""

SHUTTING: Final = ("locked_down", "normal")
"""Modes that hold no door unlocked: believed without a proof, so that an edited file ends no lock-down."""

MOST_BYTES: Final = 4096
"""A mode has some 150 bytes."""

_MARK: Final = "bound"


def read_mode(path: Path) -> dict[str, Any]:
    """Return what the file says, proven or not. Raises `OSError`, and `ValueError` when it holds no mode."""
    # Not blocking: a pipe of that name, which nobody writes to, would be waited for without end.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        return mode_of(file.read(MOST_BYTES + 1))


def mode_of(content: bytes) -> dict[str, Any]:
    """Return what the content of such a file says. Raises `ValueError` for no mode at all."""
    if len(content) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} bytes are no mode")
    try:
        kept = json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deep for a mode") from error
    if not isinstance(kept, dict):
        raise ValueError(f"a mode is an object, not {type(kept).__name__}")  # noqa: TRY004 - like damage
    return kept


def write_mode(path: Path, kept: Mapping[str, Any], keyring: Keyring) -> None:
    """Write a mode with its mark, whole or not at all. Raises `OSError`.

    Where no key can be had it is written without a mark, so that a power cut does not end a lock-down, and
    `StoreError` is raised: write it again later.
    """
    try:
        with keyring.while_keys_stay():
            _write(path, kept, keyring.bind(_bound(kept)))
    except StoreError:
        _write(path, kept, None)
        raise


def is_mode_ours(kept: Mapping[str, Any], keyring: Keyring) -> bool:
    """Return whether this door wrote a mode. Raises `StoreError` as `Keyring.is_ours` does."""
    return keyring.is_ours(_bound(kept), _mark_of(kept), since=BOUND_HOUSE)


def rebind_mode(path: Path, keyring: Keyring) -> None:
    """Bind the kept mode with the newest key, if this door wrote it. Raises `StoreError`: try again."""
    try:
        with keyring.while_keys_stay(), suppress(FileNotFoundError, ValueError):
            kept = read_mode(path)
            if is_mode_ours(kept, keyring):
                _write(path, kept, keyring.bind(_bound(kept)))
    except OSError as error:
        raise StoreUnavailable(f"{path}: the door's mode cannot be bound now: {error}") from error


def carry_mode(kept: Mapping[str, Any], path: Path, keyring: Keyring | None) -> None:
    """Write a mode of another folder to `path`, bound with the keyring there.

    None for a mode that nobody shows to be written by a door: it may shut the door and nothing else.
    """
    if keyring is not None:
        _write(path, kept, keyring.bind(_bound(kept)))
    elif kept.get("mode") in SHUTTING:
        _write(path, kept, None)


def _write(path: Path, kept: Mapping[str, Any], mark: bytes | None) -> None:
    marked = {**kept, _MARK: None if mark is None else mark.hex()}
    write_whole(path, json.dumps(marked).encode())


def _bound(kept: Mapping[str, Any]) -> bytes:
    return row_bytes("mode", *(kept.get(name) for name in ("mode", "until", "by")))


def _mark_of(kept: Mapping[str, Any]) -> bytes | None:
    try:
        return bytes.fromhex(kept[_MARK])
    except (KeyError, TypeError, ValueError):
        return None
