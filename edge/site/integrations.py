"""Other programs of a house: a certificate, what the broker lets them read, and what they may ask for."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from edge.durable import write_whole
from edge.errors import ConfigError
from edge.site.authority import Authority, write_public
from edge.site.hand_over import hand_over
from edge.site.signing import SIGNER, signing_folder
from edge.wire.asks import ASKABLE
from edge.wire.names import APP, DEVICE_ID, ROOT, is_app, is_hub

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FOLDER = "integrations"
GRANT_FILE = "{name}.json"
READABLE = ("evt", "state", "avail")
"""What of a door an integration may read."""


@dataclass(frozen=True, slots=True)
class IntegrationGrant:
    """What one program may: read `doors`, ask for `may` (commands) at them, in `hours`, so often a minute.

    `home_assistant`: the hub tells Home Assistant, under the topic prefix that is named, about its doors.
    """

    name: str
    doors: tuple[str, ...]
    may: tuple[str, ...] = ()
    hours: str = ""
    per_minute: int | None = None
    home_assistant: str | None = None


class Integrations:
    """The integrations of the site in `folder`; making one needs the authority. Raises `ConfigError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, grant: IntegrationGrant) -> Path:
        """Make or change an integration and return its bundle; one that is there keeps its certificate."""
        name = f"app.{grant.name}"
        if not APP.fullmatch(name):
            raise ConfigError(f"integration {grant.name!r}: use 1 to 40 small letters, digits and dashes")
        _require_plain(grant)
        bundle = self._folder / FOLDER / grant.name
        if not (bundle / "ca.crt").exists():  # what is written last
            authority = Authority.open(self._folder / "ca")
            bundle.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (bundle / "client.crt").exists():
                authority.issue(name, bundle / "client.crt", bundle / "client.key")
            write_public(bundle / "ca.crt", authority.certificate_pem)
        self._keep(grant)
        return bundle

    def end(self, name: str) -> Path:
        """Let an integration do nothing any more; return the list that the broker must read again."""
        from edge.site.provision import revoke  # noqa: PLC0415 - who only asks needs no keys

        bundle = self._folder / FOLDER / name
        if not (bundle / "client.crt").exists():
            raise ConfigError(f"{name}: there is no such integration; there are {', '.join(self.names())}")
        # The bundle goes last: cut short before that, the command can be repeated.
        listed = revoke(self._folder, bundle / "client.crt")
        (self._grants() / GRANT_FILE.format(name=name)).unlink(missing_ok=True)
        # With a random part: the same name may be made and ended again.
        revoked = self._folder / "revoked" / f"app.{name}-{secrets.token_hex(4)}"
        revoked.parent.mkdir(mode=0o700, exist_ok=True)
        bundle.rename(revoked)
        return listed

    def names(self) -> list[str]:
        """Return the names of all that have a grant."""
        return sorted(path.stem for path in self._grants().glob("*.json"))

    def all(self) -> list[IntegrationGrant]:
        """Return what each may, by name."""
        found = [load_grant(self._folder, name) for name in self.names()]
        return [grant for grant in found if grant is not None]

    def _grants(self) -> Path:
        return self._folder / SIGNER / FOLDER

    def _keep(self, grant: IntegrationGrant) -> None:
        own = signing_folder(self._folder)
        folder, owner = own / FOLDER, own.stat()
        folder.mkdir(mode=0o700, exist_ok=True)
        # Before anything is written, too: the folder is another account's, and may be a link by now.
        hand_over(folder, (owner.st_uid, owner.st_gid))
        write_whole(folder / GRANT_FILE.format(name=grant.name), json.dumps(asdict(grant)).encode())
        hand_over(folder, (owner.st_uid, owner.st_gid))


def _require_plain(grant: IntegrationGrant) -> None:
    """Refuse what would say something else in the broker's access list, or to the signer."""
    for door in grant.doors or ("",):
        if not DEVICE_ID.fullmatch(door) or is_hub(door) or is_app(door):
            raise ConfigError(f"{grant.name}: --door {door[:70]!r}: name at least one door by its id")
    if unknown := set(grant.may) - set(ASKABLE):
        raise ConfigError(f"--may {', '.join(sorted(unknown))}: there are {', '.join(ASKABLE)}")
    if grant.home_assistant is not None and not re.fullmatch("[A-Za-z0-9_-]{1,64}", grant.home_assistant):
        raise ConfigError(f"--home-assistant {grant.home_assistant!r}: one word, such as homeassistant")


def load_grant(folder: Path, name: str) -> IntegrationGrant | None:
    """Return what an integration of a site may, None: there is none of this name. Raises `ConfigError`."""
    if not APP.fullmatch(f"app.{name}"):
        return None
    path = folder / SIGNER / FOLDER / GRANT_FILE.format(name=name)
    try:
        fields = json.loads(path.read_text())
        doors, may = (tuple(map(str, fields.pop(key))) for key in ("doors", "may"))
        return IntegrationGrant(doors=doors, may=may, **fields)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{path}: cannot be used ({error}); provision it again") from error


def access_list(grants: Iterable[IntegrationGrant]) -> str:
    """Return the lines of the broker's access list for these integrations."""
    parts = []
    for grant in grants:
        lines = [f"user app.{grant.name}"]
        lines += [f"topic read {ROOT}/{door}/{leaf}" for door in grant.doors for leaf in READABLE]
        if grant.may:
            lines += [f"topic write {ROOT}/ask/{grant.name}", f"topic read {ROOT}/answer/{grant.name}"]
        if grant.home_assistant is not None:
            lines.append(f"topic read {grant.home_assistant}/#")
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)
