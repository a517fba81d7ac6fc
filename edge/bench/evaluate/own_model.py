"""What `evaluate calibrate` found, written down for a network that the site added."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from edge.errors import EvaluationRefused
from edge.faces.manifest import own_models
from edge.faces.own import with_calibration, write_own

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bench.evaluate.calibrate import People
    from edge.faces.manifest import Model
    from edge.matcher.calibration import Calibration


def tell_source(calibration: Calibration, people: People, folders: Sequence[str]) -> Calibration:
    """Return the calibration with what it was fitted to in words."""
    words = calibration.data.partition(";")
    data = f"{', '.join(folders)}, {len(people.names):,} people, {len(people.owner):,} photos"
    return replace(calibration, data=f"{data}{words[1]}{words[2]}")


def save_calibration(model: Model, centre: Sequence[float], calibration: Calibration) -> str:
    """Write centre and calibration of a site's own model down; return what to tell the person.

    Raises `EvaluationRefused` for a model that facegate ships, and where templates made with another
    centre would become useless; `InstallError` when it cannot be written.
    """
    if not model.is_own:
        raise EvaluationRefused(
            f"{model.name} came with facegate and is calibrated; --save is for the site's own"
        )
    if model.calibration and tuple(centre) != model.centre:
        raise EvaluationRefused(
            f"{model.name} is calibrated with another centre: whoever is enrolled with it would have to come"
            f" again. Use --keep-centre, or first: facegate models remove {model.name}"
        )
    values = {key: value for key, value in asdict(calibration).items() if value is not None}
    made = with_calibration(model, tuple(centre), values)
    write_own({**own_models(), model.name: made})
    return (
        f'{model.name}: calibrated on {calibration.data}. To see with it: recognition.model = "{model.name}",'
        f" then enrol everybody anew with --model {model.name}"
    )
