"""A data folder out of a backup: proven to its last byte first, then put in place in one step.

A restored door never goes on with the journal of the backup: two devices, or one device twice,
would give the same numbers to different events. The old journal stays readable in a folder of
its own, and the first event of the new one names it.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import sqlite3
import tarfile
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import IO, TYPE_CHECKING, cast

from edge.domain import EventDraft
from edge.durable import sync_folder
from edge.errors import StoreError
from edge.events import Kind
from edge.store.acting import acting_as, owner_to_become
from edge.store.backup import CONFIG, DATABASES, MANIFEST, NAME, OLD_JOURNALS, BackupManifest
from edge.store.database import open_read_only
from edge.store.journal import SqliteJournal
from edge.store.reader import JOURNAL, JOURNAL_FILE, JournalReader, last_given
from edge.store.resident_rows import RESIDENTS
from edge.store.residents import RESIDENTS_FILE
from edge.store.restore_carry import (
    Replaced,
    apply_withdrawals,
    carry_revocations,
    carry_standing_mode,
    carry_withdrawals,
    read_plain,
)
from edge.store.restore_elsewhere import end_older_passes, take_back_told
from edge.store.sealed_file import SealedReader

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.store.database import Schema
    from edge.store.restore_elsewhere import TakenBack

LOG = logging.getLogger(__name__)

CLOCK_FLOOR = "clock-floor"
"""Kept from the folder that is replaced, as a lock-down is: the clock is not believed less."""

MODELS = "models"
"""Installed beside the data and in no backup: without them a restored door recognises nobody."""


@dataclass(frozen=True, slots=True)
class OldJournal:
    """The journal that came with a backup. `unsent` entries had not arrived at every receiver."""

    stream: str
    last_seq: int
    last_hash: str
    unsent: int
    folder: Path


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it. `revoked` tells what was taken back since the backup and stays so.

    `back_again` are residents whom the replaced folder no longer had: only with `RestoreWish.revive`.
    `erased` withdrew their consent since: they are residents still, without a face.
    """

    manifest: BackupManifest
    journal: OldJournal | None
    set_aside: Path | None
    back_again: tuple[str, ...]
    erased: tuple[str, ...]
    revoked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RestoreWish:
    """How to restore. `databases` is every one a backup may hold, by name.

    `withdrawn` is what the property knows and the backup does not: resident id -> when the consent
    was withdrawn (ISO 8601, UTC). With `replace` a folder that is not empty gives way. What was
    revoked there since the backup stays revoked; with `revive` it comes back, and the journal says
    so.
    """

    replace: bool = False
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    ended: tuple[TakenBack, ...] = ()
    revive: bool = False
    databases: Mapping[str, Schema] = field(default_factory=lambda: dict(DATABASES))


def restore(file: Path, data: Path, passphrase: str, now: datetime, wish: RestoreWish) -> Restored:
    """Make `data` what it was when `file` was written; nothing is changed when this raises.

    Who withdrew since has no face in it, as far as the replaced folder and `wish` tell. What is
    replaced is kept under another name; the door must not be running. Raises `StoreError` for a
    damaged, foreign or newer file, a wrong passphrase, a folder that is in use, or one that is not
    empty without `wish.replace`.
    """
    data = data.absolute()
    _may_replace(data, wish)
    _bring_back(data, now)
    is_taken = _may_replace(data, wish)
    for leftover in data.parent.glob(f".{data.name}.restoring-*"):
        shutil.rmtree(leftover, ignore_errors=True)  # of a restore that was killed: no withdrawal reaches it
    owner = owner_to_become(data)
    stage = data.with_name(f".{data.name}.restoring-{secrets.token_hex(4)}")
    try:
        stage.mkdir(mode=0o700, parents=True)
        if owner is not None:
            os.chown(stage, owner.uid, owner.gid, follow_symlinks=False)
        with file.open("rb") as sealed, acting_as(owner):
            made = _fill(SealedReader(sealed, passphrase, file), stage, data, now, wish)
        set_aside = _put_in_place(stage, data, now, is_taken=is_taken)
    except (OSError, sqlite3.Error, tarfile.TarError) as error:
        raise StoreError(f"{data}: nothing was restored: {error}") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return replace(made, set_aside=set_aside)


def _may_replace(data: Path, wish: RestoreWish) -> bool:
    """Return whether the folder holds something. Raises `StoreError` where that may not give way."""
    with acting_as(owner_to_become(data)):
        is_taken = _is_taken(data)
        if is_taken and not wish.replace:
            raise StoreError(f"{data}: the folder is not empty; --replace keeps it under another name")
        if is_taken:
            _require_unused(data)
    return is_taken


