"""From the installed files to a liveness check, or to one that lets nobody pass and says why."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Literal

from edge.errors import ModelCorrupt, ModelMissing
from edge.faces.liveness.active import ActiveCheck, Asking
from edge.faces.liveness.check import PassiveCheck, Unavailable
from edge.faces.liveness.fusion import ALLOWED_SETS, DEFAULT_NETWORKS, is_allowed
from edge.faces.liveness.nets import SPECS, PassiveNet
from edge.faces.manifest import Manifest, load_manifest
from edge.faces.weights import checked, models_directory, open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from edge.ports import Embedder, LivenessCheck

Mode = Literal["off", "passive", "strict"]
OFF_WARNING = "liveness is OFF: a photo or a phone with a resident's face opens this door"


def load_nets(
    names: Sequence[str] = DEFAULT_NETWORKS,
    directory: Path | None = None,
    manifest: Manifest | None = None,
) -> list[PassiveNet]:
    """Return exactly the networks called `names`, files checked, whatever else is installed.

    Raises `ModelMissing` when one is not there and `ModelCorrupt` when a file is not the one the
    manifest names or there is no rule for this set. Never falls back to fewer.
    """
    if not set(names) - set(SPECS) and not is_allowed(names):
        rules = "; ".join(" + ".join(allowed) for allowed in ALLOWED_SETS)
        raise ModelCorrupt(f"no rule for the liveness networks {' + '.join(names)}: there are {rules}")
    return open_networks(names, directory, manifest)


def open_networks(
    names: Sequence[str], directory: Path | None = None, manifest: Manifest | None = None
) -> list[PassiveNet]:
    """Return these networks in a fixed order, whether or not the door has a rule for the set.

    Raises `ModelMissing` and `ModelCorrupt`.
    """
    manifest = manifest or load_manifest()
    directory = directory or models_directory()
    if set(names) - set(SPECS):
        raise ModelMissing(f"liveness networks are {', '.join(SPECS)}; asked for {', '.join(names)}")
    return [_opened(name, manifest, directory) for name in SPECS if name in names]


def _opened(name: str, manifest: Manifest, directory: Path) -> PassiveNet:
    return PassiveNet(SPECS[name], open_session(checked(manifest.model(name), directory)))


def idle_networks(names: Sequence[str], directory: Path | None = None) -> list[str]:
    """Return the networks whose file is installed although `names` does not ask for them."""
    manifest, directory = load_manifest(), directory or models_directory()
    spare = [name for name in SPECS if name not in names]
    return [name for name in spare if (directory / manifest.model(name).file).exists()]


def load_liveness(
    mode: Mode,
    embedder: Embedder,
    report: Callable[[str], object],
    *,
    networks: Sequence[str] = DEFAULT_NETWORKS,
    directory: Path | None = None,
    asking: Asking | None = None,
) -> LivenessCheck | None:
    """Return what the pipeline needs for `mode`; None only for `off`, which is warned about.

    `report` is told which networks judge, or why nobody will pass. All of `networks` are required:
    when a file is missing or wrong the answer is a check that refuses everybody with
    `PAD_UNAVAILABLE`. `asking` is the screen and the random source of a door that can ask; without
    it `strict` asks into the void and `passive` decides alone.
    """
    if mode == "off":
        report(OFF_WARNING)
        return None
    try:
        nets = load_nets(networks, directory)
    except (ModelMissing, ModelCorrupt) as error:
        report(f"liveness {mode} cannot be judged, so no face opens this door: {error}")
        return Unavailable(str(error))
    report(f"liveness {mode}: {_named(networks)}")
    if idle := idle_networks(networks, directory):
        report(f"installed but not asked for by recognition.liveness_networks: {', '.join(idle)}")
    passive = PassiveCheck(nets, embedder)
    if mode == "strict":
        return ActiveCheck(passive, replace(asking or _nobody_listens(), is_strict=_always))
    return ActiveCheck(passive, asking) if asking else passive


def _named(networks: Sequence[str]) -> str:
    """Return the networks with the beginning of each file's SHA-256, as the log should keep it."""
    manifest = load_manifest()
    return " + ".join(f"{name} ({manifest.model(name).sha256[:12]})" for name in SPECS if name in networks)


def _nobody_listens() -> Asking:
    """Return a screen that nobody sees: recordings are judged strictly, and cannot answer.

    Always the same steps, so that a replay is repeatable; a door brings its own random source.
    """
    return Asking(_always, lambda _: None, Random(1))  # noqa: S311 - nobody sees what is asked


def _always(_resident_id: str | None, _at: datetime) -> bool:
    return True
