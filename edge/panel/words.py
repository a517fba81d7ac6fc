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
        "health": Words("Camera and health", "摄像头与健康"),
        "models": Words("Models and threshold", "模型与阈值"),
        "accounts": Words("Accounts", "账户"),
        "about": Words("About", "关于"),
        "login": Words("Log in", "登录"),
        "logout": Words("Log out", "退出"),
        "name": Words("Name", "姓名"),
        "account": Words("Account name", "账户名"),
        "password_known": Words("Password", "密码"),
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
        "camera_starts": Words(
            "The camera is starting: look at it, please.", "摄像头正在启动，请正对摄像头。"
        ),
        "see_resident": Words("Rights, and welcome by name", "权限与姓名欢迎"),
        "no_camera": Words("No picture: {problem}", "无画面：{problem}"),
        "saved": Words("{who} is enrolled.", "{who} 已登记。"),
        "search": Words("Search", "搜索"),
        "templates": Words("Templates", "模板"),
        "again": Words("Enrol again", "需重新登记"),
        "none": Words("None", "无"),
        "valid_until": Words("Valid until", "有效期至"),
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
        "why": Words("Why", "原因"),
        "who": Words("Who", "人员"),
        "older": Words("Older", "更早"),
        "pulse": Words("Open once", "开门一次"),
        "no_relay": Words(
            "This panel runs beside the door service and does not move the relay.",
            "本面板独立于门禁服务运行，不控制继电器。",
        ),
        "inputs": Words("Inputs", "输入信号"),
        "found": Words("Found: {count}", "共 {count} 位"),
        "sharpness": Words("Sharpness (turn the lens until it is highest)", "清晰度（调焦至最大）"),
        "brightness": Words("Brightness, 0 to 255", "亮度（0 至 255）"),
        "refresh": Words("Look again", "刷新"),
        "threshold_text": Words(
            "A stranger is compared with everyone: the more residents, the higher the similarity that is "
            "asked for. Now: {threshold}; residents: {residents}.",
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
        "network": Words("Network", "网络"),
        "backup": Words("Backup", "备份"),
        "display": Words("Display at the gate", "门口屏幕"),
        "group_people": Words("People", "人员"),
        "group_door": Words("Door", "门禁"),
        "group_system": Words("Device", "设备"),
        "address": Words("Address", "地址"),
        "fingerprint": Words("Certificate, SHA-256", "证书 SHA-256 指纹"),
        "fingerprint_text": Words(
            "Compare it with the one your browser shows before you type a password.",
            "输入密码前，请与浏览器显示的指纹核对。",
        ),
        "broker": Words("The property's broker", "物业消息服务器"),
        "no_broker": Words(
            "No broker is set up here: this door works by itself and keeps its events.",
            "未配置消息服务器：此门独立运行并自行保存事件。",
        ),
        "broker_on": Words("connected", "已连接"),
        "broker_off": Words("not connected; the door goes on without it", "未连接；门禁仍可独立工作"),
        "waiting": Words("Events that have not arrived there yet", "尚未送达的事件"),
        "last_contact": Words("Last contact", "最近联系"),
        "not_yet": Words("not yet", "暂无"),
        "problem": Words("Problem", "问题"),
        "not_connected": Words(
            "The panel runs without the door service here, so this is not known.",
            "面板未与门禁服务一起运行，因此无法获知。",
        ),
        "no_door": Words(
            "This needs the door service: start it with facegate run.",
            "需要门禁服务：请用 facegate run 启动。",
        ),
        "backup_text": Words(
            "One file with residents, templates, keys, events and accounts, encrypted with your passphrase. "
            "Whoever has both has every face template: keep them apart.",
            "将住户、模板、密钥、事件和账户写入一个加密文件。文件与口令同时泄露即泄露全部人脸模板，请分开保管。",
        ),
        "backup_restore": Words(
            "It is put back with facegate restore, on this device or a new one.",
            "可在本设备或新设备上用 facegate restore 恢复。",
        ),
        "passphrase": Words("Passphrase (10 characters or more)", "口令（至少 10 个字符）"),
        "passphrase_again": Words("The passphrase again", "再次输入口令"),
        "make_backup": Words("Make and download", "生成并下载"),
        "no_backup": Words("Backups cannot be made here.", "此处无法生成备份。"),
        "not_the_same": Words("The two passphrases differ. Type them again.", "两次口令不一致，请重新输入。"),
        "notice_text": Words(
            "One line that the display shows while nobody is there, such as: Lift out of order until Friday.",
            "无人时屏幕显示的一行文字，例如：电梯周五前停用。",
        ),
        "notice_en": Words("Notice in English", "英文通知"),
        "notice_zh": Words("Notice in Chinese", "中文通知"),
        "display_hint": Words(
            "The display opens https://localhost{port}/screen in a full-screen browser on this device. "
            "Add ?language=both for both languages, ?voice=on for spoken guidance.",
            "在本设备上用全屏浏览器打开 https://localhost{port}/screen。"
            "加 ?language=both 显示双语，加 ?voice=on 开启语音提示。",
        ),
        "screen_only_here": Words(
            "This page is only for the display at the door.", "此页面仅供门口屏幕使用。"
        ),
        "digits_only": Words("Give digits only.", "只能输入数字。"),
        "components": Words("Libraries and their licences", "第三方库及其许可证"),
        "models_used": Words("Versions, models and hashes", "版本、模型与哈希值"),
        "library": Words("Library", "库"),
        "version": Words("Version", "版本"),
        "licence": Words("Licence", "许可证"),
        "all": Words("All", "全部"),
        "entries": Words("Entries", "通行"),
        "people": Words("People", "人员"),
        "panel": Words("Panel and commands", "面板与命令"),
        "show": Words("Show", "筛选"),
        "no_events": Words("No events yet.", "暂无事件。"),
        "no_residents": Words("Nobody is found.", "没有找到住户。"),
        "begin_enrolling": Words("Enrol the first resident", "登记第一位住户"),
        "list_all": Words("Everybody", "全部住户"),
        "unmatched": Words("Enrolled, but not matched by the door", "已登记，但门禁无法比对"),
        "list_unmatched": Words("Not matched by the door", "门禁无法比对"),
        "list_again": Words("Enrol again", "需重新登记"),
        "list_over": Words("Not valid now", "当前无效"),
        "list_failed": Words("The door fails", "人脸不通过"),
        "failed_text": Words(
            "Residents whom the door refused by face and who came in with PIN or card within a minute, in "
            "the newest events. Enrol them again, or look at the light.",
            "近期事件中，人脸被拒后一分钟内改用密码或门卡进入的住户。请重新登记或检查光线。",
        ),
        "failures": Words("Failures", "失败次数"),
        "of_entries": Words("Entries", "通行次数"),
        "last_failure": Words("Last time", "最近一次"),
        "has_face": Words("face", "人脸"),
        "not_valid": Words("not valid now", "当前无效"),
        "valid_from": Words("Valid from", "有效期自"),
        "times_crossed": Words(
            "The end of the validity is not after its beginning.", "有效期的结束时间必须晚于开始时间。"
        ),
        "extended": Words("Needs more time: the door stays open longer", "需要更多时间：延长开门时间"),
        "rights": Words("Access", "权限"),
        "welcome_by_name": Words("Welcome by name", "显示姓名欢迎"),
        "welcome_on": Words("Agreed: the display shows the name.", "已同意：屏幕会显示姓名。"),
        "welcome_off": Words("The display welcomes without a name.", "屏幕欢迎时不显示姓名。"),
        "welcome_agree": Words("The resident agrees", "住户同意"),
        "welcome_end": Words("End it", "取消显示"),
        "face_data": Words("Face and data", "人脸与数据"),
        "faces_in_view": Words("Faces in view: {count}", "画面中的人脸：{count}"),
        "face_good": Words("Good.", "合格。"),
        "face_told": Words(
            "{verdict} Eye distance {eyes} px, about {metres} m away.",
            "{verdict} 两眼间距 {eyes} 像素，距离约 {metres} 米。",
        ),
        "picture_good": Words("The light is good.", "光线合适。"),
        "picture_dark": Words(
            "Dark: put light on the faces, or let the camera expose longer.", "偏暗：请补光或延长曝光。"
        ),
        "picture_bright": Words(
            "Bright: turn the camera away from the light, or shade it.", "偏亮：请避开光源或遮光。"
        ),
        "best_so_far": Words("Best so far on this page", "本页最高值"),
        "focus_aid": Words("Focus and exposure", "对焦与曝光"),
        "state_contact": Words("Door contact", "门磁"),
        "state_lock": Words("Lock", "锁"),
        "state_secured": Words("Secured", "安全状态"),
        "is_closed": Words("closed", "关闭"),
        "is_opened": Words("open", "打开"),
        "is_unknown": Words("not known", "未知"),
        "is_locked": Words("locked", "已锁"),
        "is_unlocked": Words("unlocked", "未锁"),
        "is_lock_fault": Words("fault", "故障"),
        "is_secured": Words("yes", "是"),
        "is_unsecured": Words("no", "否"),
        "try_inputs": Words(
            "Try each input; its line turns green when the signal arrives.",
            "请逐一触发各输入，收到信号后该行变绿。",
        ),
        "now": Words("Now", "当前"),
        "last_signal": Words("Last signal", "最近信号"),
        "input": Words("Input", "输入"),
        "sensed_door_opened": Words("Door opened", "开门"),
        "sensed_door_closed": Words("Door closed", "关门"),
        "sensed_rex": Words("Exit button", "出门按钮"),
        "sensed_bell": Words("Bell", "门铃"),
        "sensed_tamper": Words("Case opened", "外壳打开"),
        "sensed_fire": Words("Fire alarm", "火灾报警"),
        "similarity_axis": Words("similarity that is asked for", "要求的相似度"),
        "you_are_here": Words("this door", "本门"),
        "error_rate": Words(
            "Wanted: at most one stranger in {one_in} visits is let in.",
            "目标：每 {one_in} 次来访最多误放行一名陌生人。",
        ),
        "for_residents": Words("Residents", "住户数"),
        "threshold": Words("Threshold", "阈值"),
        "table": Words("The same as a table", "以表格显示"),
        "messages": Words("Newest messages", "最新消息"),
        "mode_open": Words("Enrolment mode ends in {minutes} min.", "登记模式将在 {minutes} 分钟后结束。"),
        "mode_closed": Words(
            "Enrolment mode is closed. An installer opens it here, or the property from its office.",
            "登记模式已关闭。请由安装人员在此开启，或由物业远程开启。",
        ),
        "mode_open_it": Words("Open enrolment mode for 15 minutes", "开启登记模式 15 分钟"),
        "mode_close_it": Words("Close enrolment mode", "关闭登记模式"),
        "step_one": Words("Who", "人员"),
        "step_two": Words("Consent", "同意"),
        "step_three": Words("Pictures", "画面"),
        "stranger_free": Words(
            "One person alone in front of the camera, light from the front.",
            "请单独站在摄像头前，光线从正面照射。",
        ),
    }
)


def say(name: str, language: str, **values: object) -> str:
    """Return one text in `language` (`en` or `zh`) with its gaps filled."""
    return WORDS[name].in_(language).format(**values)
