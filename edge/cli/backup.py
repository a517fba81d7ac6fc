"""`facegate backup` and `facegate restore`: a door in one encrypted file, and out of it again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge import __version__
from edge.cli.data_dir import data_option_as_root
from edge.cli.run import DEFAULT_CONFIG
from edge.errors import ConfigError, StoreError
from edge.events import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config import Settings
    from edge.store.acting import Owner
    from edge.store.restore import Restored
    from edge.store.restore_elsewhere import TakenBack

F = TypeVar("F", bound="Callable[..., Any]")
ENDINGS = frozenset({Kind.CONSENT_WITHDRAWN, Kind.RESIDENT_REMOVED, Kind.CREDENTIAL_REMOVED})
"""Events after which a face, a person, a PIN or a card must not come back."""
FILE = click.Path(dir_okay=False, path_type=Path)


def passphrase_option(command: F) -> F:
    """Add `--passphrase-file FILE`; the command gets a `passphrase_file: Path | None`."""
    return click.option(
        "--passphrase-file", type=FILE, help="Its first line is the passphrase; asked for without."
    )(command)


@click.command()
@click.argument("file", type=FILE)
@data_option_as_root
@click.option("--config", type=FILE, help=f"Settings to take along. [default: {DEFAULT_CONFIG} if there]")
@click.option("--with-secrets", is_flag=True, help="Take passwords and keys of the settings along too.")
@passphrase_option
def backup(
    file: Path, data: Path, config: Path | None, with_secrets: bool, passphrase_file: Path | None
) -> None:
    """Write residents, templates, keys, journal and settings into one encrypted FILE.

    The door may run meanwhile. Whoever has the file and the passphrase has every template: keep
    the two apart, and keep no backup for longer than you may keep faces.

    Example: facegate backup door-1.fgb --passphrase-file /root/passphrase
    """
    from edge.store.acting import owner_to_become
    from edge.store.backup import BackupWish, back_up, require_backable

    require_backable(data, file)  # before anybody types a passphrase twice
    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    owner = owner_to_become(data)
    taken = {} if config is None else config_files(config, owner, with_secrets=with_secrets)
    passphrase = _passphrase(passphrase_file, is_new=True)
    wish = BackupWish(__version__, taken)
    _note(data)
    manifest = back_up(data, file, passphrase, datetime.now(UTC), wish)
    click.echo(f"{file}: {len(manifest.files)} files, {file.stat().st_size:,} bytes, encrypted")
    if config is None:
        click.echo(f"no settings in it: there is no {DEFAULT_CONFIG}; name yours with --config")


def _note(data: Path) -> None:
    """Write into the door's journal that a backup is made; a card that fails hinders no backup."""
    # All that the block loads is loaded before it: the folder's owner may not be able to read this program,
    # where it lies in root's home.
    import edge.runtime.clock
    import edge.store.journal
    import edge.store.reader  # noqa: F401
    from edge.cli.door_files import tell_journal
    from edge.store.acting import acting_as, owner_to_become

    try:
        with acting_as(owner_to_become(data)):
            tell_journal(data, Kind.PANEL_BACKUP)
    except (StoreError, OSError) as error:
        click.echo(f"warning: the journal does not tell of this backup: {error}", err=True)


@click.command()
@click.argument("file", type=FILE)
@data_option_as_root
@click.option("--replace", is_flag=True, help="Keep a folder that is not empty under another name.")
@click.option(
    "--revive",
    is_flag=True,
    help="With --replace: bring back what was revoked since the backup, or what nobody can tell any more.",
)
@click.option(
    "--events",
    type=FILE,
    help="This door's events as the property has them: what was taken back since the backup stays so.",
)
@passphrase_option
def restore(
    file: Path, data: Path, replace: bool, revive: bool, events: Path | None, passphrase_file: Path | None
) -> None:
    """Make the data folder what it was when FILE was written. Stop the door first.

    The door begins a new journal; the old one can be read beside it. Residents, cards, PINs and
    accounts that were taken back since the backup, consents that were withdrawn, and passes and
    commands that were used up stay so, as far as the folder that is replaced tells; what it cannot
    tell any more is named, and nothing is restored without --revive. On a new card give what the
    property knows with --events: at the hub, facegate hub events export --json --door DOOR > events.jsonl

    Example: facegate restore door-1.fgb --events events.jsonl
    """
    from edge.store.restore import RestoreWish
    from edge.store.restore import restore as put_back
    from edge.store.sealed_file import require_sealed

    if not file.exists():
        raise StoreError(f"{file}: no such file")
    require_sealed(file)  # before anybody types a passphrase
    passphrase = _passphrase(passphrase_file, is_new=False)
    told = _told(events) if events else []
    wish = RestoreWish(replace, _withdrawn(told), _ended(told), revive)
    restored = put_back(file, data, passphrase, datetime.now(UTC), wish)
    _report(restored, data)
    if restored.set_aside is None or revive:
        click.echo("visitor passes from before are over, for nobody knows which were used: issue them anew")
        click.echo("cards, PINs and accounts that were taken back since the backup work again where no event")
        click.echo("told of it: look through facegate card list, facegate pin list and facegate account list")
    if restored.set_aside is None and events is None:
        click.echo("withdrawals since the backup are not known here: see --events of facegate restore --help")


