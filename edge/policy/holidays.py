"""A country's public holidays and make-up working days, from the `holidays` library, which works offline."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from edge.extras import way_to_install
from edge.policy.schedule import WEEKDAYS

if TYPE_CHECKING:
    from datetime import date

SATURDAY = WEEKDAYS.index("sat")

# The library computes a whole year when it is first asked about a day of it, and marks the year as done
# before it is: a second thread that asks meanwhile would be told that a holiday is a working day. One lock
# for all calendars, since `public_days` hands the same one to several.
_looking = threading.Lock()


@dataclass(frozen=True, slots=True)
class PublicDays:
    """The days of one country. `days` is the library's calendar. Any thread."""

    days: Any

    def is_holiday(self, day: date) -> bool:
        """Return whether a local date is a public holiday."""
        with _looking:
            return day in self.days

    def made_up_as(self, day: date) -> str:
        """Return the weekday that stands for a weekend on which people work (China's 调休), or "".

        Saturdays have Friday's hours and Sundays Monday's: those next to them.
        """
        if day.weekday() < SATURDAY or self.is_holiday(day):  # which has the library look at the whole year
            return ""
        if day not in getattr(self.days, "weekend_workdays", ()):
            return ""
        return "fri" if day.weekday() == SATURDAY else "mon"


NO_PUBLIC_DAYS = PublicDays(())
"""Of no country. One object: calendars made with it are equal, and rules with them need no new start."""


@cache
def public_days(country: str, subdivision: str | None = None) -> PublicDays:
    """Return the public holidays and make-up working days of a country.

    `country` is an ISO 3166 code (`CN`, `DE`), `subdivision` its second part (`BY`). Raises
    `ValueError` naming what is unknown or not installed, and what to do.
    """
    library = _library()
    try:
        calendar = library.country_holidays(country, subdiv=subdivision)
    except NotImplementedError as error:
        place = country if subdivision is None else f"{country}-{subdivision}"
        known = library.list_supported_countries()
        meant = f"; write {country.upper()}" if country.upper() in known and country not in known else ""
        raise ValueError(
            f"{place!r} has no holiday calendar{meant}; use ISO 3166 codes such as CN, or list the days in"
            " [special_days]"
        ) from error
    return PublicDays(calendar)


def _library() -> Any:
    try:
        import holidays as library  # noqa: PLC0415 - costs start-up time and is seldom needed
    except ImportError as error:
        raise ValueError(
            f"public holidays need the package holidays: {way_to_install('holidays')}, "
            "or list the days in [special_days]"
        ) from error
    return library
