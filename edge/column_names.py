"""What the columns of a list of people may be called, and which are of no use to a door."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.identity import tidied

if TYPE_CHECKING:
    from collections.abc import Mapping

FLAT_COLUMNS = frozenset(
    (
        *("flat", "flat_number", "room", "room_number"),
        *("房号", "房间号", "室号", "门牌号", "楼栋房号", "楼栋/房号", "楼栋-房号"),
    )
)
"""Of the columns that name a person's number, those in which it is a flat's."""

BUILDING, UNIT, BLOCK = "楼栋", "单元", "block"
FLAT_PARTS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("楼栋", "楼栋号", "栋号", "栋", "楼号", "幢号", "幢", "楼幢", "座号", "座"), BUILDING
        ),
        **dict.fromkeys(("单元", "单元号", "门栋"), UNIT),
        **dict.fromkeys(("block", "building", "tower"), BLOCK),
    }
)
"""Columns beside a flat's that say more of where it is: 3, 2 and 1203 are 3栋2单元1203."""

PEOPLE_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("id", "resident_id", "person_id"), "id"),
        **dict.fromkeys(("编号", "人员编号", "住户编号", "业主编号", "员工编号", "工号", "学号"), "id"),
        **dict.fromkeys(FLAT_COLUMNS, "id"),
        **FLAT_PARTS,
        **dict.fromkeys(("name", "full_name", "resident_name"), "name"),
        **dict.fromkeys(("姓名", "住户姓名", "业主姓名", "户主姓名", "人员姓名", "员工姓名"), "name"),
        **dict.fromkeys(("access_levels", "levels", "权限组", "权限"), "access_levels"),
        **dict.fromkeys(
            ("valid_from", "生效时间", "开始时间", "生效日期", "有效期起", "有效期自"), "valid_from"
        ),
        **dict.fromkeys(
            ("valid_until", "失效时间", "结束时间", "失效日期", "有效期止", "有效期至"), "valid_until"
        ),
        **dict.fromkeys(("extended_unlock", "延长开门"), "extended_unlock"),
        **dict.fromkeys(("consent_id", "同意书编号"), "consent_id"),
    }
)
"""What a column may be called, also as properties in China do, and which it is. `column_name` makes what
stands in a sheet one of these."""

_UNREAD = re.compile(
    r"(?:.*_)?(?:(?:tele|cell)?phone|mobile|tel)(?:_(?:no|number))?\.?|e-?mail|gender|sex|age|no\.|#"
    r"|(?:remark|note|comment)s?|序号|行号|性别|年龄|民族|面积|建筑面积|关系|与户主关系|签字|签名|住址|地址"
    r"|.*(?:电话|手机|联系方式|微信|邮箱|身[份分]证|证件|备注|说明|车牌|车位)(?:号码?|类型)?"
)
"""Columns that lists of people have and a door has no use for. They are told and not kept: no door stores
a telephone's number. Any other column that is unknown may be a slip, `valid_untl`, and is refused."""

_SIMPLER = str.maketrans(
    "編號員戶樓動棟間門權組時開結長電話聯絡繫機備註證別說車與關係簽書學業總計單數頁製審複經辦負責統報",
    "编号员户楼动栋间门权组时开结长电话联络系机备注证别说车与关系签书学业总计单数页制审复经办负责统报",
)
"""Traditional signs of these words."""
_REMARK = re.compile(r"[(（\[【][^(（\[【)）\]】]*[)）\]】]$")
"""No bracket inside: else each of a thousand that open would be followed to the cell's end."""


def column_name(cell: str) -> str:
    """Return the name of a column as `PEOPLE_COLUMNS` has it.

    `*姓 名（必填）`, `姓名：` and `編號` are names, too. Letters are small then, a blank is `_`, and signs
    are simplified ones.
    """
    tidy = plain_words(cell).strip("*:：＊")
    bare = _REMARK.sub("", tidy).strip("*＊ ") or tidy
    return bare.replace(" ", "_" if bare.isascii() else "").replace("／", "/")


def is_unread(name: str) -> bool:
    """Return whether a column of this name (`column_name`) is one that a door has no use for."""
    return _UNREAD.fullmatch(name) is not None


def plain_words(cell: str) -> str:
    """Return a cell's text in small letters and simplified signs, tidied."""
    return tidied(cell).lower().translate(_SIMPLER)
