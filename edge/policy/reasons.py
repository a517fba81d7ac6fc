"""Every reason and every kind of event in words, for the people who ask: English and Chinese."""

from __future__ import annotations

from typing import NamedTuple

from edge.domain import Reason
from edge.events import Kind


class Words(NamedTuple):
    """One sentence in both languages."""

    en: str
    zh: str


REASONS: dict[Reason, Words] = {
    Reason.GRANTED: Words("Everything the door asks for was fulfilled.", "满足该门的全部要求。"),
    Reason.COLLECTING: Words(
        "It was still undecided and more pictures were wanted.", "尚未作出判定，需要更多画面。"
    ),
    Reason.UNKNOWN_CREDENTIAL: Words(
        "What was shown belongs to nobody on the roster, or did not resemble anybody closely enough.",
        "所出示的凭证不属于名册中的任何人，或与任何人都不够相似。",
    ),
    Reason.AMBIGUOUS_MATCH: Words(
        "Two residents resembled the visitor almost equally, so neither was taken; use a PIN as well.",
        "有两位住户与来人的相似度过于接近，无法确认是哪一位；请同时使用密码。",
    ),
    Reason.LOW_QUALITY: Words(
        "The picture of the face was not good enough to compare (blur, light or size).",
        "人脸画面质量不足，无法比对（模糊、光线或大小）。",
    ),
    Reason.NOT_FACING: Words("The visitor did not look towards the door.", "来人没有面向门口。"),
    Reason.PRESENTATION_ATTACK: Words(
        "The face looked like a picture or a screen and not like a person.",
        "人脸疑似照片或屏幕，而非真人。",
    ),
    Reason.PAD_UNAVAILABLE: Words(
        "Whether the face was alive could not be checked, because that check was not running.",
        "活体检测未运行，无法确认是否为真人。",
    ),
    Reason.PAD_NO_RESPONSE: Words(
        "Whether the face was alive could not be judged here (light, distance, framing); no suspicion.",
        "当前光线、距离或取景下无法判断是否为真人；并非怀疑。",
    ),
    Reason.CHALLENGE_FAILED: Words("The movement that was asked for was not made.", "未完成所要求的动作。"),
    Reason.AUTHENTICATION_UNAVAILABLE: Words(
        "Nothing could be decided (models, gallery or records not available), so the door stayed shut.",
        "无法作出判定（模型、底库或记录不可用），门保持关闭。",
    ),
    Reason.CONSENT_MISSING: Words(
        "There is no recorded consent to use this person's face.", "没有使用此人人脸的同意记录。"
    ),
    Reason.CONSENT_WITHDRAWN: Words(
        "This person has withdrawn the consent to use the face.", "此人已撤回使用人脸的同意。"
    ),
    Reason.NO_ACCESS_RIGHTS: Words(
        "No access level lets this person through this door by this method.",
        "此人没有以该方式通过此门的权限。",
    ),
    Reason.OUT_OF_TIME_RANGE: Words(
        "The person's hours for this door were over or had not begun.", "当前不在此人可通过此门的时段内。"
    ),
    Reason.CREDENTIAL_NOT_YET_ACTIVE: Words("The permission had not begun yet.", "权限尚未生效。"),
    Reason.CREDENTIAL_EXPIRED: Words("The permission had expired.", "权限已过期。"),
    Reason.CREDENTIAL_MANUAL_DISABLE: Words(
        "The staff has switched this person's access off for a stated reason.",
        "管理人员已注明原因并停用此人的权限。",
    ),
    Reason.CREDENTIAL_MAX_USES: Words(
        "The pass had been used as often as it may be.", "通行证的使用次数已用完。"
    ),
    Reason.CREDENTIAL_LOCKOUT: Words(
        "Too many failures in this person's name: this method is off until another one has worked.",
        "以此人名义的失败次数过多：该方式已停用，用其他方式成功后恢复。",
    ),
    Reason.LOCKOUT_MAX_ATTEMPTS: Words(
        "Too many failures just before: a short pause was running; it ends by itself.",
        "此前失败次数过多：正处于短暂停顿，会自动结束。",
    ),
    Reason.INCORRECT_AUTHENTICATION_FACTOR: Words(
        "The number and the PIN did not belong together.", "号码与密码不匹配。"
    ),
    Reason.AUTHENTICATION_FACTOR_TIMEOUT: Words(
        "The second factor did not follow in time.", "未在规定时间内出示第二种凭证。"
    ),
    Reason.SECOND_FACTOR_REQUIRED: Words(
        "For this person a face alone is not enough; the PIN is wanted as well.",
        "此人仅凭人脸不足以通过，还需输入密码。",
    ),
    Reason.PASSBACK_DETECTED: Words(
        "The same credential had let somebody in just before.", "同一凭证刚刚已放行过一次。"
    ),
    Reason.THREAT_LEVEL: Words("The door was locked down.", "此门处于封锁状态。"),
    Reason.CLOCK_UNTRUSTED: Words(
        "The time was not known for certain, and this permission depends on it.",
        "当前时间不可信，而该权限取决于时间。",
    ),
    Reason.JOURNAL_UNAVAILABLE: Words(
        "The event could not be recorded, and this door opens for nobody without a record.",
        "事件无法记录，而此门在无记录时不放行。",
    ),
    Reason.TOO_LATE: Words(
        "Recording the event took so long that the door was not opened any more; try again.",
        "记录事件耗时过长，此次未开门；请重试。",
    ),
    Reason.LOCK_UNAVAILABLE: Words(
        "The lock did not answer, so the door stayed shut.", "门锁无响应，门保持关闭。"
    ),
}

