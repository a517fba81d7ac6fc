"""How a list that people bring was saved: known for certain, guessed where that is plausible, or refused."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.errors import SyncError
from edge.people_rows import names_columns_as, utf16_of
from edge.words import message
from edge.workbook.reading import is_workbook

UTF8, GB18030, BIG5 = "UTF-8", "GB18030", "Big5-HKSCS"
_CHINESE = re.compile(
    "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"  # characters
    "|[\u3000-\u303f\uff00-\uffef\u00b7\u2013\u2014\u2018-\u201d\u2026\u2460-\u2473\u2160-\u216b]"  # signs
)
_COMMON = re.compile(rb"(?:[\xb0-\xd6][\xa1-\xfe]|\xd7[\xa1-\xf9])")
"""The 3,755 common characters of GB 2312 (level 1), as GB18030 writes them."""


@dataclass(frozen=True, slots=True)
class ListEncoding:
    """How a list was saved (UTF-8, GB18030 or what was said; empty: a workbook), and whether that is a guess.

    After a guess somebody has to look at the names before anybody is renamed or removed.
    """

    name: str
    is_guess: bool = False


def encoding_of(data: bytes) -> ListEncoding:
    """Return how a list was saved. Raises `SyncError` where no guess is plausible.

    UTF-16 begins with its mark, or has a zero beside each plain sign. What is UTF-8 throughout is UTF-8. A
    line that names our columns in Chinese, as GB18030 or Big5 have them, is no guess either. Anything else
    is taken for GB18030 when all that is not ASCII is Chinese then, at least half of its characters are
    common ones, and no line is Chinese as UTF-8: the text of another encoding seldom is all that. Korean and
    Japanese text may be, so it stays a guess.
    """
    if is_workbook(data):
        return ListEncoding("")
    if utf16 := utf16_of(data):
        return ListEncoding(utf16.upper())
    try:
        data.decode()
    except UnicodeDecodeError as error:
        # Before the lines are looked at: our own column names leave no doubt, whatever stands below them.
        if named := next((one for one in (GB18030, BIG5) if names_columns_as(data, one)), None):
            return ListEncoding(named)
        if (mixed := _line_of_utf8(data)) is not None:
            raise SyncError(message("list.mixed", line=mixed)) from error
        if _is_plausible(data):
            return ListEncoding(GB18030, is_guess=True)
        raise _refusal(data, UTF8, error) from error
    return ListEncoding(UTF8)


def text_of(data: bytes, encoding: str) -> str:
    """Return a list's text, without a byte order mark. Raises `SyncError` when it is not of that encoding."""
    try:
        return data.decode("utf-8-sig" if encoding.lower() in {"utf-8", "utf8"} else encoding)
    except LookupError as error:
        raise SyncError(f"{encoding}: there is no such encoding; use utf-8 or gb18030") from error
    except UnicodeDecodeError as error:
        raise _refusal(data, encoding, error) from error


def certain_text(data: bytes, encoding: str | None) -> str:
    """Return the text of a list that counts at once, without a look at it: a guess is refused.

    `encoding` is what somebody said, None: nothing. Raises `SyncError`.
    """
    taken = encoding_of(data) if encoding is None else ListEncoding(encoding)
    if not taken.name:
        raise SyncError("this is a workbook; save it as text, a flat in each line")
    text = text_of(data, taken.name)
    if taken.is_guess:
        said = f"this list is no UTF-8, and as {taken.name} it says {text.split()[:3]}"
        raise SyncError(f"{said}; if that is right, give --encoding {taken.name.lower()}")
    return text


def _refusal(data: bytes, encoding: str, error: UnicodeDecodeError) -> SyncError:
    line = data.count(b"\n", 0, error.start) + 1
    told = {"line": line, "encoding": encoding.lower(), "option": "--encoding gb18030"}
    return SyncError(message("list.not_text", **told))


def _line_of_utf8(data: bytes) -> int | None:
    """Return the first line that is Chinese as UTF-8, in a list that as a whole is not; None without one."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.isascii():
            continue
        try:
            if _CHINESE.search(line.decode()):
                return number
        except UnicodeDecodeError:
            continue
    return None


def _is_plausible(data: bytes) -> bool:
    """Return whether the list as GB18030 is Chinese, most of it written with common characters."""
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    beyond = [one for one in text if not one.isascii()]
    if not all(_CHINESE.fullmatch(one) for one in beyond):
        return False
    common = sum(_COMMON.fullmatch(one.encode("gb18030")) is not None for one in beyond)
    return 2 * common >= sum(one.isalpha() for one in beyond) > 0