def _bring_back(data: Path, now: datetime) -> None:
    """Undo what a restore that was killed had begun to rename.

    Only the folder that gave up its name for it knows what was taken back since the backup. One that the door
    began meanwhile is kept, too.
    """
    for gone in data.parent.glob(f".{data.name}.outgoing-*"):
        if not gone.with_name(gone.name.replace(".outgoing-", ".restoring-")).exists():
            gone.rename(_aside(data, now))  # the finished folder had its name already
            continue
        if data.exists():
            data.rename(_aside(data, now))
        gone.rename(data)
    for models in data.parent.glob(f".{data.name}.models-*"):
        if (data / MODELS).exists():
            shutil.rmtree(models, ignore_errors=True)
        else:
            data.mkdir(mode=0o700, exist_ok=True)
            models.rename(data / MODELS)


def _aside(data: Path, now: datetime) -> Path:
    """Return a name that is free: two folders may give way in one second, where a restore is repeated."""
    name = f"{data.name}.replaced-{now:%Y%m%dT%H%M%SZ}"
    free = (data.with_name(name + more) for more in ("", *(f"-{n}" for n in range(2, 100))))
    return next(one for one in free if not one.exists())


def _fill(reader: SealedReader, stage: Path, data: Path, now: datetime, wish: RestoreWish) -> Restored:
    """Make the finished folder in `stage`, with what the old one at `data` knows better."""
    manifest = _unpack(reader, stage)
    _check(stage, manifest, wish.databases)
    is_taken = _is_taken(data)
    back_again = _back_again(stage, data) if is_taken and wish.revive else ()
    replaced = Replaced(data)
    erased = (
        *(carry_withdrawals(replaced, stage) if is_taken else ()),
        *apply_withdrawals(stage, wish.withdrawn),
    )
    # After the withdrawals, which are always carried over: no face comes back by `revive`.
    if is_taken and not wish.revive:
        carry_revocations(replaced, stage)
        _require_told(data, replaced)
    else:
        # A clock that is behind must not let pass what the backup already knew the time of.
        end_older_passes(stage, max(now, datetime.fromisoformat(manifest.created_at)))
    replaced.revoked += take_back_told(stage, wish.ended, datetime.fromisoformat(manifest.created_at))
    journal = _begin_stream(stage, manifest, now, is_reviving=is_taken and wish.revive)
    _carry_over(data, stage)
    if (stage / CONFIG).exists():
        (stage / CONFIG).rename(stage / f"restored-{CONFIG}")
    _sync_tree(stage)
    told = tuple(replaced.revoked)
    return Restored(manifest, journal, None, back_again, tuple(sorted(erased)), told)


def _is_taken(data: Path) -> bool:
    return data.exists() and any(entry.name != MODELS for entry in data.iterdir())


def _require_told(data: Path, replaced: Replaced) -> None:
    """Refuse while it is not known what was revoked since the backup."""
    if replaced.unreadable:
        raise StoreError(
            f"{data}: what was revoked since the backup is not known: {'; '.join(replaced.unreadable)}."
            " Nothing was restored. --revive restores all the same: residents, cards, PINs and accounts that"
            " were taken back since the backup then work again; look through them, and give --events for"
            " consents"
        )


def _require_unused(data: Path) -> None:
    """Refuse while another process has the folder's databases open: it would write on into the old ones."""
    for name in (JOURNAL_FILE, RESIDENTS_FILE):
        if not (data / name).exists():
            continue
        try:
            with closing(sqlite3.connect(data / name, timeout=0)) as connection:
                connection.execute("PRAGMA journal_mode = DELETE").fetchone()  # needs to be alone
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"{data}: in use ({error}); stop the door and the panel first: systemctl stop facegate"
            ) from error
        except sqlite3.DatabaseError:
            continue  # damaged: that is why it is restored


def _unpack(reader: SealedReader, stage: Path) -> BackupManifest:
    stream = cast("IO[bytes]", reader)  # a stream of tar only reads
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        manifest = _read_manifest(archive, reader.path)
        while (entry := archive.next()) is not None:
            _extract(archive, entry, stage, reader.path)
    while reader.read(tarfile.RECORDSIZE):
        pass  # the reader raises at the end of a file that was cut off
    return manifest


def _read_manifest(archive: tarfile.TarFile, file: Path) -> BackupManifest:
    entry = archive.next()
    content = archive.extractfile(entry) if entry is not None and entry.name == MANIFEST else None
    if content is None:
        raise StoreError(f"{file}: the backup has no table of contents; it was not made by facegate backup")
    fields = json.loads(content.read())
    return BackupManifest(fields["program"], fields["created_at"], tuple(fields["files"]))


