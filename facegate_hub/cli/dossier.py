"""`facegate hub community dossier`: what a resident took home of a ticket, computed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def dossier(file: Path) -> None:
    """Compute every hash of a ticket's dossier again; needs no site. The book itself is asked with `verify`.

    Example: facegate hub community dossier ticket-17.json
    """
    import json

    from facegate_hub.community.dossier import check_dossier

    try:
        found = json.loads(file.read_text("utf-8"))
        problems = check_dossier(found)
        last: dict[str, Any] = found["entries"][-1] if found["entries"] else {"seq": 0, "hash": ""}
        noted = f"{int(last['seq'])}:{str(last['hash'])[:12]}"
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise click.UsageError(f"{file}: no dossier ({type(error).__name__}: {error})") from error
    for problem in problems:
        click.echo(problem, err=True)
    count = len(found["entries"])
    click.echo(
        f"ticket {found['ticket']}: {count} entries, {len(problems)} problems; the last one is {noted}"
    )
    if problems:
        raise SystemExit(1)
