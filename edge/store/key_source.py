"""Which site key a data folder uses, noted in the folder: door, panel and commands all ask here.

The note holds no secret. A change of source is safe against a power cut at any moment: while it
lasts the note names both sources, and whichever wrapped the keyring opens it.
"""

from __future__ import annotations

import json
import os
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from edge.durable import write_whole
from edge.errors import KeyUnavailable, StoreError
from edge.store.acting import acting_as
from edge.store.keyring import KEYS_FILE, Keyring
from edge.store.remote_key import remote_key
from edge.store.resealing import reseal
from edge.store.site_key import CREDENTIAL_NAMES, SITE_KEY_FILE, CredentialKey, EitherKey, KeyFile
from edge.store.system_credentials import CREDENTIAL_STORE, OF_THIS_PROCESS
from edge.words import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge.store.acting import Owner
    from edge.store.remote_key import RemoteKey
    from edge.store.site_key import SiteKey

KEY_SOURCE_FILE = "key-source.json"
"""Its name inside the data folder; without it the key is in a file there."""

Kind: TypeAlias = Literal["file", "credential", "site"]

STRENGTH = {"file": 0, "site": 1, "credential": 2}
"""What a stolen card is worth with each: with `file` it holds the key, with `site` that of the names."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the site key comes from.

    `site` asks `server` (https://host:port) and shows `cert_file`; with `cache_hours` above 0 a key
    is kept that long in memory-backed `$RUNTIME_DIRECTORY`. `former` is set while a change lasts.
    """

    kind: Kind = "file"
    server: str = ""
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    cache_hours: float = 0
    former: KeySource | None = None
    weakened_from: Kind | None = None
    """Set by the command that made it weaker, until the door has told so in an event."""

    def is_weaker_than(self, other: KeySource) -> bool:
        """Whether a stolen card tells more with this source than with the other."""
        return STRENGTH[self.kind] < STRENGTH[other.kind]

    def site_key(self, folder: Path, environ: Mapping[str, str]) -> SiteKey:
        """Return what wraps the keys of persons."""
        if self.former is not None:
            now = replace(self, former=None)
            return EitherKey(now.site_key(folder, environ), self.former.site_key(folder, environ))
        if self.kind == "credential":
            given = environ.get("CREDENTIALS_DIRECTORY")
            return CredentialKey(Path(given) if given else None)
        if self.kind == "site":
            return self._remote(environ)
        return KeyFile(folder / SITE_KEY_FILE)

    def local_key(self, folder: Path, environ: Mapping[str, str]) -> SiteKey:
        """Return what wraps the key of the records: never anything behind a network."""
        if self.former is not None:
            now = replace(self, former=None)
            return EitherKey(now.local_key(folder, environ), self.former.local_key(folder, environ))
        return KeyFile(folder / SITE_KEY_FILE) if self.kind == "site" else self.site_key(folder, environ)

    def _remote(self, environ: Mapping[str, str]) -> RemoteKey:
        if self.ca_file is None or self.cert_file is None or self.key_file is None:
            raise StoreError(
                "the site's key server needs ca_file, cert_file and key_file of the door's bundle"
            )
        runtime = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
        cache = Path(runtime) / "site-key" if runtime and self.cache_hours else None
        identity = (self.ca_file, self.cert_file, self.key_file)
        return remote_key(self.server, identity, cache, self.cache_hours * 3600)


def read_source(folder: Path) -> KeySource:
    """Return the noted source of a data folder. Raises `StoreError` for a note that is not one."""
    path = folder / KEY_SOURCE_FILE
    try:
        return _source(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return KeySource()
    except OSError as error:
        raise KeyUnavailable(f"{path}: cannot be read now ({error.strerror})") from error
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{path}: not a note of where the key is ({error}); restore it") from error


def open_credentials(folder: Path, owner: Owner | None, store: Path = CREDENTIAL_STORE) -> None:
    """Open, as root, the credentials that the keys of `folder` are wrapped with, before becoming its `owner`.

    Nothing happens in a unit that is handed them, for other sources, or unless root runs this.
    """
    if os.geteuid() != 0 or "CREDENTIALS_DIRECTORY" in os.environ:
        return
    is_credential = False
    with suppress(StoreError), acting_as(owner):
        source = read_source(folder)
        is_credential = "credential" in (source.kind, source.former and source.former.kind)
    if is_credential:
        OF_THIS_PROCESS.open_as_root(CREDENTIAL_NAMES, store)


def keyring_of(folder: Path, environ: Mapping[str, str] = os.environ, *, is_patient: bool = False) -> Keyring:
    """Return the keyring of a data folder, opened with the source noted there.

    `is_patient` as in `SharedDatabase`; then a note that cannot be read now is read again at need.
    """
    source: KeySource | None = None
    try:
        source = read_source(folder)
    except KeyUnavailable:
        if not is_patient:
            raise
        site_key: SiteKey = NotedKey(folder, environ, KeySource.site_key)
        local_key: SiteKey = NotedKey(folder, environ, KeySource.local_key)
    else:
        site_key, local_key = source.site_key(folder, environ), source.local_key(folder, environ)
    is_strict = source is not None and source.kind == "credential"
    return Keyring(folder / KEYS_FILE, site_key, local_key, is_patient=is_patient, is_strict=is_strict)


class NotedKey:
    """The key of the source noted in a folder, whose note could not be read so far. A `SiteKey`."""

    protection = Message("panel.protection.unknown")

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        choose: Callable[[KeySource, Path, Mapping[str, str]], SiteKey],
    ) -> None:
        self._folder, self._environ, self._choose = folder, environ, choose

    def keys(self) -> Sequence[bytes]:
        """Return the keys of the noted source. Raises `KeyUnavailable` while the note cannot be read."""
        return self._source().keys()

    @property
    def is_remote(self) -> bool:
        """Whether they come over the network. Raises `KeyUnavailable` likewise."""
        return self._source().is_remote

    def at_hand(self) -> Sequence[bytes]:
        """Return those at hand. Raises `KeyUnavailable` likewise."""
        return self._source().at_hand()

    def _source(self) -> SiteKey:
        return self._choose(read_source(self._folder), self._folder, self._environ)


