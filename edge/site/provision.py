"""A site's secrets in one folder: authority, broker, hub, and a bundle for each door.

ca/       the authority; keep it off the broker's machine
broker/   mosquitto.conf, access list, certificates: copy to the broker
hub/      the property's certificate
signer/   the key that signs commands and roster: for the signer's account alone
doors/ID/ what one door needs: copy to the door, then remove it here
"""

from __future__ import annotations

import base64
import contextlib
import json
import pwd
import secrets
from typing import TYPE_CHECKING

from edge.durable import let_group, write_first, write_whole
from edge.errors import ConfigError
from edge.site.authority import Authority, require_host, write_public
from edge.site.hand_over import hand_over
from edge.site.sharing import SharingDoors
from edge.site.signing import KEY, signing_folder, signing_key
from edge.wire.names import DOOR_ID, HUB, ROOT, WORKER, is_app, is_hub
from edge.wire.signing import Signer, TrustedKeys

if TYPE_CHECKING:
    from pathlib import Path

KEYS_FILE = "trusted-keys.json"
SHARE_FILE = "share.key"

MOSQUITTO = """\
# Written by `facegate provision`. Identity is the certificate; nobody is anonymous.
listener {port}
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
crlfile {folder}/crl.pem
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file {folder}/acl
persistence true
persistence_location {folder}/
# Doors keep every event until the hub has it, so a broker's loss is harmless: spare the disk.
autosave_interval 60
max_inflight_messages 100
max_queued_messages 100000
max_queued_bytes 67108864
max_packet_size 1048576
persistent_client_expiration 90d
"""

ACL = f"""\
# A door writes and reads under its own name only.
pattern write {ROOT}/%u/evt
pattern write {ROOT}/%u/state
pattern write {ROOT}/%u/avail
pattern write {ROOT}/%u/sync/req
pattern write {ROOT}/%u/cmd/ack
pattern write {ROOT}/%u/cfg/reported
pattern write {ROOT}/%u/rules/reported
pattern write {ROOT}/%u/ways/ask
pattern write {ROOT}/%u/face/out
pattern write {ROOT}/%u/face/taken
pattern read {ROOT}/%u/evt/ack
pattern read {ROOT}/%u/sync/#
pattern read {ROOT}/%u/cmd
pattern read {ROOT}/%u/cfg/desired
pattern read {ROOT}/%u/notice
pattern read {ROOT}/%u/pass/ended
pattern read {ROOT}/%u/rules/desired
pattern read {ROOT}/%u/ways/in
pattern read {ROOT}/%u/face/in/+
pattern read {ROOT}/%u/face/doors
user {HUB}
topic readwrite {ROOT}/#
topic write +/+/+/+/config
"""

WORKER_ACL = f"""\
user {{name}}
topic read {ROOT}/+/evt
topic write {ROOT}/+/evt/ack
"""

PLACE = "site.json"
"""What the site is called and where its broker is: written last, so with it a site is whole."""

TAKEN = frozenset({"authority", "broker", "keys"})
"""Names of the site's own certificates: such a door would be taken for the broker or the key server."""

DOOR_TOML = """\
# Add this to the door's config.toml; the files that it names lie beside that.
[mqtt]
host = "{host}"
port = {port}
tls = true
ca_file = "ca.crt"
cert_file = "door.crt"
key_file = "door.key"
trusted_keys = "trusted-keys.json"
ack = "application"
"""

TRIAL_TOML = """# A trial on this machine: nothing moves. A real door starts from systemd/config.toml.
[door]
id = "{door_id}"
[camera]
source = "{camera}"
loop = true
[lock]
driver = "dry-run"
[storage]
directory = "{folder}/data"
"""


def require_door_name(door_id: str) -> None:
    """Raise `ConfigError` for what no door may be called, by its own settings or because others are."""
    if not DOOR_ID.fullmatch(door_id) or is_hub(door_id) or is_app(door_id) or door_id in TAKEN:
        raise ConfigError(
            f"door {door_id!r}: use up to 64 of A-Z, a-z, 0-9, - and _, a letter or digit first, and not"
            f" {HUB!r}, 'ask', 'answer', {' or '.join(map(repr, sorted(TAKEN)))}"
        )


