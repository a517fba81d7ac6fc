"""`facegate pass`: signed visitor passes, made and checked without any network."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from edge.cli.identity import RESIDENT_ID
from edge.errors import ConfigError, EnrolmentRefused
from edge.lazy_group import ToldGroup
from edge.policy.passes import (
    KEY_BYTES,
    MOST_SITE_BYTES,
    Pass,
    PassKind,
    door_marks,
    is_like_a_pass,
    pass_public_key,
    pasted_pass,
    public_key_of,
    public_key_text,
    read_pass,
)
from edge.policy.passes import issue as signed
from edge.sheet_cells import moment_in, needs_zone
from edge.wire.names import DOOR_ID

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = [kind.name.lower() for kind in PassKind]
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
MOST_FILE_NAME = 200
"""Bytes; the text of a pass is longer."""


def moment(ctx: click.Context, param: click.Parameter, value: str) -> datetime:
    """Return `now`, an ISO time or a span from now (`8h`), UTC.

    A time that names no zone is the site's: this machine's own (Debian: UTC) is nobody's at the gate. A plain
    day begins a pass, and as its end still counts.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    zone = ctx.params.get("zone")
    try:
        if value == "now":
            return now
        if value[-1:] in UNITS and value[:-1].isdigit():
            return now + timedelta(**{UNITS[value[-1]]: int(value[:-1])})
        at = moment_in(value, zone or UTC, is_end=param.name == "end").astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r}: give now, 90m, 8h, 2d or 2026-01-31T08:00", ctx, param
        ) from None
    if zone is None and needs_zone(value):
        rule = "give --timezone Asia/Shanghai, say, or 2026-01-31T08:00+08:00"
        raise click.BadParameter(f"{value!r} names no time zone: {rule}", ctx, param)
    return at


def site_zone(ctx: click.Context, param: click.Parameter, name: str | None) -> ZoneInfo | None:
    """Return the zone of that name; without one, that of the door's settings on this machine, or None."""
    name = name or _zone_of_the_door()
    try:
        return None if name is None else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        rule = "no such zone; use a name like Asia/Shanghai"
        raise click.BadParameter(f"{name!r}: {rule}", ctx, param) from None


def _zone_of_the_door() -> str | None:
    from edge.cli.run import DEFAULT_CONFIG
    from edge.config import load_settings

    try:
        return load_settings(DEFAULT_CONFIG).door.timezone if DEFAULT_CONFIG.exists() else None
    except (ConfigError, OSError):  # the signing machine need not be a door, nor root
        return None


ZONE = click.option(
    "--timezone",
    "zone",
    callback=site_zone,
    is_eager=True,
    help="The site's time zone. [default: that of the door's settings on this machine]",
)


def span_of(shown: Pass, zone: ZoneInfo | None) -> str:
    """Return from when until when a pass is valid, in the site's time where it is known, and in UTC."""
    utc = f"{shown.valid_from:%Y-%m-%d %H:%M:%S} to {shown.valid_until:%Y-%m-%d %H:%M:%S} UTC"
    if zone is None:
        return utc
    begin, end = shown.valid_from.astimezone(zone), shown.valid_until.astimezone(zone)
    return f"{utc} ({begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} {zone.key})"