def _told(events: Path) -> list[dict[str, Any]]:
    """Return what took something back, out of events as JSON lines."""
    try:
        # Not by `splitlines`: a text in an event may hold what Unicode counts as the end of a line (U+2028).
        lines = map(json.loads, filter(None, events.read_text(encoding="utf-8").split("\n")))
        return [
            {"resident": line["resident"], "type": line["type"], "ts": line["ts"], "method": _method(line)}
            for line in lines
            if line["type"] in ENDINGS and line["resident"] and datetime.fromisoformat(line["ts"])
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{events}: not events as JSON lines ({error}); export them again") from error


def _method(line: dict[str, Any]) -> str | None:
    method: str | None = (line.get("data") or {}).get("method")
    return method


def _withdrawn(told: list[dict[str, Any]]) -> dict[str, str]:
    """Return who withdrew when."""
    found: dict[str, str] = {}
    for event in told:
        if event["type"] != Kind.CREDENTIAL_REMOVED:
            found[event["resident"]] = max(event["ts"], found.get(event["resident"], ""))
    return found


def _ended(told: list[dict[str, Any]]) -> tuple[TakenBack, ...]:
    """Return what else was taken back; a pass is over anyway."""
    from edge.store.restore_elsewhere import TakenBack, TakenKind

    found = []
    for event in told:
        method = event["method"]
        at = datetime.fromisoformat(event["ts"])
        if event["type"] == Kind.RESIDENT_REMOVED:
            found.append(TakenBack(event["resident"], TakenKind.PERSON, at))
        elif event["type"] == Kind.CREDENTIAL_REMOVED and method in (TakenKind.PIN, TakenKind.CARD, None):
            found.append(TakenBack(event["resident"], TakenKind(method) if method else TakenKind.WAYS, at))
    return tuple(found)


def config_files(config: Path, owner: Owner | None, *, with_secrets: bool) -> dict[str, bytes]:
    """Return the settings and the rules they name; secrets are masked, or taken along with their files.

    Raises `ConfigError` when the settings are not valid, or the data's owner may not read the rules.
    """
    from edge.config import describe, load_settings
    from edge.store.acting import acting_as

    settings = load_settings(config)
    keys = settings.mqtt.trusted_keys if settings.mqtt is not None else None
    wanted: list[Path | None] = [keys]
    if with_secrets:
        files = {"config.toml": config.read_bytes()}
        wanted += _secret_files(settings)
    else:
        files = {"config.toml": describe(settings).encode()}
    for path in wanted:
        if path is not None and path.exists():
            files[path.name] = path.read_bytes()
    # The service may change its rules: a link there leads root nowhere.
    with acting_as(owner):
        rules = settings.access.rules
        try:
            if rules is not None and rules.exists():
                files[rules.name] = rules.read_bytes()
        except OSError as error:
            raise ConfigError(f"access.rules: {rules} cannot be read: {error}") from error
    return files


def _secret_files(settings: Settings) -> list[Path | None]:
    mqtt = settings.mqtt
    return [] if mqtt is None else [mqtt.password_file, mqtt.ca_file, mqtt.cert_file, mqtt.key_file]


def _passphrase(file: Path | None, *, is_new: bool) -> str:
    if file is None:
        return str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new))
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{file}: the passphrase cannot be read: {error}") from error
    return lines[0] if lines else ""


def _report(restored: Restored, data: Path) -> None:
    click.echo(f"{data}: as it was at {restored.manifest.created_at}")
    if restored.set_aside is not None:
        click.echo(f"what was there is kept in {restored.set_aside}, with events the backup does not have")
        click.echo("delete it when you have looked: faces are in it, and no withdrawal reaches them there")
    if (old := restored.journal) is not None:
        click.echo(f"a new journal begins; the old one: facegate events --data {data / old.folder}")
        if old.unsent:
            click.echo(f"{old.unsent} of its events had not arrived at the broker when the backup was made")
    if (data / "restored-config").exists():
        click.echo(f"settings are in {data / 'restored-config'}: compare, copy, fill in what is masked")
    if restored.erased:
        click.echo(f"withdrawn since, so their faces are erased here too: {', '.join(restored.erased)}")
    for line in restored.revoked:
        click.echo(f"not restored, {line}")
    if restored.back_again:
        click.echo(f"back again, though removed since: {', '.join(restored.back_again)}")
        click.echo("take out who must not enter: facegate enrol remove ID")
