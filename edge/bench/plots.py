"""Where a plot goes, asked before what it shows is measured, which takes minutes to hours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.errors import EvaluationRefused
from edge.extras import way_to_install

if TYPE_CHECKING:
    from pathlib import Path


def new_figure(**size: Any) -> Any:
    """Return an empty matplotlib figure. Raises `EvaluationRefused` without matplotlib."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - a second that only a plot costs
    except ImportError as error:
        raise EvaluationRefused(f"a plot needs matplotlib: {way_to_install('eval')}") from error
    return Figure(**size)


def require_plot(path: Path | None) -> None:
    """Raise `EvaluationRefused` when no plot can be made, or none of the kind that a file's name asks for."""
    if path is None:
        return
    kinds = new_figure().canvas.get_supported_filetypes()
    if path.suffix and path.suffix[1:].lower() not in kinds:
        raise EvaluationRefused(f"{path}: no plot is written as {path.suffix}; use .png or .svg")
