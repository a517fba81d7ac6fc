"""What a site renews in its life: certificates, the broker's address and list, the key that signs."""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING

from edge.durable import write_whole
from edge.errors import ConfigError
from edge.site.authority import Authority, require_host, write_public
from edge.site.hand_over import hand_over
from edge.site.integrations import Integrations, access_list
from edge.site.provision import (
    ACL,
    KEYS_FILE,
    PLACE,
    WORKER_ACL,
    give_to_broker,
    load_trusted_keys,
    revoke,
    signer_in,
)
from edge.site.signing import NEXT_KEY, signing_key
from edge.wire.names import HUB, WORKER
from edge.wire.signing import Signer

if TYPE_CHECKING:
    from pathlib import Path

AUTHORITY, BROKER = "authority", "broker"


class Renewal:
    """Renews parts of the site in `folder`; its authority must be there. Keys of others stay theirs.

    Raises `ConfigError` naming what is not there, before anything is changed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def renew(self, name: str, host: str | None = None) -> Path:
        """Write a new certificate for the key that `name` has, and return the file to be copied there.

        `name` is `authority`, `broker`, `hub`, `hub.1` or a door; `host` another address of the broker.
        """
        authority = Authority.open(self._folder / "ca")
        if name == AUTHORITY:
            return authority.renew_itself()
        path = self._certificate(name)
        if not path.exists():
            raise ConfigError(f"{path}: is not here; copy the certificate in use there, and try again")
        if host is not None and name != BROKER:
            raise ConfigError(f"{name}: only the broker has an address")
        if host is not None:
            require_host(host)
        hosts = tuple(dict.fromkeys((host, "localhost", "127.0.0.1"))) if host else ()
        authority.renew(path, hosts)
        if name == BROKER:
            give_to_broker(path.parent)
        if host is not None:
            place = json.loads((self._folder / PLACE).read_text()) | {"host": host}
            write_public(self._folder / PLACE, json.dumps(place).encode())
        return path

    def renew_acl(self) -> Path:
        """Write the broker's access list as this version needs it, and return it."""
        mine = sorted(path.stem for path in (self._folder / HUB).glob(f"{HUB}.*.crt"))
        workers = [WORKER_ACL.format(name=name) for name in mine if WORKER.fullmatch(name)]
        path = self._folder / "broker" / "acl"
        apps = access_list(Integrations(self._folder).all())
        write_whole(path, (ACL + "".join(workers) + apps).encode())
        give_to_broker(path.parent)
        return path

    def begin_signing_key(self) -> list[Path]:
        """Make another signing key that doors are to trust beside the one in use; return their files."""
        hub, following = self._folder / HUB, self._next_key()
        trusted = load_trusted_keys(hub / KEYS_FILE).keys
        if following.exists():
            begun = signer_in(following)
            if begun.kid in trusted:
                raise ConfigError(f"{following}: a change of the key is under way; use it, then finish")
            return self._trust({**trusted, begun.kid: begun.public})  # the call that made it was cut short
        kid, private = f"site-{secrets.token_hex(4)}", secrets.token_bytes(32)
        # A door takes two keys at most: the one in use and the next.
        if len(trusted) != 1:
            raise ConfigError(
                f"{hub / KEYS_FILE}: {len(trusted)} keys are trusted; finish the last change first"
            )
        fields = {"kid": kid, "private": base64.b64encode(private).decode()}
        write_whole(following, json.dumps(fields).encode())
        return self._trust({**trusted, kid: Signer(kid, private).public})

    def use_signing_key(self) -> Path:
        """Sign with the new key from the hub's next start on; every door must trust it by now."""
        following, key = self._next_key(), signing_key(self._folder)
        try:
            fresh = following.read_bytes()
        except OSError as error:
            raise ConfigError(f"{following}: {error}; begin a change of the key first") from error
        if signer_in(following).kid not in load_trusted_keys(self._folder / HUB / KEYS_FILE).keys:
            raise ConfigError(f"{following}: no door trusts it yet; begin the change of the key again")
        # It makes a file of root's own; the signer's account, whose folder it is in, has to read it.
        owner = key.resolve().parent.stat()
        write_whole(key, fresh)
        hand_over(key.resolve().parent, (owner.st_uid, owner.st_gid), [key.name])
        following.unlink()
        return key

    def finish_signing_key(self) -> list[Path]:
        """Let doors trust the key in use alone; return their files."""
        hub = self._folder / HUB
        if self._next_key().exists():
            raise ConfigError(f"{self._next_key()}: the new key is not in use yet")
        kid = json.loads(signing_key(self._folder).read_text())["kid"]
        return self._trust({kid: load_trusted_keys(hub / KEYS_FILE).keys[kid]})

    def replace_signing_key(self) -> list[Path]:
        """Make a new key the only one at once, after a theft; return the doors' files.

        A door obeys nobody until it has its new file. A door that has it no longer obeys the old key.
        """
        if self._next_key().exists():
            self._next_key().unlink()  # begun before the theft: it may have been stolen, too
        kid = json.loads(signing_key(self._folder).read_text())["kid"]
        # Back to one key first: a change that was under way has two, and `begin_signing_key` refuses a third.
        self._trust({kid: load_trusted_keys(self._folder / HUB / KEYS_FILE).keys[kid]})
        self.begin_signing_key()
        self.use_signing_key()
        return self.finish_signing_key()

    def replace(self, name: str) -> list[Path]:
        """Give the broker, the hub or a worker a new key and certificate, and make the old ones worthless.

        After a theft. Returns what is to be copied: its two files, and the list of the revoked.
        """
        authority, certificate = Authority.open(self._folder / "ca"), self._certificate(name)
        key = certificate.with_suffix(".key")
        if name not in (BROKER, HUB) and not WORKER.fullmatch(name):
            raise ConfigError(f"{name}: for a door use `facegate provision revoke`, then `door`")
        if not certificate.exists():
            raise ConfigError(f"{certificate}: is not here; copy the certificate in use there, and try again")
        hosts = authority.hosts_of(certificate)
        # First of all: whatever is cut afterwards, the stolen certificate is worthless, and a second run goes
        # on.
        listed = revoke(self._folder, certificate)
        fresh = [path.with_name(path.name + ".new") for path in (certificate, key)]
        for path in fresh:
            # Left by a run that was cut; `issue` overwrites no key.
            path.unlink(missing_ok=True)
        authority.issue(name, fresh[0], fresh[1], hosts)
        owner = key.stat() if key.exists() else None
        for path, into in zip(fresh, (certificate, key), strict=True):
            if owner is not None:
                hand_over(path.parent, (owner.st_uid, owner.st_gid), [path.name])
            path.replace(into)
        give_to_broker(listed.parent)
        return [certificate, key, listed]

    def _next_key(self) -> Path:
        return signing_key(self._folder).with_name(NEXT_KEY)

    def _trust(self, keys: dict[str, bytes]) -> list[Path]:
        text = json.dumps({kid: base64.b64encode(raw).decode() for kid, raw in keys.items()})
        bundles = sorted(path for path in (self._folder / "doors").glob("*") if path.is_dir())
        # The hub's own last: it is what is asked, after this was cut short, whether all of them have it.
        files = [folder / KEYS_FILE for folder in (*bundles, self._folder / HUB)]
        for path in files:
            write_public(path, text.encode())
        return files[:-1]

    def _certificate(self, name: str) -> Path:
        if name == BROKER:
            return self._folder / "broker" / "server.crt"
        if name == HUB or WORKER.fullmatch(name):
            return self._folder / HUB / f"{name}.crt"
        return self._folder / "doors" / name / "door.crt"
