"""`facegate sharing`: what a door that shares faces asks of its site, and what it shares."""

from __future__ import annotations

from pathlib import Path

import click

from edge.cli.data_dir import data_option
from edge.lazy_group import ToldGroup


@click.group(cls=ToldGroup)
def sharing() -> None:
    """Share faces with the other doors of the site, for people who agree to it.

    Example: facegate sharing request front front.json
    """


@sharing.command()
@click.argument("door_id")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
def request(door_id: str, file: Path, data: Path) -> None:
    """Write into FILE what lists DOOR_ID among the doors that share faces, and show its fingerprint.

    The key in it is made here and stays; whoever keeps the site's authority accepts the request:
    facegate provision accept.

    Example: facegate sharing request front front.json
    """
    from contextlib import closing

    from edge.durable import write_whole
    from edge.errors import StoreError
    from edge.service.sharing.keys import signing_key
    from edge.site.sharing import SharingRequest
    from edge.store.backup import require_own_name
    from edge.store.face_book import FACE_BOOK_FILE, FaceBook
    from edge.store.key_source import keyring_of

    if not file.absolute().parent.is_dir():
        raise StoreError(f"{file}: there is no folder {file.parent}; make it, or name another")
    require_own_name(file)
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(keyring_of(data)) as keyring, closing(FaceBook(data / FACE_BOOK_FILE, keyring)) as book:
        public = signing_key(book).public_key().public_bytes_raw()
    asked = SharingRequest(door_id, public)
    write_whole(file, asked.encode())
    click.echo(f"fingerprint: {asked.fingerprint}")
    click.echo(f"take {file} to the site's authority; compare the fingerprint by voice or on paper")


@sharing.command()
@data_option
def status(data: Path) -> None:
    """Show how many faces came from other doors, how many were offered, and where they are.

    Example: facegate sharing status
    """
    from collections import Counter
    from contextlib import closing

    from edge.store.face_book import FACE_BOOK_FILE, FaceBook
    from edge.store.key_source import keyring_of

    if not (data / FACE_BOOK_FILE).exists():
        click.echo("no face is shared here: every face stays in the device that took it")
        return
    with closing(keyring_of(data)) as keyring, closing(FaceBook(data / FACE_BOOK_FILE, keyring)) as book:
        held = book.held().values()
        click.echo(f"from other doors: {sum(one.number is not None for one in held)}")
        click.echo(f"offered to other doors: {sum(one.number is None for one in held)}")
        for (door, state), count in sorted(Counter((one.door, one.state) for one in book.reach()).items()):
            click.echo(f"  {door}: {count} {state}")