def _extract(archive: tarfile.TarFile, entry: tarfile.TarInfo, stage: Path, file: Path) -> None:
    content = archive.extractfile(entry) if entry.isreg() and NAME.fullmatch(entry.name) else None
    if content is None:
        raise StoreError(f"{file}: the backup holds {entry.name[:80]!r}, which no facegate puts there")
    target = stage / entry.name
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        shutil.copyfileobj(content, out)
        out.flush()
        os.fsync(out.fileno())


def _check(stage: Path, manifest: BackupManifest, databases: Mapping[str, Schema]) -> None:
    """Refuse what this program cannot use, before anything is put in place."""
    for name in manifest.files:
        if not (stage / name).exists():
            raise StoreError(f"{name}: the backup names it but does not hold it")
    for name, schema in databases.items():
        if (stage / name).exists():
            open_read_only(stage / name, schema, older=True).close()


def _back_again(stage: Path, data: Path) -> tuple[str, ...]:
    """Return who comes back by restoring: removed since, as far as the old folder can tell."""
    try:
        return tuple(sorted(_ids(stage) - _ids(data)))
    except (StoreError, sqlite3.Error):
        return ()


def _ids(folder: Path) -> set[str]:
    with closing(open_read_only(folder / RESIDENTS_FILE, RESIDENTS, older=True)) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM residents")}


def _begin_stream(
    stage: Path, manifest: BackupManifest, now: datetime, *, is_reviving: bool
) -> OldJournal | None:
    """Move the old journal into a folder of its own and begin a new one that says so."""
    path = stage / JOURNAL_FILE
    if not path.exists():
        return None
    with closing(JournalReader(path)) as reader:
        stream, last = reader.stream, reader.last()
    unsent = _unsent(path)
    folder = stage / OLD_JOURNALS / stream
    folder.mkdir(mode=0o700, parents=True)
    path.rename(folder / JOURNAL_FILE)
    if last is None:
        return None
    old = OldJournal(stream, last.seq, last.hash, unsent, folder.relative_to(stage))
    draft = _draft(old, manifest, now, is_reviving=is_reviving)
    journal = SqliteJournal(path, last.door_id, boot=str(uuid.uuid4()), clock_trust=lambda: "unknown")
    with closing(journal):
        journal.append(draft)
    return old


def _draft(old: OldJournal, manifest: BackupManifest, now: datetime, *, is_reviving: bool) -> EventDraft:
    data = {
        "old_stream": old.stream,
        "old_seq": old.last_seq,
        "old_hash": old.last_hash,
        "unsent": old.unsent,
        "backup_of": manifest.created_at,
        "revived": is_reviving,
    }
    return EventDraft(Kind.JOURNAL_RESTORED, now, time.monotonic(), data=data)


def _unsent(path: Path) -> int:
    """Return how many entries the slowest receiver had not got; 0 when there is no receiver."""
    with closing(open_read_only(path, JOURNAL)) as connection:
        (done,) = connection.execute("SELECT min(done_upto) FROM delivery").fetchone()
        return 0 if done is None else last_given(connection) - int(done)


def _put_in_place(stage: Path, data: Path, now: datetime, *, is_taken: bool) -> Path | None:
    """Give the finished folder its name; an old one keeps its content under another name."""
    aside = _aside(data, now) if is_taken else None
    # Until the finished folder is in its place the old one has a name that `_bring_back` finds.
    outgoing = stage.with_name(stage.name.replace(".restoring-", ".outgoing-"))
    models = data.with_name(f".{data.name}.models-{secrets.token_hex(4)}")
    if aside is not None:
        data.rename(outgoing)
    elif (data / MODELS).is_dir():
        # The finished folder has them too. Only moved: where it cannot get its name these go back.
        (data / MODELS).rename(models)
    try:
        stage.rename(data)  # also takes the place of an empty folder
    except OSError:
        if aside is not None:
            outgoing.rename(data)
        elif models.is_dir():
            models.rename(data / MODELS)
        raise
    if aside is not None:
        outgoing.rename(aside)
    sync_folder(data.parent)
    shutil.rmtree(models, ignore_errors=True)
    return aside


def _carry_over(data: Path, stage: Path) -> None:
    carry_standing_mode(data, stage)
    try:
        floor = read_plain(data / CLOCK_FLOOR)
    except FileNotFoundError:
        pass  # a new device has none
    except OSError as error:
        LOG.warning("%s is not carried over: %s", data / CLOCK_FLOOR, error)
    else:
        (stage / CLOCK_FLOOR).write_bytes(floor)
    if (data / MODELS).is_dir():
        shutil.copytree(data / MODELS, stage / MODELS, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    """Link a file, or copy it where that is not allowed: what root installed, say."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target)


def _sync_tree(folder: Path) -> None:
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync_folder(path)