KIND_WORDS: dict[Kind, Words] = {
    Kind.ACCESS_GRANTED: Words("let in", "放行"),
    Kind.ACCESS_DENIED: Words("refused", "拒绝"),
    Kind.ACCESS_PASSBACK: Words("a credential was used twice in a row", "同一凭证被连续使用"),
    Kind.ACCESS_ATTEMPTS: Words("there were very many failed attempts", "失败尝试次数非常多"),
    Kind.ACCESS_BUDGET: Words(
        "very many faces were compared without being recognised, so matches must be surer for a while",
        "大量人脸比对后仍未识别，一段时间内比对要求将更严格",
    ),
    Kind.ACCESS_SCENERY: Words(
        "a face that never moves (a poster, a portrait, a screen) is left out of recognition from now on",
        "画面中有固定不动的人脸（海报、画像或屏幕），此后不再参与识别",
    ),
    Kind.ALARM_DURESS: Words(
        "a duress PIN was typed: somebody may be under threat", "输入了胁迫密码：可能有人受到威胁"
    ),
    Kind.DOOR_OPENED: Words("the door was opened", "门被打开"),
    Kind.DOOR_CLOSED: Words("the door was closed", "门已关闭"),
    Kind.DOOR_FOUND_OPEN: Words("the door was found open at start", "启动时发现门是开着的"),
    Kind.DOOR_FORCED: Words("the door was opened without permission", "门在未获许可的情况下被打开"),
    Kind.DOOR_HELD: Words("the door stood open too long", "门开启时间过长"),
    Kind.DOOR_MODE: Words("the door's mode was commanded", "门的模式已被设置"),
    Kind.DOOR_HELD_UNLOCKED: Words("the door's mode began to hold it unlocked", "门的模式开始保持解锁"),
    Kind.DOOR_MODE_ENDED: Words("the door is no longer held unlocked", "门不再保持解锁"),
    Kind.DOOR_TAMPER: Words("the case was opened or moved", "设备外壳被打开或移动"),
    Kind.DOOR_FAULT: Words("a sensor of the door contradicts itself", "门的传感器状态自相矛盾"),
    Kind.DOOR_FAULT_CLEARED: Words("the door's sensors agree again", "门的传感器恢复正常"),
    Kind.DOOR_FIRE_ALARM: Words("the fire alarm was raised", "火灾报警"),
    Kind.DOOR_FIRE_ALARM_CLEARED: Words("the fire alarm ended", "火灾报警解除"),
    Kind.DOOR_ACKNOWLEDGED: Words("somebody acknowledged an alarm", "有人确认了报警"),
    Kind.DOOR_NO_ENTRY_AFTER_GRANTED: Words(
        "the door was unlocked and nobody opened it", "门已解锁但无人进入"
    ),
    Kind.LOCK_GUARD_LOST: Words(
        "the relay guard stopped answering; the lock is at rest", "继电器守护进程无响应；锁处于静止状态"
    ),
    Kind.LOCK_GUARD_BACK: Words("the relay guard answers again", "继电器守护进程恢复响应"),
    Kind.LOCK_UNLOCK_FAILED: Words("the lock could not be opened", "无法开锁"),
    Kind.HEALTH_LOCK: Words("the lock has a fault", "锁出现故障"),
    Kind.HEALTH_CAMERA: Words("the camera's state changed", "摄像头状态发生变化"),
    Kind.HEALTH_FRAME: Words(
        "the camera delivered something that is no picture", "摄像头送来的数据不是有效画面"
    ),
    Kind.HEALTH_PICTURE: Words(
        "the camera's picture is turned, or jumps, or is in order again",
        "摄像头画面方向不正、频繁跳变，或已恢复正常",
    ),
    Kind.HEALTH_READER: Words("a keypad's or card reader's state changed", "键盘或读卡器的状态发生变化"),
    Kind.HEALTH_JOURNAL: Words(
        "the journal could not be written for a while; what waited in memory has been stored",
        "日志曾一度无法写入；内存中等待的事件已存入",
    ),
    Kind.DOOR_BELL: Words("somebody rang the bell", "有人按门铃"),
    Kind.DOOR_REX: Words("the exit button was pressed", "有人按下出门按钮"),
    Kind.DOOR_HELD_WARNING: Words("the door is open and will soon be an alarm", "门未关，即将报警"),
    Kind.DOOR_HELD_REPEAT: Words("the door is still open after the alarm", "报警后门仍未关闭"),
    Kind.DOOR_TAMPER_CLEARED: Words("the case is closed again", "外壳已重新闭合"),
    Kind.COMMAND_DONE: Words("a remote command was carried out", "远程命令已执行"),
    Kind.COMMAND_FAILED: Words("a remote command could not be carried out", "远程命令执行失败"),
    Kind.HEALTH_CONSENT: Words(
        "residents are not matched for want of a consent on record", "因缺少同意记录，部分住户不参与人脸比对"
    ),
    Kind.HEALTH_PANEL: Words("the panel cannot be served as set up", "面板无法按设置提供服务"),
    Kind.HEALTH_ROSTER: Words(
        "how long ago the property last confirmed the roster became a concern, or ceased to be",
        "名册距上次由物业确认的时间过长，或已恢复正常",
    ),
    Kind.HEALTH_RESIDENTS: Words(
        "the resident store was damaged; it is kept aside and a new one began",
        "住户数据已损坏；旧数据已另存，新数据库开始",
    ),
    Kind.CONFIG_REFUSED: Words("a configuration from the property was refused", "物业下发的配置被拒绝"),
    Kind.HEALTH_GALLERY: Words(
        "residents are enrolled and yet not matched; enrol them again", "部分住户已登记却无法比对，请重新登记"
    ),
    Kind.HEALTH_CLOCK: Words(
        "the door's clock is far from what is certain, or right again", "设备时钟严重不准，或已恢复正常"
    ),
    Kind.CLOCK_CONFIRMED: Words("somebody confirmed the door's clock", "有人确认了设备时钟"),
    Kind.HEALTH_RESTARTS: Words("facegate was started again and again", "facegate 反复重启"),
    Kind.HEALTH_SYNC: Words("the property cannot be joined", "无法连接物业系统"),
    Kind.JOURNAL_QUARANTINED: Words(
        "the journal was damaged; it is kept aside and a new one began",
        "日志已损坏；旧日志已另存，新日志开始",
    ),
    Kind.JOURNAL_RELIEVED: Words(
        "the disk was full: old entries that had arrived, or the reserve, were given up",
        "磁盘已满：已舍弃已送达的旧记录或预留空间",
    ),
    Kind.JOURNAL_LATE: Words(
        "the disk had taken an entry that counted as not stored", "一条被视为未存入的记录实际已写入磁盘"
    ),
    Kind.JOURNAL_RESTORED: Words(
        "the door was restored from a backup and a new journal began", "门禁已从备份恢复，新日志开始"
    ),
    Kind.SERVICE_STARTED: Words("facegate started", "facegate 已启动"),
    Kind.SERVICE_STOPPED: Words("facegate stopped", "facegate 已停止"),
    Kind.ROSTER_CHANGED: Words("the roster changed", "名册已变更"),
    Kind.ROSTER_REFUSED: Words("a change of the roster was refused", "名册变更被拒绝"),
    Kind.PANEL_CLAIMED: Words("the first account of the panel was made", "已创建面板的首个账户"),
    Kind.PANEL_LOGIN: Words("somebody logged in to the panel", "有人登录了面板"),
    Kind.PANEL_LOGIN_FAILED: Words("a login to the panel failed", "面板登录失败"),
    Kind.PANEL_ACCOUNT_CHANGED: Words("an account of the panel was changed", "面板账户已变更"),
    Kind.PANEL_ACCOUNT_REMOVED: Words("an account of the panel was removed", "面板账户已移除"),
    Kind.PANEL_DOOR_TEST: Words("the door was opened once for a test", "为测试开门一次"),
    Kind.PANEL_REFUSED: Words("the panel refused a request", "面板拒绝了一次请求"),
    Kind.PANEL_BACKUP: Words("a backup was taken at the panel", "已在面板生成备份"),
    Kind.PANEL_NOTICE_CHANGED: Words("the notice of the display was changed", "屏幕通知已更改"),
    Kind.ENROL_OPENED: Words("an enrolment was begun", "开始登记"),
    Kind.ENROL_WINDOW_OPENED: Words("enrolling at this door was opened for a time", "已限时开放本门登记"),
    Kind.ENROL_WINDOW_CLOSED: Words("enrolling at this door was closed", "已关闭本门登记"),
    Kind.ENROL_REFUSED: Words("an enrolment was refused", "登记被拒绝"),
    Kind.ENROL_SAVED: Words("a face was enrolled", "已登记人脸"),
    Kind.ENROL_DROPPED: Words("an enrolment ended without templates", "登记结束，未保存模板"),
    Kind.RESIDENT_CHANGED: Words("a resident's rights were changed", "住户权限已变更"),
    Kind.RESIDENT_EXPORTED: Words("a resident's data was exported", "已导出住户数据"),
    Kind.RESIDENT_REMOVED: Words("a resident was removed", "已移除住户"),
    Kind.CONSENT_RECORDED: Words("a consent was recorded", "已记录同意"),
    Kind.CONSENT_WITHDRAWN: Words("a consent was withdrawn", "已撤回同意"),
    Kind.CONSENT_ENDED: Words("a consent to be welcomed by name was ended", "已取消显示姓名欢迎的同意"),
    Kind.FACE_ERASED: Words("a face template and its key were destroyed", "人脸模板及其密钥已销毁"),
    Kind.COMMAND_TAKEN: Words("a remote command was accepted", "已接受远程命令"),
    Kind.COMMAND_REFUSED: Words("a remote command was refused", "远程命令被拒绝"),
}
"""What happened, by kind. Kinds of another version have no words here and are named as they are."""


def kind_words(kind: str) -> Words:
    """Return what an event of this kind says happened; a kind of another version is named as it is."""
    return KIND_WORDS[Kind(kind)] if kind in set(Kind) else Words(kind, kind)
