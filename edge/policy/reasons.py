"""Every reason and every kind of event in words, for the people who ask: English and Chinese."""

from __future__ import annotations

from typing import NamedTuple

from edge.domain import Reason


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
}

KINDS: dict[str, Words] = {
    "access.passback": Words("a credential was used twice in a row", "同一凭证被连续使用"),
    "access.attempts": Words("there were very many failed attempts", "失败尝试次数非常多"),
    "alarm.duress": Words(
        "a duress PIN was typed: somebody may be under threat", "输入了胁迫密码：可能有人受到威胁"
    ),
    "door.opened": Words("the door was opened", "门被打开"),
    "door.closed": Words("the door was closed", "门已关闭"),
    "door.found_open": Words("the door was found open at start", "启动时发现门是开着的"),
    "door.forced": Words("the door was opened without permission", "门在未获许可的情况下被打开"),
    "door.held": Words("the door stood open too long", "门开启时间过长"),
    "door.mode": Words("the door's mode was commanded", "门的模式已被设置"),
    "door.held_unlocked": Words("the door's mode began to hold it unlocked", "门的模式开始保持解锁"),
    "door.mode_ended": Words("the door is no longer held unlocked", "门不再保持解锁"),
    "door.tamper": Words("the case was opened or moved", "设备外壳被打开或移动"),
    "door.fault": Words("a sensor of the door contradicts itself", "门的传感器状态自相矛盾"),
    "door.fault_cleared": Words("the door's sensors agree again", "门的传感器恢复正常"),
    "door.fire_alarm": Words("the fire alarm was raised", "火灾报警"),
    "door.fire_alarm_cleared": Words("the fire alarm ended", "火灾报警解除"),
    "door.acknowledged": Words("somebody acknowledged an alarm", "有人确认了报警"),
    "door.no_entry_after_granted": Words("the door was unlocked and nobody opened it", "门已解锁但无人进入"),
    "lock.guard_lost": Words(
        "the relay guard stopped answering; the lock is at rest", "继电器守护进程无响应；锁处于静止状态"
    ),
    "lock.guard_back": Words("the relay guard answers again", "继电器守护进程恢复响应"),
    "lock.unlock_failed": Words("the lock could not be opened", "无法开锁"),
    "health.lock": Words("the lock has a fault", "锁出现故障"),
    "health.camera": Words("the camera's state changed", "摄像头状态发生变化"),
    "health.frame": Words(
        "the camera delivered something that is no picture", "摄像头送来的数据不是有效画面"
    ),
    "health.reader": Words("a keypad's or card reader's state changed", "键盘或读卡器的状态发生变化"),
    "health.journal": Words(
        "the journal could not be written for a while; what waited in memory has been stored",
        "日志曾一度无法写入；内存中等待的事件已存入",
    ),
    "door.bell": Words("somebody rang the bell", "有人按门铃"),
    "door.rex": Words("the exit button was pressed", "有人按下出门按钮"),
    "door.held_warning": Words("the door is open and will soon be an alarm", "门未关，即将报警"),
    "door.held_repeat": Words("the door is still open after the alarm", "报警后门仍未关闭"),
    "door.tamper_cleared": Words("the case is closed again", "外壳已重新闭合"),
    "command.done": Words("a remote command was carried out", "远程命令已执行"),
    "command.failed": Words("a remote command could not be carried out", "远程命令执行失败"),
    "health.consent": Words(
        "residents are not matched for want of a consent on record", "因缺少同意记录，部分住户不参与人脸比对"
    ),
    "health.panel": Words("the panel cannot be served as set up", "面板无法按设置提供服务"),
    "health.roster": Words(
        "how long ago the property last confirmed the roster became a concern, or ceased to be",
        "名册距上次由物业确认的时间过长，或已恢复正常",
    ),
    "health.residents": Words(
        "the resident store was damaged; it is kept aside and a new one began",
        "住户数据已损坏；旧数据已另存，新数据库开始",
    ),
    "config.refused": Words("a configuration from the property was refused", "物业下发的配置被拒绝"),
    "health.restarts": Words("facegate was started again and again", "facegate 反复重启"),
    "health.sync": Words("the property cannot be joined", "无法连接物业系统"),
    "journal.quarantined": Words(
        "the journal was damaged; it is kept aside and a new one began",
        "日志已损坏；旧日志已另存，新日志开始",
    ),
    "journal.relieved": Words(
        "the disk was full: old entries that had arrived, or the reserve, were given up",
        "磁盘已满：已舍弃已送达的旧记录或预留空间",
    ),
    "journal.late": Words(
        "the disk had taken an entry that counted as not stored", "一条被视为未存入的记录实际已写入磁盘"
    ),
    "journal.restored": Words(
        "the door was restored from a backup and a new journal began", "门禁已从备份恢复，新日志开始"
    ),
    "service.started": Words("facegate started", "facegate 已启动"),
    "service.stopped": Words("facegate stopped", "facegate 已停止"),
    "roster.changed": Words("the roster changed", "名册已变更"),
    "roster.refused": Words("a change of the roster was refused", "名册变更被拒绝"),
    "panel.claimed": Words("the first account of the panel was made", "已创建面板的首个账户"),
    "panel.login": Words("somebody logged in to the panel", "有人登录了面板"),
    "panel.login_failed": Words("a login to the panel failed", "面板登录失败"),
    "panel.account_changed": Words("an account of the panel was changed", "面板账户已变更"),
    "panel.account_removed": Words("an account of the panel was removed", "面板账户已移除"),
    "panel.door_test": Words("the door was opened once for a test", "为测试开门一次"),
    "panel.refused": Words("the panel refused a request", "面板拒绝了一次请求"),
    "panel.backup": Words("a backup was taken at the panel", "已在面板生成备份"),
    "panel.notice_changed": Words("the notice of the display was changed", "屏幕通知已更改"),
    "enrol.opened": Words("an enrolment was begun", "开始登记"),
    "enrol.window_opened": Words("enrolling at this door was opened for a time", "已限时开放本门登记"),
    "enrol.window_closed": Words("enrolling at this door was closed", "已关闭本门登记"),
    "enrol.refused": Words("an enrolment was refused", "登记被拒绝"),
    "enrol.saved": Words("a face was enrolled", "已登记人脸"),
    "enrol.dropped": Words("an enrolment ended without templates", "登记结束，未保存模板"),
    "resident.changed": Words("a resident's rights were changed", "住户权限已变更"),
    "resident.exported": Words("a resident's data was exported", "已导出住户数据"),
    "resident.removed": Words("a resident was removed", "已移除住户"),
    "consent.recorded": Words("a consent was recorded", "已记录同意"),
    "consent.withdrawn": Words("a consent was withdrawn", "已撤回同意"),
    "consent.ended": Words("a consent to be welcomed by name was ended", "已取消显示姓名欢迎的同意"),
    "face.erased": Words("a face template and its key were destroyed", "人脸模板及其密钥已销毁"),
    "command.taken": Words("a remote command was carried out", "远程命令已执行"),
    "command.refused": Words("a remote command was refused", "远程命令被拒绝"),
}
"""What happened, by kind, but for openings and refusals. A kind that is not here is named as it is."""
