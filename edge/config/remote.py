"""What the property may change from afar: a few settings, none of them to less than the installer wrote.

The file at the door is the floor. Wiring, camera, door, broker and access rules are not here: who can
sign for the property must not be able to rewire a door, move it to another time zone, or listen in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from edge.config.load import mistakes_of
from edge.config.settings import Settings
from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Value: TypeAlias = str | int | float
    Rule: TypeAlias = Callable[[Any, Any, Settings], str | None]
    """(value, the file's value, the file) -> what is wrong with it, or None."""

LEAST_UNLOCK_SECONDS = 3.0
"""IEC/EN 60839-11-1, grade 1: the shortest release, so that people who walk slowly are not locked out."""
LEAST_KEEP_DAYS = 7
"""A week in which the journal can still be read at the door itself, whatever the property wishes."""
LIVENESS = ("off", "passive", "strict")


def _stricter_rate(value: float, file: float, settings: Settings) -> str | None:
    if settings.recognition.similarity is not None:
        return "the installer set recognition.similarity, beside which it means nothing"
    return None if value <= file else f"at most the installer's {file:g}"


def _stricter_liveness(value: str, file: str, _settings: Settings) -> str | None:
    return None if LIVENESS.index(value) >= LIVENESS.index(file) else f"not under the installer's {file}"


def _at_most_file(value: float, file: float, _settings: Settings) -> str | None:
    return None if value <= file else f"at most the installer's {file:g}"


def _any(_value: Any, _file: Any, _settings: Settings) -> None:
    return None


def _within(value: float, least: float, most: float) -> str | None:
    return None if least <= value <= most else f"{least:g} to {most:g} at this door"


def _unlock(value: float, file: float, settings: Settings) -> str | None:
    """Allow what the installer allows for residents who need longer."""
    most = max(file, settings.lock.extended_unlock_seconds)
    return _within(value, min(LEAST_UNLOCK_SECONDS, file), most)


def _extended_unlock(value: float, file: float, settings: Settings) -> str | None:
    return _within(value, min(LEAST_UNLOCK_SECONDS, file), settings.lock.max_unlock_seconds)


def _keep(value: int, file: int, _settings: Settings) -> str | None:
    """Allow less data than the installer wrote, never more."""
    return _within(value, min(LEAST_KEEP_DAYS, file), file)


REMOTE: Mapping[str, Rule] = {
    "recognition.fpir": _stricter_rate,
    "recognition.liveness": _stricter_liveness,
    "lock.unlock_seconds": _unlock,
    "lock.extended_unlock_seconds": _extended_unlock,
    "held.warning_seconds": _any,
    "held.alarm_seconds": _at_most_file,
    "held.extended_seconds": _at_most_file,
    "held.repeat_seconds": _at_most_file,
    "held.snooze_seconds": _at_most_file,
    "held.escalate_after": _at_most_file,
    "held.quiet_from": _any,  # only the chime is quiet: the warning goes out as an event instead
    "held.quiet_to": _any,
    "journal.keep_days": _keep,
}
"""Every setting that may be changed from afar, and its limit beyond its own range."""

AT_START = frozenset({"recognition.fpir", "recognition.liveness"})
"""These count from the next start; the others at once."""


def with_remote(installed: Settings, values: Mapping[str, Value]) -> Settings:
    """Return the file's settings with these values (`section.key`), checked like the file itself.

    Raises `ConfigError` with one line for each mistake; then none of them counts.
    """
    strange = [f"{key}: cannot be changed from afar" for key in sorted(values) if key not in REMOTE]
    if strange:
        raise ConfigError("\n".join(strange))
    # From the file each time, not from the last wish: what is no longer wished falls back to the file.
    tree = installed.model_dump()
    for key, value in values.items():
        section, _, name = key.partition(".")
        tree[section][name] = value
    try:
        wanted = Settings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("\n".join(mistakes_of(error))) from error
    # After validation: the values are of their types now, and can be compared.
    if excesses := _excesses(installed, remote_values(wanted), values):
        raise ConfigError("\n".join(excesses))
    return wanted


def remote_values(settings: Settings) -> dict[str, Any]:
    """Return what each setting that may be changed from afar is; None: not set."""
    found = {}
    for key in REMOTE:
        section, _, name = key.partition(".")
        found[key] = getattr(getattr(settings, section), name)
    return found


def _excesses(installed: Settings, wanted: Mapping[str, Any], keys: Mapping[str, Value]) -> list[str]:
    file = remote_values(installed)
    found = ((key, REMOTE[key](wanted[key], file[key], installed)) for key in sorted(keys))
    return [f"{key} = {wanted[key]}: must be {why}" for key, why in found if why is not None]