class Site:
    """The folder of one site. Raises `ConfigError` for what cannot be, and overwrites no key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def create(cls, folder: Path, name: str, broker_host: str, port: int = 8883) -> Site:
        """Make authority, broker files and hub keys for a new site and return it.

        What a call that was cut short has made is used: until the last file is there nobody has any of it.
        """
        require_host(broker_host)
        site = cls(folder)
        if (folder / PLACE).exists() or not (folder / "ca" / "ca.key").exists():
            Authority.create(folder / "ca", name)
        site._make_broker(broker_host, port)
        site._make_hub()
        place = json.dumps({"name": name, "host": broker_host, "port": port})
        write_public(folder / PLACE, place.encode())
        return site

    def add_door(self, door_id: str) -> Path:
        """Make the bundle of one door and return its folder."""
        require_door_name(door_id)
        authority, bundle = Authority.open(self._folder / "ca"), self._folder / "doors" / door_id
        # Asked of the file that is written last: a bundle that was cut short is made whole.
        if (bundle / "mqtt.toml").exists():
            raise ConfigError(f"{bundle}: the door has its bundle already; revoke it to make another")
        bundle.mkdir(mode=0o700, parents=True, exist_ok=True)
        let_group(bundle, 0o010)  # the console looks which doors have a certificate
        if not (bundle / "door.crt").exists():
            authority.issue(door_id, bundle / "door.crt", bundle / "door.key")
        write_public(bundle / "ca.crt", authority.certificate_pem)
        write_public(bundle / KEYS_FILE, (self._folder / "hub" / KEYS_FILE).read_bytes())
        write_public(bundle / "mqtt.toml", DOOR_TOML.format(**self._place()).encode())
        return bundle

    def add_trial(self, door_id: str, camera: str) -> Path:
        """Write a configuration that runs this door on this machine, and return its file.

        `camera` is what `camera.source` takes; its lock moves nothing. Raises `ConfigError` when the
        name does not fit into the file.
        """
        if not camera.isprintable() or set(camera) & set('"\\'):
            raise ConfigError(f"camera {camera!r}: a name without quotes and backslashes")
        bundle = self._folder / "doors" / door_id
        text = TRIAL_TOML.format(door_id=door_id, camera=camera, folder=bundle.resolve())
        (bundle / "config.toml").write_text(text + (bundle / "mqtt.toml").read_text())
        return bundle / "config.toml"

    def add_worker(self, number: int) -> str:
        """Make the certificate of one more hub that stores events, let it in, and return its name."""
        name, mine = f"{HUB}.{number}", self._folder / HUB
        if not WORKER.fullmatch(name):
            raise ConfigError(f"worker {number}: use 1 to 999")
        acl, is_made = self._folder / "broker" / "acl", (mine / f"{name}.crt").exists()
        said, lines = acl.read_text(), WORKER_ACL.format(name=name)
        if name in self.doors() or (is_made and lines in said):
            raise ConfigError(f"{name}: this name has its certificate already")
        if not is_made:
            Authority.open(self._folder / "ca").issue(name, mine / f"{name}.crt", mine / f"{name}.key")
        if lines not in said:
            write_whole(acl, (said + lines).encode())
            give_to_broker(acl.parent)
        return name

    def require_door(self, door_id: str) -> None:
        """Raise `ConfigError`, which names the doors there are, unless this one has a bundle."""
        if not (self._folder / "doors" / door_id / "door.crt").exists():
            raise ConfigError(
                f"door {door_id!r}: this site has no such door; it has {', '.join(self.doors())}"
            )

    def revoke_door(self, door_id: str) -> Path:
        """Make the door's certificate worthless and return the list the broker must reload."""
        bundle = self._folder / "doors" / door_id
        self.require_door(door_id)
        # The bundle goes last: cut short before that, the command can be repeated.
        listed = revoke(self._folder, bundle / "door.crt")
        SharingDoors(self._folder).exclude_if_listed(door_id)
        revoked = self._folder / "revoked" / f"{door_id}-{secrets.token_hex(4)}"
        revoked.parent.mkdir(mode=0o700, exist_ok=True)
        bundle.rename(revoked)
        return listed

    def doors(self) -> list[str]:
        """Return the ids of all doors with a valid bundle."""
        return sorted(
            path.name for path in (self._folder / "doors").glob("*") if (path / "door.crt").exists()
        )

    def signer(self) -> Signer:
        """Return the key that signs commands and the roster."""
        return signer_in(signing_key(self._folder))

    def share(self, *, make: bool = False) -> str:
        """Return the secret name of the group in which hubs divide events; with `make` begin one if need be.

        A door that knew it could join the group and swallow events. Raises `ConfigError` without one.
        """
        path = self._folder / HUB / SHARE_FILE
        if make and not path.exists():
            write_first(path, secrets.token_hex(16).encode())
        try:
            return path.read_text().strip()
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{path}: cannot be read ({error}); copy it from the machine on which `facegate hub run "
                "--workers` runs, which makes it"
            ) from error

    def _place(self) -> dict[str, str]:
        fields: dict[str, str] = json.loads((self._folder / PLACE).read_text())
        return fields

    def _make_broker(self, host: str, port: int) -> None:
        authority, broker = Authority.open(self._folder / "ca"), self._folder / "broker"
        broker.mkdir(mode=0o700, exist_ok=True)
        hosts = tuple(dict.fromkeys((host, "localhost", "127.0.0.1")))
        if not (broker / "server.crt").exists():
            authority.issue("broker", broker / "server.crt", broker / "server.key", hosts)
        elif host not in authority.hosts_of(broker / "server.crt"):
            authority.renew(broker / "server.crt", hosts)
        write_public(broker / "ca.crt", authority.certificate_pem)
        write_public(broker / "crl.pem", authority.revoked_pem)
        write_whole(broker / "acl", ACL.encode())
        write_public(broker / "mosquitto.conf", MOSQUITTO.format(port=port, folder=broker.resolve()).encode())
        give_to_broker(broker)

    def _make_hub(self) -> None:
        authority, hub = Authority.open(self._folder / "ca"), self._folder / "hub"
        hub.mkdir(mode=0o700, exist_ok=True)
        if not (hub / "hub.crt").exists():
            authority.issue(HUB, hub / "hub.crt", hub / "hub.key")
        write_public(hub / "ca.crt", authority.certificate_pem)
        private, kid = secrets.token_bytes(32), f"site-{secrets.token_hex(4)}"
        fields = {"kid": kid, "private": base64.b64encode(private).decode()}
        write_first(signing_folder(self._folder) / KEY, json.dumps(fields).encode())
        signer = self.signer()  # of a call that was cut short, where there is one
        public = base64.b64encode(signer.public).decode()
        write_public(hub / KEYS_FILE, json.dumps({signer.kid: public}).encode())


