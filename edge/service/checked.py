"""Everything that keeps a door from starting as its settings say, found without starting it.

`facegate config` asks here and the service asks here, so that a file which is fine for one is fine for
the other: a unit is not restarted after bad settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.camera.source import check_source
from edge.errors import ConfigError, InstallError, may_pass
from edge.faces.manifest import load_manifest
from edge.matcher.calibration import calibration_of
from edge.matcher.choice import AUTO, Choice
from edge.service.entry.rules import decode_keys, load_book
from edge.service.hardware import door_settings, sensor_wirings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.config.settings import Settings


def require_startable(settings: Settings, forgiven: Callable[[str], object] | None = None) -> None:
    """Raise one `ConfigError` that lists every mistake, if there is any.

    `forgiven` gets each mistake of a rules file of an earlier version that a starting door accepts.
    """
    found = problems(settings, forgiven)
    if found:
        count = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
        raise ConfigError("\n  ".join([f"the door cannot start with these settings: {count}", *found]))


def problems(settings: Settings, forgiven: Callable[[str], object] | None = None) -> list[str]:
    """Return what is wrong with settings that are well formed, one text each; opens no device.

    Raises `ConfigError` when a failing card does not give what has to be looked at.
    """
    checks: list[Callable[[], object]] = [
        lambda: check_source(settings.camera.source),
        lambda: _model(settings),
        lambda: _matcher(settings.recognition.matcher),
        lambda: load_book(settings, forgiven),
        lambda: decode_keys(settings.access.pass_keys),
        lambda: sensor_wirings(settings),
        lambda: door_settings(settings),
        lambda: _require_folder(settings.storage.directory),
    ]
    return [problem for check in checks if (problem := _problem_of(check)) is not None]


def _problem_of(check: Callable[[], object]) -> str | None:
    try:
        check()
    except (ConfigError, InstallError) as error:
        if may_pass(error):  # no mistake in the settings, and nothing that a new look could not find right
            raise ConfigError(str(error)) from error
        return str(error)
    return None


def _require_folder(data: Path | None) -> None:
    """Refuse a data folder that can never be one; one that is not there yet is made at the start."""
    for part in () if data is None else (data, *data.parents):
        try:
            is_in_the_way = part.exists() and not part.is_dir()
        except OSError:  # not ours to see, or too long: the start says what is wrong
            continue
        if is_in_the_way:
            raise ConfigError(f"storage.directory = {data}: {part} is a file; name a folder")


def _model(settings: Settings) -> None:
    section = settings.recognition
    try:
        model = load_manifest().model(section.model)
    except InstallError as error:
        raise ConfigError(f"recognition.model: {error}") from error
    calibration = calibration_of(section.model, model.calibration)
    if section.similarity is not None:
        calibration.fixed(section.similarity, 1)
    else:
        calibration.operating_point(section.fpir, 1, 1)


def _matcher(name: str) -> None:
    if name != AUTO:
        Choice.forced(name)
