"""A door's data folder in one encrypted file, taken while the door runs.

Each database is copied by SQLite's own backup, so it is whole as of one moment; the keys of the
templates are copied after the templates, and checked to fit. Left out on purpose: the commanded
mode (an evacuation of last week must not open the door of today), faces that came from other doors,
and what can be made anew.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import shutil
import sqlite3
import tarfile
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, cast

from edge.durable import require_replaceable, whole_file
from edge.errors import StoreError
from edge.store.account_rows import ACCOUNTS, ACCOUNTS_FILE
from edge.store.acting import acting_as, owner_to_become
from edge.store.backup_shared import leave_out_shared
from edge.store.consent_rows import CONSENTS
from edge.store.consents import CONSENTS_FILE
from edge.store.credentials import PASS_KEY_FILE
from edge.store.database import open_read_only
from edge.store.key_source import KEY_SOURCE_FILE, keyring_of
from edge.store.keyring import KEYS, KEYS_FILE
from edge.store.ledger import LEDGER, LEDGER_FILE
from edge.store.leftovers import SNAPSHOT
from edge.store.reader import JOURNAL, JOURNAL_FILE
from edge.store.resident_rows import RESIDENTS
from edge.store.residents import RESIDENTS_FILE
from edge.store.sealed_file import Cost, SealedWriter
from edge.store.site_key import SITE_KEY_FILE
from edge.store.way_rows import CREDENTIALS, CREDENTIALS_FILE, PIN_KEY_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from edge.store.database import Schema

DATABASES: Mapping[str, Schema] = {
    # The order matters: the keyring is copied after the residents, so that it has a key for each template in
    # their copy.
    RESIDENTS_FILE: RESIDENTS,
    KEYS_FILE: KEYS,
    JOURNAL_FILE: JOURNAL,
    CONSENTS_FILE: CONSENTS,
    CREDENTIALS_FILE: CREDENTIALS,
    LEDGER_FILE: LEDGER,
    ACCOUNTS_FILE: ACCOUNTS,
}
"""The databases of a data folder, by name."""

FILES = (
    KEY_SOURCE_FILE,
    SITE_KEY_FILE,
    SITE_KEY_FILE + ".new",
    PIN_KEY_FILE,
    PASS_KEY_FILE,
    "receipt.key",
    "panel.crt",
    "panel.key",
    "clock-floor",
)
"""Small files of a data folder that are copied as they are."""

MANIFEST = "manifest.json"
OLD_JOURNALS = "old-journals"
"""Folder of journals this door got by being restored: one folder each, named after its stream."""

CONFIG = "config"
"""Folder of the configuration inside a backup, and beside the data after restoring."""

NAME = re.compile(rf"(?:{OLD_JOURNALS}/[0-9a-f-]{{36}}/|{CONFIG}/)?[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}")
"""What a file in a backup may be called: nothing leads out of the folder."""

TRIES = 20
"""Each time somebody else may be erased between the copies of residents and keys."""


@dataclass(frozen=True, slots=True)
class BackupManifest:
    """What a backup says of itself. `created_at` is ISO 8601 in UTC."""

    program: str
    created_at: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackupWish:
    """What goes into a backup beside the data: `config` is file name -> content.

    `program` is the version of facegate.
    """

    program: str
    config: Mapping[str, bytes] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)


def back_up(data: Path, file: Path, passphrase: str, now: datetime, wish: BackupWish) -> BackupManifest:
    """Write the data folder into `file` (mode 0600), completely or not at all. The door may run.

    Raises `StoreError` when there is nothing to back up, when a database is damaged, and when
    keys and templates do not belong together.
    """
    require_backable(data, file)
    # The backup file is written with the caller's rights, the folder is read with its owner's.
    owner = owner_to_become(data)
    try:
        with whole_file(file) as out, acting_as(owner), _snapshot(data) as folder:
            _add_config(folder, wish.config)
            names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
            manifest = BackupManifest(wish.program, now.isoformat(), tuple(names))
            sealed = SealedWriter(out, passphrase, wish.cost)
            _pack(folder, manifest, sealed)
            sealed.finish()
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{file}: the backup was not written: {error}") from error
    return manifest


def require_backable(data: Path, file: Path) -> None:
    """Raise `StoreError` where there is nothing to back up, or no folder that takes the file."""
    if not (data / RESIDENTS_FILE).exists() and not (data / JOURNAL_FILE).exists():
        raise StoreError(f"{data}: no residents and no journal here; name the door's folder with --data")
    if not file.absolute().parent.is_dir():
        raise StoreError(f"{file}: there is no folder {file.parent}; make it, or name another")
    require_own_name(file)


def require_own_name(file: Path) -> None:
    """Raise `StoreError` for the name of a link, a device or a pipe: the new file would replace it."""
    try:
        require_replaceable(file)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}; name a file, and copy it when it is made") from error
    if file.is_symlink():
        raise StoreError(f"{file}: this is a link; name the file that it leads to, or another one")


@contextmanager
def _snapshot(data: Path) -> Iterator[Path]:
    """Give a folder with copies that belong together; it is gone afterwards.

    It lies in the data folder, so the copies are protected as the files themselves are.
    """
    folder = data / f"{SNAPSHOT}{secrets.token_hex(4)}"
    try:
        lacking: set[str] = set()
        for _ in range(TRIES):
            folder.mkdir(mode=0o700)
            _copy_all(data, folder)
            leave_out_shared(data, folder)
            before, lacking = lacking, _without_key(folder)
            # Somebody erased between the two copies is missing in the next copies; somebody whose key is
            # missing twice has lost it.
            if not lacking or lacking & before:
                break
            shutil.rmtree(folder)
        if lacking:
            raise StoreError(f"the keys of {', '.join(sorted(lacking))} are missing; enrol them again first")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_all(data: Path, folder: Path) -> None:
    for name, schema in DATABASES.items():
        if (data / name).exists():
            _copy_database(data / name, folder / name, schema)
    for old in sorted((data / OLD_JOURNALS).glob(f"*/{JOURNAL_FILE}")):
        target = folder / old.relative_to(data)
        target.parent.mkdir(mode=0o700, parents=True)
        _copy_database(old, target, JOURNAL)
    for name in FILES:
        if (data / name).exists():
            shutil.copyfile(data / name, folder / name)


def _copy_database(source: Path, target: Path, schema: Schema) -> None:
    """Copy one database as of one moment, also while others write to it."""
    with closing(open_read_only(source, schema)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise StoreError(f"{source}: the {schema.name} is damaged ({verdict}); nothing was backed up")


def _without_key(folder: Path) -> set[str]:
    """Return who has a template here, and no key that opens it."""
    if not (folder / KEYS_FILE).exists() or not (folder / RESIDENTS_FILE).exists():
        return set()
    with closing(keyring_of(folder)) as keyring:
        return _with_templates(folder / RESIDENTS_FILE) - set(keyring.people())


def _with_templates(path: Path) -> set[str]:
    with closing(open_read_only(path, RESIDENTS)) as connection:
        return {row[0] for row in connection.execute("SELECT DISTINCT resident_id FROM templates")}


def _add_config(folder: Path, config: Mapping[str, bytes]) -> None:
    if config:
        (folder / CONFIG).mkdir(mode=0o700)
    for name, content in config.items():
        (folder / CONFIG / name).write_bytes(content)


def _pack(folder: Path, manifest: BackupManifest, out: SealedWriter) -> None:
    """Write the manifest, then the files it names."""
    fields = {"program": manifest.program, "created_at": manifest.created_at, "files": manifest.files}
    text = json.dumps(fields).encode()
    stream = cast("IO[bytes]", out)  # a stream of tar only writes
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(_entry(MANIFEST, len(text)), io.BytesIO(text))
        for name in manifest.files:
            with (folder / name).open("rb") as file:
                archive.addfile(_entry(name, os.fstat(file.fileno()).st_size), file)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    """Return a header without owner, mode and time: they are the restored folder's own affair."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry
