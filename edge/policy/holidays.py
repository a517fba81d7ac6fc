"""Public holidays of a country, from the `holidays` library, which works offline."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from edge.extras import way_to_install

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date


@cache
def public_holidays(country: str, subdivision: str | None = None) -> Callable[[date], bool]:
    """Return a function that says whether a local date is a public holiday there.

    `country` is an ISO 3166 code (`CN`, `DE`), `subdivision` its second part (`BY`). Raises
    `ValueError` naming what is unknown or not installed, and what to do.
    """
    library = _library()
    try:
        calendar = library.country_holidays(country, subdiv=subdivision)
    except NotImplementedError as error:
        place = country if subdivision is None else f"{country}-{subdivision}"
        raise ValueError(
            f"{place} has no holiday calendar; use ISO 3166 codes, or list the days in [special_days]"
        ) from error
    return lambda day: day in calendar


def _library() -> Any:
    try:
        import holidays as library  # noqa: PLC0415 - costs start-up time and is seldom needed
    except ImportError as error:
        raise ValueError(
            f"public holidays need the package holidays: {way_to_install('holidays')}, "
            "or list the days in [special_days]"
        ) from error
    return library
