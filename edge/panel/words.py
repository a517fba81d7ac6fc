"""The panel's words, English and Chinese, by name."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.enrol.guidance import Words

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "door": Words("Door", "门"),
        "skip": Words("Skip to content", "跳到正文"),
        "menu": Words("Menu", "菜单"),
        "home": Words("Overview", "概览"),
        "enrol": Words("Enrol", "登记"),
        "residents": Words("Residents", "住户"),
        "events": Words("Events", "事件"),
        "live": Words("Live view", "实时画面"),
        "test": Words("Door test", "门测试"),
        "health": Words("Health", "健康"),
        "models": Words("Threshold", "阈值"),
        "accounts": Words("Accounts", "账户"),
        "about": Words("About", "关于"),
        "login": Words("Log in", "登录"),
        "logout": Words("Log out", "退出"),
        "name": Words("Name", "姓名"),
        "account": Words("Account name", "账户名"),
        "password": Words("Password (10 characters or more)", "密码（至少 10 个字符）"),
        "role": Words("Role", "角色"),
        "installer": Words("Installer", "安装员"),
        "staff": Words("Staff", "物业人员"),
        "auditor": Words("Auditor", "审计员"),
        "first_title": Words("First start", "首次启动"),
        "first_text": Words(
            "Type the one-time code that the device printed, and make the installer's account. "
            "There is no default password.",
            "请输入设备打印的一次性代码，并创建安装员账户。本设备没有默认密码。",
        ),
        "code": Words("One-time code", "一次性代码"),
        "create": Words("Create account", "创建账户"),
        "wrong_login": Words("Name and password do not belong together.", "账户名与密码不匹配。"),
        "wrong_code": Words("That is not the code the device printed.", "与设备打印的代码不符。"),
        "wait": Words("Too many wrong tries: wait {seconds} s.", "错误次数过多：请等待 {seconds} 秒。"),
        "resident_id": Words("Resident number (such as flat-1203)", "住户编号（例如 flat-1203）"),
        "notice": Words("What the person agrees to", "同意内容"),
        "agrees": Words("The person has read this and agrees.", "本人已阅读并同意。"),
        "minor": Words("The person is under 14.", "未满十四周岁。"),
        "guardian": Words("Guardian who agrees (under 14 only)", "同意的监护人（仅限未满十四周岁）"),
        "start": Words("Start the camera", "启动摄像头"),
        "photos": Words("Or choose 2 to 8 photos", "或选择 2 至 8 张照片"),
        "use_photos": Words("Use photos", "使用照片"),
        "progress": Words("Progress", "进度"),
        "camera_view": Words("Camera picture", "摄像头画面"),
        "cancel": Words("Cancel", "取消"),
        "save": Words("Save", "保存"),
        "good": Words("The templates are good.", "模板质量合格。"),
        "refused": Words("Not enrolled", "未登记"),
        "miss": Words(
            "Expected: the door misses this person in {miss} of single looks (measured on {shots} shots of "
            "this sitting that are not templates; lowest similarity {lowest}, threshold {threshold}).",
            "预计：单次比对漏认率 {miss}（以本次采集中 {shots} 张非模板画面实测；"
            "最低相似度 {lowest}，阈值 {threshold}）。",
        ),
        "override": Words("Override (installer only, logged)", "强制保存（仅安装员，将记录）"),
        "override_reason": Words("Reason for the override", "强制保存的理由"),
        "no_camera": Words("No picture: {problem}", "无画面：{problem}"),
        "saved": Words("{who} is enrolled.", "{who} 已登记。"),
        "search": Words("Search", "搜索"),
        "templates": Words("Templates", "模板"),
        "again": Words("Enrol again", "需重新登记"),
        "none": Words("None", "无"),
        "valid_until": Words("Valid until (UTC)", "有效期至（UTC）"),
        "levels": Words("Access levels, separated by commas", "权限组，以逗号分隔"),
        "consents": Words("Consents", "同意记录"),
        "in_force": Words("in force", "有效"),
        "withdrawn": Words("withdrawn", "已撤回"),
        "withdraw": Words("Withdraw consent and destroy the face key", "撤回同意并销毁人脸密钥"),
        "withdraw_sure": Words(
            "This cannot be undone. PIN and card go on working.", "此操作无法撤销。密码和门卡不受影响。"
        ),
        "export": Words("Export this person's data", "导出此人的数据"),
        "receipt": Words("Receipt of erasure", "删除回执"),
        "receipt_hint": Words(
            "Print this page or scan the code; the resident keeps it.", "请打印本页或扫描二维码，由住户保存。"
        ),
        "kind": Words("Kind", "类别"),
        "when": Words("When (UTC)", "时间（UTC）"),
        "why": Words("Why", "原因"),
        "who": Words("Who", "人员"),
        "older": Words("Older", "更早"),
        "pulse": Words("Open once", "开门一次"),
        "no_relay": Words(
            "This panel runs beside the door service and does not move the relay.",
            "本面板独立于门禁服务运行，不控制继电器。",
        ),
        "sensors": Words("Newest messages of the sensors and the lock", "传感器与门锁的最新消息"),
        "sharpness": Words("Sharpness (turn the lens until it is highest)", "清晰度（调焦至最大）"),
        "brightness": Words("Brightness, 0 to 255", "亮度（0 至 255）"),
        "refresh": Words("Look again", "刷新"),
        "threshold_text": Words(
            "A stranger is compared with everyone: the more residents, the higher the similarity that is "
            "asked for. Now: {threshold} for {residents} residents.",
            "陌生人会与所有人比对：住户越多，要求的相似度越高。当前：{residents} 位住户，阈值 {threshold}。",
        ),
        "plot": Words("Similarity threshold by number of residents", "不同住户数量下的相似度阈值"),
        "residents_axis": Words("residents", "住户数"),
        "enrolled": Words("enrolled residents", "已登记住户"),
        "not_allowed": Words("Your account may not do this.", "您的账户无权执行此操作。"),
        "not_found": Words("There is no such page.", "没有该页面。"),
        "failed": Words("That did not work", "操作未成功"),
        "back": Words("Back", "返回"),
        "add_account": Words("Add or change an account", "添加或修改账户"),
        "remove": Words("Remove", "移除"),
        "language": Words("中文", "English"),
        "screen_idle": Words("Look at the camera, or use PIN or card.", "请看摄像头，或使用密码、门卡。"),
        "screen_welcome": Words("Welcome", "欢迎"),
        "screen_refused": Words("Not recognised", "未能识别"),
        "screen_next": Words("Use your PIN or card, or ring the bell.", "请使用密码或门卡，或按铃。"),
    }
)


def say(name: str, language: str, **values: object) -> str:
    """Return one text in `language` (`en` or `zh`) with its gaps filled."""
    return WORDS[name].in_(language).format(**values)
