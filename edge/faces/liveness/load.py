"""From the installed files to a liveness check, or to one that lets nobody pass and says why."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Literal

from edge.errors import ModelCorrupt, ModelMissing
from edge.faces.liveness.active import ActiveCheck, Asking
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.demands import Demands
from edge.faces.liveness.fusion import (
    ALLOWED_SETS,
    PAIR,
    STRONG_NETWORKS,
    WEAK_NETWORKS,
    is_allowed,
    is_weak,
)
from edge.faces.liveness.nets import SPECS, PassiveNet
from edge.faces.liveness.unavailable import Unavailable
from edge.faces.manifest import ModelManifest, load_manifest
from edge.faces.weights import checked, models_directory, open_session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from edge.faces.liveness.failures import Failures
    from edge.faces.looking import Closer
    from edge.ports import Embedder, LivenessCheck

Mode = Literal["off", "passive", "strict"]
OFF_WARNING = "liveness is OFF: a photo or a phone with a resident's face opens this door"
WAY_TO_THE_PAIR = "facegate models install " + " ".join(PAIR)


@dataclass(frozen=True, slots=True)
class LivenessWish:
    """How a door is to tell living faces from pictures. `networks` None: the best set installed.

    `asking` is the screen and the random source of a door that can ask; without it `strict` asks
    into the void and `passive` decides alone or wants the PIN.
    """

    mode: Mode = "passive"
    networks: tuple[str, ...] | None = None
    demands: Demands = field(default_factory=Demands)
    asking: Asking | None = None
    closer: Closer | None = None
    """How the door's recognition looks closely at a face, so that what both embed is embedded once."""


@dataclass(frozen=True, slots=True)
class LoadedLiveness:
    """What liveness a door really has: told at the start, on the panel, over MQTT and in the metrics.

    `state` is `full`, `weak` (the packaged network alone: its yes is not enough, or the site wrote
    that it is), `off`, or `unavailable` (no face opens the door). `problem` says why, and the way out.
    """

    check: LivenessCheck | None
    state: Literal["full", "weak", "off", "unavailable"]
    networks: tuple[str, ...] = ()
    problem: str | None = None


def best_set(directory: Path | None = None, manifest: ModelManifest | None = None) -> tuple[str, ...]:
    """Return the strongest set of networks whose files are all there, else the weak one.

    A file that is there and wrong is not skipped: opening the set will refuse it.
    """
    manifest, directory = manifest or load_manifest(), directory or models_directory()
    has_all = all((directory / manifest.model(name).file).exists() for name in STRONG_NETWORKS)
    return STRONG_NETWORKS if has_all else WEAK_NETWORKS


def load_nets(
    names: Sequence[str] | None = None,
    directory: Path | None = None,
    manifest: ModelManifest | None = None,
) -> list[PassiveNet]:
    """Return exactly the networks called `names`, by default the best set installed, files checked.

    Raises `ModelMissing` when one is not there and `ModelCorrupt` when a file is not the one the
    manifest names or there is no rule for this set. Never falls back to fewer.
    """
    if names is None:
        names = best_set(directory, manifest)
    if not set(names) - set(SPECS) and not is_allowed(names):
        rules = "; ".join(" + ".join(allowed) for allowed in ALLOWED_SETS)
        raise ModelCorrupt(f"no rule for the liveness networks {' + '.join(names)}: there are {rules}")
    return open_networks(names, directory, manifest)


def open_networks(
    names: Sequence[str], directory: Path | None = None, manifest: ModelManifest | None = None
) -> list[PassiveNet]:
    """Return these networks in a fixed order, whether or not the door has a rule for the set.

    Raises `ModelMissing` and `ModelCorrupt`.
    """
    manifest = manifest or load_manifest()
    directory = directory or models_directory()
    if set(names) - set(SPECS):
        raise ModelMissing(f"liveness networks are {', '.join(SPECS)}; asked for {', '.join(names)}")
    return [_opened(name, manifest, directory) for name in SPECS if name in names]


def _opened(name: str, manifest: ModelManifest, directory: Path) -> PassiveNet:
    return PassiveNet(SPECS[name], open_session(checked(manifest.model(name), directory)))


def idle_networks(names: Sequence[str], directory: Path | None = None) -> list[str]:
    """Return the networks whose file is installed although `names` does not ask for them."""
    manifest, directory = load_manifest(), directory or models_directory()
    spare = [name for name in SPECS if name not in names]
    return [name for name in spare if (directory / manifest.model(name).file).exists()]


def load_liveness(
    wanted: LivenessWish,
    embedder: Embedder,
    report: Callable[[str], object],
    *,
    directory: Path | None = None,
    failures: Failures | None = None,
) -> LoadedLiveness:
    """Return what the pipeline needs for `wanted`, and what it amounts to; no check only for `off`.

    `report` is told which networks judge and what is weak about it, or why nobody will pass. All
    networks that were named are required: when a file is missing or wrong the answer is a check that
    refuses everybody with `PAD_UNAVAILABLE`. `failures` counts refusals, and tells of pauses.
    """
    if wanted.mode == "off":
        report(OFF_WARNING)
        return LoadedLiveness(None, "off", problem=OFF_WARNING)
    # Chosen by which files are there, never by which can be opened: a wrong file is refused, not skipped.
    names = wanted.networks or best_set(directory)
    try:
        nets = load_nets(names, directory)
    except (ModelMissing, ModelCorrupt) as error:
        report(f"liveness {wanted.mode} cannot be judged, so no face opens this door: {error}")
        return LoadedLiveness(Unavailable(str(error)), "unavailable", tuple(names), str(error))
    report(f"liveness {wanted.mode}: {_named(names)}")
    if idle := idle_networks(names, directory):
        report(f"installed but not asked for by recognition.liveness_networks: {', '.join(idle)}")
    passive = PassiveCheck(nets, embedder, failures=failures, demands=wanted.demands)
    passive.closer = wanted.closer
    if not is_weak(names):
        return LoadedLiveness(_asked(passive, wanted), "full", tuple(names))
    problem = _what_is_weak(wanted.demands)
    report(problem)
    return LoadedLiveness(_asked(passive, wanted), "weak", tuple(names), problem)


def _what_is_weak(demands: Demands) -> str:
    does = (
        "so each face is asked for a challenge where a display is watched, else for its PIN"
        if demands.weak == "ask"
        else 'and its yes is enough here, as with recognition.weak_liveness = "accept"'
    )
    return f"liveness is WEAK: one network alone passes some phones, {does}. For more: {WAY_TO_THE_PAIR}"


def _asked(passive: PassiveCheck, wanted: LivenessWish) -> LivenessCheck:
    if wanted.mode == "strict":
        return ActiveCheck(passive, replace(wanted.asking or _nobody_listens(), is_strict=_always))
    return ActiveCheck(passive, wanted.asking) if wanted.asking else passive


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