def door_ids(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return the doors' ids. A name that no door can have would make a pass that opens nothing."""
    for one in given:
        if DOOR_ID.fullmatch(one) is None:
            rule = (
                "is no door's id: it has up to 64 of A-Z, a-z, 0-9, - and _; write --door once for each door"
            )
            raise click.BadParameter(f"{one!r} {rule}", ctx, param)
    return given


@click.group("pass", cls=ToldGroup)
def passes() -> None:
    """Make and check signed visitor passes (QR codes shown to the door's camera).

    Example: facegate pass issue --key pass.key --host flat-1203 --until 8h --door front --out visitor.png
    """


@passes.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--site", default="", help="The site it is for: its passes count at no other.")
def key(file: Path, site: str) -> None:
    """Make a signing key in FILE and print the public key that doors must know.

    Whoever has FILE can let people in: keep it off the door.

    Example: facegate pass key pass.key --site hill-house
    """
    if len(site.encode()) > MOST_SITE_BYTES or (site and not site.isprintable()):
        raise click.UsageError(f"--site {site!r}: up to {MOST_SITE_BYTES} bytes that can be printed")
    try:
        # Made with its mode, and never over another file: a key that is replaced ends every pass it has
        # signed.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(f"{file}: there is a file already; choose another name") from error
    private = secrets.token_bytes(KEY_BYTES) + site.encode()
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(private)
    click.echo(public_key_text(pass_public_key(private)))


@passes.command()
@click.option("--key", "key_file", type=click.Path(path_type=Path), required=True, help="The signing key.")
@click.option("--host", type=RESIDENT_ID, required=True, help="Who invites: a resident's id, up to 28 bytes.")
@click.option(
    "--from",
    "begin",
    callback=moment,
    metavar="TIME",
    default="now",
    show_default=True,
    help="When it begins to count: now, 90m, 8h, or an ISO time.",
)
@click.option(
    "--until", "end", callback=moment, metavar="TIME", required=True, help="8h, 2d, or an ISO time."
)
@click.option("--uses", type=click.IntRange(0, 255), default=1, show_default=True, help="0: any number.")
@click.option(
    "--door",
    "doors",
    multiple=True,
    callback=door_ids,
    help="A door's id, up to six; with --uses 0 every door when left out.",
)
@click.option(
    "--kind",
    type=click.Choice(KINDS),
    default="visitor",
    show_default=True,
    help="Who comes; noted with each use.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Write the QR code as PNG.")
@ZONE
def issue(
    key_file: Path,
    host: str,
    begin: datetime,
    end: datetime,
    uses: int,
    doors: tuple[str, ...],
    kind: str,
    out: Path | None,
    zone: ZoneInfo | None,
) -> None:
    """Make a pass; print its text, and draw it with --out. A line on stderr says what it allows.

    Example: facegate pass issue --key pass.key --host flat-1203 --until 8h --door front --out visitor.png
    """
    private = read_key(key_file)

    def fresh() -> str:
        marks = door_marks(doors)
        return signed(
            Pass(secrets.token_bytes(8), host, begin, end, uses, PassKind[kind.upper()], marks), private
        )

    try:
        text = fresh() if out is None else draw_readable(fresh, out)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    allowed = Pass(b"", host, begin, end, uses)
    times = "any number of times" if not uses else f"{uses} time(s)"
    if uses and len(doors) > 1:
        times += " at each door, which counts alone"
    where = ", ".join(doors) or "every door"
    click.echo(f"{host}: valid {span_of(allowed, zone)}, {times}, {where}", err=True)
    click.echo(text)


@passes.command()
@click.argument("words", metavar="TEXT", nargs=-1, required=True)
@click.option("--public-key", "keys", multiple=True, required=True, help="As printed by `facegate pass key`.")
@click.option("--door", help="Also say whether it is for this door.")
@ZONE
def verify(words: tuple[str, ...], keys: tuple[str, ...], door: str | None, zone: ZoneInfo | None) -> None:
    """Check the TEXT of a pass, or a picture of it (a file name), and print what it allows.

    A text is taken as a chat program hands it over: wrapped, with blanks in it, a word before it.

    Example: facegate pass verify visitor.png --public-key "$(cat pass.pub)"
    """
    public, text = [decode_public(encoded) for encoded in keys], pasted_pass(text_in(" ".join(words)))
    if not is_like_a_pass(text):
        raise click.ClickException(f"{_named(text)}: no pass, whose text begins with FG1:, and no file")
    shown = read_pass(text, public)
    if shown is None:
        raise click.ClickException("this is no pass signed by that key, or a part of one")
    click.echo(f"pass {shown.id.hex()}: {shown.kind.name.lower()} of {shown.host_id}")
    click.echo(f"valid {span_of(shown, zone)}")
    click.echo(f"uses: {shown.max_uses or 'any number'}")
    if door is not None:
        click.echo(f"door {door}: {'yes' if shown.opens(door) else 'no'}")


def _named(text: str) -> str:
    """Return the beginning of a text that somebody gave, on one line."""
    return repr(text if len(text) <= 60 else f"{text[:60]}...")


def text_in(text_or_file: str) -> str:
    """Return the text itself, or what a picture of the code says."""
    path = Path(text_or_file)
    if len(os.fsencode(text_or_file)) > MOST_FILE_NAME or not path.is_file():
        return text_or_file
    found = picture_text(path)
    if found is None:
        raise click.ClickException(f"{path}: no readable code in this picture")
    if not is_like_a_pass(found):
        raise click.ClickException(f"{path}: the code in it is no pass; it says {_named(found)}")
    return found


def picture_text(path: Path) -> str | None:
    """Return what the code in a picture says, or None."""
    import cv2
    import numpy as np

    from edge.credentials.qr import QrReader

    image = cv2.imread(str(path))
    if image is None:
        return None
    reader = QrReader(is_wanted=is_like_a_pass)
    # What somebody else's code says is told as no pass.
    return reader.search(np.asarray(image, dtype=np.uint8)) or reader.decode(
        np.asarray(image, dtype=np.uint8)
    )


def draw_readable(fresh: Callable[[], str], out: Path) -> str:
    """Write passes as PNG until the door's own reader can read one, and return that one's text."""
    from edge.enrol.pass_code import readable_code

    try:
        text, png = readable_code(fresh)
    except EnrolmentRefused as error:
        raise click.ClickException(f"{out}: {error}") from error
    out.write_bytes(png)
    return text


def read_key(file: Path) -> bytes:
    """Return the raw private key. Raises `ConfigError` when FILE is not one."""
    try:
        private = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; make one with: facegate pass key {file}") from error
    if not KEY_BYTES <= len(private) <= KEY_BYTES + MOST_SITE_BYTES:
        raise ConfigError(
            f"{file}: {len(private)} bytes are no signing key ({KEY_BYTES}); is it the right file?"
        )
    return private


def decode_public(encoded: str) -> bytes:
    """Return the raw public key of its Base64 text."""
    try:
        return public_key_of(encoded.strip())
    except ValueError:
        rule = "is no public key; it is what `facegate pass key` printed"
        raise click.UsageError(f"{encoded!r} {rule}") from None
