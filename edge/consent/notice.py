"""The notices people consent to. A version is never edited: a changed text is a new version."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

CURRENT = "2026-1"

NOTICES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "2026-1": {
            "en": (
                "This door can recognise your face to open for you. Purpose: opening this door, "
                "nothing else. Your picture is not kept; a numeric template of it is kept in this "
                "device, encrypted with a key of its own. It is not sent anywhere. You need not agree: "
                "PIN, card and visitor code open the same door. You may withdraw at any time at the "
                "door's office; the key is destroyed at once and you get a signed receipt. An unused "
                "template is erased after a year. For a child under 14 a guardian must agree."
            ),
            "zh": (
                "此门可以识别您的人脸并为您开门。用途：仅用于开启此门。您的照片不会保存；仅在本设备内保存由其生成的"
                "数字模板，并以单独的密钥加密，不会外传。您可以不同意：密码、门卡和访客码同样可以开门。"
                "您可随时到管理处撤回同意，密钥将立即销毁，并向您出具签名回执。一年未使用的模板将被删除。"
                "未满十四周岁的儿童须由监护人同意。"
            ),
        },
        "greeting-2026-1": {
            "en": (
                "The display at this door may show your name when it opens for you. Whoever stands beside "
                "you can read it. You need not agree: the door opens all the same. You may withdraw at any "
                "time at the door's office."
            ),
            "zh": (
                "此门为您开启时，门口的屏幕可以显示您的姓名，旁边的人也能看到。"
                "您可以不同意：门照常为您开启。您可随时到管理处撤回同意。"
            ),
        },
    }
)
"""By version, then by language."""
