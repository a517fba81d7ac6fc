"""Numbers of people that read alike: `3栋1203`, `３幢１２０３室` and `3-1203` are one flat to people.

A number is kept as it was typed first. Who is meant by another spelling of it is found here, for lists,
searches and warnings; what opens a door goes by the number that is kept, and by nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.identity import kept_spellings, tidied

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DIGITS = {sign: n for n, sign in enumerate("零一二三四五六七八九")} | {"〇": 0}
_COUNTED = re.compile("[一二三四五六七八九十]{1,3}(?=号楼|號樓|栋|棟|幢|座|单元|單元|楼|樓)")
"""A building or staircase in Chinese numerals."""
_SPELT = re.compile("[零〇一二三四五六七八九]{3,4}(?=[室房户戶号號]?$)")
"""A flat's number as it is spoken, digit by digit: 一二零三."""
_BETWEEN = re.compile(r"(?:号楼|號樓|楼栋|栋|棟|幢|座|楼|樓|单元|單元|号|號|门|門|[\s#/_.\-‐-―−])+")
_LAST = re.compile("(?:室|房|户|戶)$")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_SAME_LETTERS = str.maketrans("АВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEKMHOPCTYXIJSABEZHIKMNOPTYX")
"""Cyrillic and Greek capitals that look like Latin ones."""


def flat_key(text: str) -> str:
    """Return a key that is the same for every spelling of a flat, for comparing; `flat_written` is stored.

    It is the same for 03-0203 and 3-203, for digits of any script, and for letters that look alike.
    """
    seen = "".join(str(unicodedata.decimal(sign, sign)) for sign in flat_written(text))
    return _ZEROS.sub("", seen.translate(_SAME_LETTERS))


def flat_written(text: str) -> str:
    """Return a flat in the one way that is kept: building, staircase, number, with `-` between."""
    seen = _COUNTED.sub(_counted, unicodedata.normalize("NFKC", tidied(text))).upper()
    seen = _SPELT.sub(lambda found: "".join(str(_DIGITS[sign]) for sign in found[0]), seen)
    return _BETWEEN.sub("-", _LAST.sub("", seen.removeprefix("第"))).strip("-")


def _counted(found: re.Match[str]) -> str:
    tens, is_ten, ones = found[0].rpartition("十")
    if not is_ten:
        return "".join(str(_DIGITS[sign]) for sign in found[0])
    return str(10 * _DIGITS.get(tens, 1) + _DIGITS.get(ones, 0))


@dataclass(frozen=True, slots=True)
class Spellings:
    """Whom the numbers of a list mean; `kept` is under which number somebody is there, where it is another.

    `alike` are numbers that stay people of their own and read like that of somebody who is there, or of an
    earlier line: one person under two numbers goes on getting in by the one when the other is removed.
    """

    kept: Mapping[str, str]
    alike: Mapping[str, str]


def spellings(listed: Mapping[str, str], there: Mapping[str, str]) -> Spellings:
    """Return whom the people of a list mean among those who are `there`; both are names by number.

    Another spelling is the same person only where the name says so, too, and nobody else is meant by either.
    Numbers without anything but digits are never one: 00123 and 123 may be two employees.
    """
    kept = {today: one for today, one in kept_spellings(there).items() if today in listed}
    strangers = {one: name for one, name in listed.items() if one not in there and one not in kept}
    if not strangers:
        return Spellings(kept, {})
    reads: defaultdict[str, list[str]] = defaultdict(list)
    for one in there:
        reads[flat_key(one)].append(one)
    taken = {kept.get(one, one) for one in listed}
    alike: dict[str, str] = {}
    for one, name in strangers.items():
        others = reads[flat_key(one)]
        if _is_same(one, name, others, there) and others[0] not in taken:
            kept[one] = others[0]
            taken.add(others[0])
            continue
        if others:
            alike[one] = others[0]
        others.append(one)
    return Spellings(kept, alike)


def reads_like(typed: str, there: Iterable[str]) -> str | None:
    """Return the first of these numbers that reads like the one that was typed; None: none does."""
    key = flat_key(typed)
    return next((one for one in there if one != typed and flat_key(one) == key), None)


def _is_same(one: str, name: str, others: list[str], there: Mapping[str, str]) -> bool:
    """Return whether a number and a name are those of somebody who is there, the only number like it."""
    if len(others) != 1 or others[0] not in there or one.isdecimal() or others[0].isdecimal():
        return False
    return name != one and tidied(name).casefold() == tidied(there[others[0]]).casefold()
