"""`facegate provision`: keys, certificates and broker configuration of a site."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from edge.cli.json_option import json_option
from edge.errors import ConfigError
from edge.lazy_group import ToldGroup
from edge.policy.hours import GrantHours
from edge.runtime.json_lines import json_line
from edge.site.integrations import IntegrationGrant, Integrations
from edge.site.lives import WARNING
from edge.site.lives import lives as lives_of
from edge.site.provision import Site, require_door_name
from edge.site.renewal import Renewal
from edge.site.sharing import SharingDoors, SharingRequest
from edge.site.signing import move_key
from edge.site.signing import signing_key as signing_key_file
from edge.wire.home_assistant import PREFIX

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(cls=ToldGroup)
def provision() -> None:
    """Make the keys and certificates of a site: its authority, broker, hub and doors.

    Example: facegate provision site ./site --broker 192.168.1.10 --door front --door back
    """


@provision.command()
@click.argument("folder", type=FOLDER)
@click.option("--broker", required=True, help="Name or address at which doors reach the broker.")
@click.option("--port", default=8883, show_default=True, help="The broker's TLS port.")
@click.option("--name", default="site", show_default=True, help="Shown in the authority's certificate.")
@click.option("--door", "doors", multiple=True, help="Also make this door's bundle; may be repeated.")
@click.option(
    "--trial",
    metavar="CAMERA",
    help="Also write a config.toml for each door that runs here, with a lock that moves nothing: "
    "0, /dev/video0, rtsp://..., or a recording.",
)
def site(folder: Path, broker: str, port: int, name: str, doors: tuple[str, ...], trial: str | None) -> None:
    """Make a new site in FOLDER.

    Example: facegate provision site ./site --broker broker.example.lan --door front
    """
    doors = tuple(dict.fromkeys(doors))
    for door_id in doors:  # before there is anything that a second try would find in its way
        require_door_name(door_id)
    made = Site.create(folder, name, broker, port)
    click.echo(f"broker: mosquitto -c {folder / 'broker' / 'mosquitto.conf'}")
    click.echo(f"hub:    {folder / 'hub'}")
    click.echo(f"signer: {folder / 'signer'} (signs commands and roster: guard it)")
    for door_id in doors:
        bundle = made.add_door(door_id)
        if trial is None:
            _show_door(bundle)
        else:
            click.echo(f"door:   facegate run --config {made.add_trial(door_id, trial)}")
    click.echo(f"keep {folder / 'ca'} offline; it is needed to add or revoke doors")


@provision.command()
@click.argument("folder", type=FOLDER)
@click.argument("door_id")
def door(folder: Path, door_id: str) -> None:
    """Make the bundle of one more door.

    Example: facegate provision door ./site garage
    """
    _show_door(Site(folder).add_door(door_id))


@provision.command()
@click.argument("folder", type=FOLDER)
@click.argument("numbers", nargs=-1, required=True, type=int)
def worker(folder: Path, numbers: tuple[int, ...]) -> None:
    """Make certificates for hub workers: processes that divide the doors' events among them.

    Example: facegate provision worker ./site 1 2 3
    """
    for number in numbers:
        click.echo(f"worker: {Site(folder).add_worker(number)}")
    click.echo(f"copy {folder / 'broker' / 'acl'} to the broker and have it read it again (SIGHUP)")


@provision.command()
@click.argument("folder", type=FOLDER)
@click.argument("name")
@click.option("--door", "doors", multiple=True, help="A door that it may read; may be repeated.")
@click.option("--may", default="", help="What it may ask for there, with commas: unlock,acknowledge_alarm.")
@click.option("--hours", default="", help="When, such as: mon-fri 07:00-19:00.")
@click.option("--per-minute", type=click.IntRange(1, 600), help="How often at most; default with --may: 6.")
@click.option(
    "--home-assistant",
    is_flag=False,
    flag_value=PREFIX,
    metavar="[PREFIX]",
    help="Tell Home Assistant about these doors, under this topic prefix.",
)
@click.option("--end", is_flag=True, help="End it: its certificate is worthless from then on.")
def integration(folder: Path, name: str, doors: tuple[str, ...], may: str, **options: Any) -> None:
    """Let another program of the house read doors, and ask for what --may names.

    Example: facegate provision integration ./site home --door front --may unlock --home-assistant
    """
    if options["end"]:
        click.echo(f"ended; copy {Integrations(folder).end(name)} to the broker and restart it")
    else:
        wanted = tuple(word.strip() for word in may.split(",") if word.strip())
        GrantHours.parse(options["hours"])
        for door in doors:
            Site(folder).require_door(door)
        rate = options["per_minute"] or (6 if wanted else None)
        grant = IntegrationGrant(name, doors, wanted, options["hours"], rate, options["home_assistant"])
        bundle = Integrations(folder).add(grant)
        click.echo(f"integration: {bundle} (ca.crt, client.crt, client.key: copy to the program)")
    path = Renewal(folder).renew_acl()
    click.echo(f"copy {path} to the broker and have it read it again (SIGHUP)")


@provision.command()
@click.argument("folder", type=FOLDER)
@click.argument("door_id")
def revoke(folder: Path, door_id: str) -> None:
    """Make a lost or stolen door's certificate worthless.

    Example: facegate provision revoke ./site garage
    """
    revoked = Site(folder).revoke_door(door_id)
    click.echo(f"revoked; copy {revoked} to the broker and restart it")


@provision.command()
@click.argument("folder", type=FOLDER)
@click.argument("name")
@click.option("--host", help="Another name or address of the broker; doors need it in their mqtt.toml too.")
def renew(folder: Path, name: str, host: str | None) -> None:
    """Write a new certificate for the key of NAME: a door, hub, hub.1, broker or authority.

    Example: facegate provision renew ./site front
    """
    path = Renewal(folder).renew(name, host)
    click.echo(f"renewed: copy {path} to where the old one is in use, and start that anew")


@provision.command()
@click.argument("folder", type=FOLDER)
def acl(folder: Path) -> None:
    """Write the broker's access list as this version needs it.

    Example: facegate provision acl ./site
    """
    path = Renewal(folder).renew_acl()
    click.echo(f"copy {path} to the broker and have it read it again (SIGHUP)")


@provision.command()
@click.argument("folder", type=FOLDER)
@click.option("--user", help="Account that is to have the key alone; made by the installer, needs root.")
@click.option(
    "--home",
    type=FOLDER,
    default=Path("/var/lib/facegate-signer"),
    show_default=True,
    help="The signer's folder.",
)
def signer(folder: Path, user: str | None, home: Path) -> None:
    """Keep the signing key apart: in the signer's own folder, with --user for an account of its own.

    Stop the hub first.

    Example: facegate provision signer /var/lib/facegate-hub/site --user facegate-signer
    """
    click.echo(f"{move_key(folder, user, home)} has the key")
    if user is None:
        click.echo(f"start anew: facegate hub --site {folder} run")
        return
    click.echo("echo FACEGATE_SIGNER=/run/facegate-signer/signer.sock >> /etc/facegate/hub.env")
    click.echo(
        "systemctl enable --now facegate-signer && systemctl restart facegate-hub && "
        "systemctl try-restart facegate-console"
    )


@provision.command()
@click.argument("folder", type=FOLDER)
@click.argument("name")
def replace(folder: Path, name: str) -> None:
    """Give the broker, hub or hub.1 a new key and certificate after a theft; the old ones end at once.

    Example: facegate provision replace ./site hub
    """
    *files, listed = Renewal(folder).replace(name)
    for path in files:
        click.echo(f"copy {path} to where the old one is in use, and start that anew")
    click.echo(f"copy {listed} to the broker and start that anew")


@provision.command()
@click.argument("folder", type=FOLDER)
@json_option
def lives(folder: Path, as_json: bool) -> None:
    """Show until when each certificate of a site is valid; ends with an error when one ends in sixty days.

    Example: facegate provision lives ./site
    """
    now = datetime.now(UTC)
    found = lives_of(folder)
    for life in found:
        if as_json:
            row = {
                "name": life.name,
                "file": life.file,
                "until": life.until,
                "is_ending": life.is_ending(now),
            }
            click.echo(json_line(row))
            continue
        shown = f"{life.until:%Y-%m-%d}  {life.days_left(now):6} days  {life.name:12} {life.file}"
        renew = f"  renew: facegate provision renew {folder} {life.name}" if life.is_ending(now) else ""
        click.echo(shown + renew)
    if ending := [life.name for life in found if life.is_ending(now)]:
        raise ConfigError(f"{', '.join(ending)}: less than {WARNING.days} days left; renew now")


@provision.command(name="signing-key")
@click.argument("folder", type=FOLDER)
@click.argument("step", type=click.Choice(["begin", "use", "finish", "replace"]))
def signing_key(folder: Path, step: str) -> None:
    """Change the key that signs commands and roster, in three steps; after a theft in one: replace.

    begin: doors trust another key beside the one in use; copy their files. use: the hub signs with it.
    finish: doors trust it alone; copy their files again. replace: all of it; a door obeys nobody until it
    has its new file.

    Example: facegate provision signing-key ./site begin
    """
    renewal = Renewal(folder)
    if step in ("use", "replace"):
        path = signing_key_file(folder) if step == "replace" else renewal.use_signing_key()
        click.echo(f"{path}: start signer and hub anew")
    files = {
        "begin": renewal.begin_signing_key,
        "finish": renewal.finish_signing_key,
        "replace": renewal.replace_signing_key,
        "use": list,
    }[step]()
    for path in files:
        click.echo(f"copy {path} to its door and start that anew")


@provision.command()
@click.argument("folder", type=FOLDER)
@click.argument("request", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--fingerprint", required=True, help="What `facegate sharing request` showed at the door.")
@click.option("--enrols", is_flag=True, help="Faces enrolled there count at other doors.")
@click.option("--receives", is_flag=True, help="Faces enrolled at other doors come there.")
@click.option("--former-key", is_flag=True, help="Its board was replaced: what it enrolled before counts on.")
def accept(
    folder: Path, request: Path, fingerprint: str, enrols: bool, receives: bool, former_key: bool
) -> None:
    """List the door that wrote REQUEST among those that share faces.

    Example: facegate provision accept ./site front.json --fingerprint 1a2b-... --enrols --receives
    """
    roles = [name for name, wanted in (("enrols", enrols), ("receives", receives)) if wanted]
    if not roles:
        raise click.UsageError("give --enrols, --receives or both: what the door is listed for")
    asked = SharingRequest.parse(request.read_bytes())
    made = SharingDoors(folder).accept(asked, fingerprint, roles, keeps_former=former_key)
    click.echo(f"list {made.number}: {', '.join(sorted(made.doors))}")
    click.echo(f"copy {folder / 'hub' / 'doors.json'} to the hub's folder, if that is elsewhere")


@provision.command()
@click.argument("folder", type=FOLDER)
@click.argument("door_id")
def exclude(folder: Path, door_id: str) -> None:
    """Take a door off the list of those that share faces; `revoke` does so, too.

    Example: facegate provision exclude ./site garage
    """
    made = SharingDoors(folder).exclude(door_id)
    click.echo(f"list {made.number}: {', '.join(sorted(made.doors)) or 'no door'}")
    click.echo(f"copy {folder / 'hub' / 'doors.json'} to the hub's folder, if that is elsewhere")


@provision.command(name="list")
@click.argument("folder", type=FOLDER)
@json_option
def list_(folder: Path, as_json: bool) -> None:
    """List the doors that have a valid bundle.

    Example: facegate provision list ./site
    """
    for door_id in Site(folder).doors():
        click.echo(json_line({"door": door_id}) if as_json else door_id)


def _show_door(bundle: Path) -> None:
    click.echo(f"door:   {bundle} (copy to the door; add its mqtt.toml to the door's config.toml)")
