"""`facegate matcher`: which backend searches the gallery on this board, and why."""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING, Any

import click

from edge.cli.json_option import report_json_option
from edge.lazy_group import ToldGroup

if TYPE_CHECKING:
    from edge.matcher.choice import Choice, Timing

PACKAGES = ("numpy", "numkong")


@click.group(cls=ToldGroup)
def matcher() -> None:
    """Show which matcher backend is used, and why.

    Example: facegate matcher info
    """


@matcher.command()
@click.option("--templates", default=500, show_default=True, help="Gallery size to measure with.")
@click.option("--dim", default=128, show_default=True, help="Length of an embedding.")
@click.option("--backend", default="auto", show_default=True, help="Force one, as the setting would.")
@report_json_option
def info(templates: int, dim: int, backend: str, as_json: bool) -> None:
    """Measure every backend on this board and say which one would search.

    The answer is the same whichever it is: backends only preselect, float64 decides.

    Example: facegate matcher info --templates 100000 --dim 512
    """
    from edge.matcher.choice import choose, noise_gallery

    choice = choose(backend, noise_gallery(templates, dim))
    report = _report(choice, templates, dim)
    click.echo(json.dumps(report) if as_json else _table(report, choice.timings))


def _report(choice: Choice, templates: int, dim: int) -> dict[str, Any]:
    return {
        "templates": templates,
        "dim": dim,
        "one_probe": choice.backend(templates, 1).name,
        "several_probes": choice.backend(templates, 4).name,
        "reason": choice.reason,
        "compiled": _instructions(),
        "packages": {package: _version(package) for package in PACKAGES},
        "timings": [
            {"backend": t.backend, "templates": t.rows, "probes": t.probes, "scan_us": round(t.scan_us, 1)}
            for t in choice.timings
        ],
    }


def _instructions() -> str | None:
    """Return what of the processor the compiled search uses; None where it was not built."""
    try:
        from edge.matcher.backends.compiled import Compiled
    except ImportError:
        return None
    return Compiled.instructions


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _table(report: dict[str, Any], timings: tuple[Timing, ...]) -> str:
    lines = [
        f"one probe:      {report['one_probe']}",
        f"several probes: {report['several_probes']}",
        f"why:            {report['reason']}",
        f"compiled:       {report['compiled'] or 'not built'}",
        *(f"{name + ':':15} {version or 'not installed'}" for name, version in report["packages"].items()),
    ]
    if timings:
        lines += ["", f"{'backend':14}{'templates':>10}{'probes':>8}{'scan us':>10}"]
        lines += [f"{t.backend:14}{t.rows:10}{t.probes:8}{t.scan_us:10.1f}" for t in timings]
    return "\n".join(lines)