def use_source(
    folder: Path,
    wanted: KeySource,
    environ: Mapping[str, str] = os.environ,
    *,
    may_weaken: bool = False,
) -> bool:
    """Make `wanted` the source, make all keys anew and seal everything with them; say whether that was done.

    Who copied the keys while they lay on the card opens nothing that comes later. Raises `StoreError` when
    the new key or the present one cannot be had, or when a weaker source is wanted and not `may_weaken`:
    a setting alone must not put the key onto the card. Nothing is changed then.
    """
    now = read_source(folder)
    if replace(now, weakened_from=None) == wanted:
        return False
    if (known := now.former or now) and wanted.is_weaker_than(known):
        if not may_weaken:
            raise StoreError(
                f"the key comes from {known.kind!r}, and {wanted.kind!r} protects less: if that is meant, run"
                " `facegate keys weaken` where the present key can be had"
            )
        wanted = replace(wanted, weakened_from=known.kind)
    site_key = wanted.site_key(folder, environ).keys()[0]
    local_key = wanted.local_key(folder, environ).keys()[0]
    # From here to the last line the note names both: wherever this is cut, one of them opens the keyring.
    _write_source(folder, replace(wanted, former=now.former or now))
    with closing(keyring_of(folder, environ)) as keyring:
        keyring.rewrap(site_key, local_key)
        reseal(folder, keyring)
    if wanted.kind == "credential":
        KeyFile(folder / SITE_KEY_FILE).destroy()  # before the note says that all is done
    _write_source(folder, wanted)
    return True


def change_key(folder: Path, environ: Mapping[str, str] = os.environ) -> int:
    """Change the site key and all keys behind it; return for how many people. Nobody enrols again.

    A file gets a new key; a credential and the site's server must offer one beside the present.
    A power cut at any moment leaves a key that opens the keyring.
    """
    source = read_source(folder)
    with closing(keyring_of(folder, environ)) as keyring:
        if source.kind == "credential":
            count = keyring.rewrap(_next_key(keyring, source.site_key(folder, environ)))
            reseal(folder, keyring)
            return count
        file = KeyFile(folder / SITE_KEY_FILE)
        staged = file.stage()
        site_key = staged if source.kind == "file" else source.site_key(folder, environ).keys()[0]
        count = keyring.rewrap(site_key, staged)
        reseal(folder, keyring)
    file.settle()
    return count


def finish_renewal(folder: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Bind the rows that an older version wrote, finish a change of keys that was cut short; say whether."""
    if not (folder / KEYS_FILE).exists():
        return False
    with closing(keyring_of(folder, environ)) as keyring:
        if not keyring.is_renewing and keyring.is_bound:
            return False
        reseal(folder, keyring)
    return True


def told_of_weakening(folder: Path) -> str | None:
    """Return from which source a command has weakened the key since this was asked last, None: it has not."""
    try:
        source = read_source(folder)
        if source.weakened_from is not None and source.former is None:
            _write_source(folder, replace(source, weakened_from=None))
    except (StoreError, OSError):
        return None
    return source.weakened_from


def _next_key(keyring: Keyring, site_key: SiteKey) -> bytes:
    offered = site_key.keys()
    for key in offered:
        if not keyring.is_wrapped_with(key):
            return key
    raise StoreError(
        "there is no other credential: give the new key as facegate-new.key in LoadCredentialEncrypted="
    )


def _source(fields: dict[str, Any]) -> KeySource:
    if fields["kind"] not in ("file", "credential", "site"):
        raise ValueError(f"kind {fields['kind']!r}")
    paths = {name: Path(fields[name]) for name in ("ca_file", "cert_file", "key_file") if fields.get(name)}
    former = _source(fields["former"]) if fields.get("former") else None
    rest = {name: value for name, value in fields.items() if name not in paths and value is not None}
    return KeySource(**{**rest, **paths, "former": former})


def _write_source(folder: Path, source: KeySource) -> None:
    text = json.dumps(asdict(source), default=str)
    write_whole(folder / KEY_SOURCE_FILE, text.encode())