def signer_in(path: Path) -> Signer:
    """Return the signing key in a file. Raises `ConfigError` naming what is wrong."""
    try:
        fields = json.loads(path.read_text())
        return Signer(fields["kid"], base64.b64decode(fields["private"], validate=True))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be used ({error})") from error


def revoke(folder: Path, certificate: Path) -> Path:
    """Make a certificate of the site in `folder` worthless; return the list that the broker must read again.

    Does no harm when it was done before.
    """
    authority, listed = Authority.open(folder / "ca"), folder / "broker" / "crl.pem"
    authority.revoke(certificate)
    write_whole(listed, authority.revoked_pem)
    let_group(listed, 0o040)
    give_to_broker(listed.parent)
    return listed


def give_to_broker(folder: Path) -> None:
    """Let mosquitto read its files: started by root it becomes the account of this name."""
    with contextlib.suppress(LookupError):  # no such account: the broker runs elsewhere
        hand_over(folder, (pwd.getpwnam("mosquitto").pw_uid, -1))


def load_trusted_keys(path: Path) -> TrustedKeys:
    """Return the property's public keys from a bundle. Raises `ConfigError` naming what is wrong."""
    try:
        fields = json.loads(path.read_text())
        return TrustedKeys({kid: base64.b64decode(key, validate=True) for kid, key in fields.items()})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path}: no trusted keys: {error}; copy it from the site's bundle again"
        ) from error
