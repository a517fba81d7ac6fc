"""Lists as offices keep them: a title above, totals and who made it below, lines that are numbered."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from edge.errors import SyncError
from edge.words import LANGUAGES
from facegate_hub.sheets import read_people
from tests.workbook.books import book_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
PEOPLE = [("3-1203-1", "张伟"), ("3-1203-2", "合计")]
"""The second has an odd name, and is somebody: a total has no number."""
HEADERS = [("编号", "姓名"), ("編號", "姓名"), ("ID", "Name"), ("住戶編號", "住戶姓名")]
ABOVE = [(), (("阳光花园住户名册",),), (("阳光花园", "2026年12月"), ("制表人：李", "共 2 人"))]
BELOW = [(), (("合计", "2"),), (("", "合计"),), (("总计：2人", ""),), (("Total", "2"),), (("共 2 人", ""),)]
BELOW += [(("制表：李", "审核：王"),), (("备注：租户需每年续期", ""),)]


def as_csv(rows, sign):
    return "".join(f"{sign.join(row)}\n" for row in rows).encode()


def both(data):
    return [(one["id"], one["name"]) for one in read_people(data, None, SHANGHAI)]


@pytest.mark.parametrize("above", ABOVE)
@pytest.mark.parametrize("below", BELOW)
@pytest.mark.parametrize("header", HEADERS)
def test_only_people_are_read(above, header, below):
    rows = [*above, header, *PEOPLE, *below]
    assert both(book_of(*rows)) == PEOPLE
    for sign in ",;\t":
        assert both(as_csv(rows, sign)) == PEOPLE


def test_a_column_that_numbers_the_lines_is_left_out():
    rows = [("序号", "编号", "姓名"), *((str(n), *one) for n, one in enumerate(PEOPLE, 1)), ("合计", "2", "")]
    assert both(book_of(*rows)) == PEOPLE
    assert both(as_csv(rows, ",")) == PEOPLE


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_that_lacks_something_is_told_in_the_reader_s_words(language):
    """A cell of several lines that is merged has its number in the first alone."""
    with pytest.raises(SyncError) as refused:
        read_people(as_csv([("编号", "姓名"), ("3-1203-1", "张伟"), ("", "李娜")], ","), None, SHANGHAI)
    told = refused.value.message.said(language)
    assert "3" in told
    assert "record:" not in told
    assert ("此行缺少 id" in told) == (language == "zh")
