"""The texts that people read: whole in every language, and the only place where they stand."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import edge
from edge import errors, words
from edge.camera.check import PictureState
from edge.domain import Flaw, Reason
from edge.panel.gate_screen import Stage
from edge.policy.methods import Method
from edge.policy.modes import Mode
from edge.policy.passback import PassbackKind
from edge.policy.rulebook import DisableReason
from edge.relay.door import Alarm, DoorStatus, LockStatus, Secured
from edge.web.accounts import Role
from edge.web.refusals import RefusalKind
from edge.words import LANGUAGES, Message, catalogue, gaps, has, message, say
from edge.words.catalogue import read_catalogue

SOURCE = Path(edge.__file__).parent
IDS = tuple(catalogue(LANGUAGES[0]).texts)
GAP = re.compile(r"\{[a-z_]+\}")
LATIN = re.compile(r"[A-Za-z]{2,}(?:-[A-Za-z]+)*")

NAMES = {
    *("facegate", "MQTT", "GPIO", "PIN", "QR", "SHA", "JPEG", "PNG", "BMP", "WebP", "UTC"),
    *(
        "run",
        "restore",
        "models",
        "install",
        "screen",
        "https",
        "localhost",
        "language",
        "both",
        "voice",
        "on",
    ),
    *("sound", "keys", "spoken"),  # what may stand in the display's address
    *("CSV", "xlsx", "xls"),  # how spreadsheets call their files
    *("untrusted", "clock", "nobody", "camera", "rotate"),
    *("CSV", "UTF", "IANA", "USB", "CSI", "BCM", "TOML", "FPIR", "Home", "Assistant"),
    *("reason", "config", "site", "operator", "contact"),
    *("TPM", "systemd", "video", "rpicam-hello", "list-cameras"),
}
"""Names of products, formats and commands; every other Latin word on a Chinese page is a mistake."""

SETTING = "setting."
"""What a setting does is said in English by the settings model; tests/words/test_reference.py."""

WITHOUT_WORDS = re.compile(
    r"language\.|list\.(comma|then)|photo\.(flawed|all_refused|unread)|panel\.(heading|in_zone|fact\.facegate)"
    r"|explain\.(at|other|because|unknown_reason)|screen\.sentence|rule\.(both|valid)"
    r"|community\.(pair|audit\.between)"
)
"""Texts that are nothing but gaps and the marks between them."""

GIVEN_NOTICE = "notice."
"""What somebody agreed to is never reworded: a better notice is a new version."""

NOT_OUR_WORD = {
    "账户": "账号",
    "面板": "管理页面",
    "通行证": "访客码",
    "通行码": "访客码",
    "管理处": "物业服务中心",
    "账册": "台账",
    "封门": "封锁",
    "安装员": "安装人员",
    "口令": "密码",
    "陌生人": "未识别人员",
    "登记人脸": "录入人脸",
    "撤销同意": "撤回同意",
    "回执凭证": "凭证",
    "名册": "人员名单",
}
"""Words with another meaning for who reads them, and the right ones (docs/glossary.md says why)."""

WHICH_SECRET = re.compile("(?<!开门)(?<!登录)(?<!备份)(?<!胁迫)(?<!锁屏)(?<!没有默认)(?<!输)密码(?!键盘)")
"""A resident who is told of a password does not know which: every secret is named by what it opens."""

OTHER_SECRETS = ("camera.unreachable", "setting.mqtt.password", "list.old_workbook")
"""Where the sentence says whose password it is: a camera's, a broker's, a workbook's."""


def sources():
    """Yield every module of the program, parsed."""
    for path in SOURCE.rglob("*.py"):
        if "bench" in path.parts or "demo" in path.parts:
            continue  # `say` prints a line there
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_text_is_there_in_every_language(language):
    theirs = catalogue(language).texts
    assert {name for name in set(IDS) ^ set(theirs) if not name.startswith(SETTING)} == set()
    for name in set(IDS) & set(theirs):
        assert all(theirs[name]), f"{name} is empty"
        assert catalogue(language).gaps(name) <= gaps(name), f"{name}: a gap that nothing fills"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_reader_reads_what_babel_reads(language):
    babel = pytest.importorskip("babel.messages.pofile", reason="Babel is not installed")
    path = Path(words.__file__).with_name(f"{language}.po")
    with path.open("rb") as file:
        entries = [entry for entry in babel.read_po(file) if entry.id]
    theirs = {
        entry.id[0] if entry.pluralizable else entry.id: entry.string
        if entry.pluralizable
        else (entry.string,)
        for entry in entries
    }
    assert {name: tuple(forms) for name, forms in read_catalogue(path).texts.items()} == theirs


def test_plurals_and_escapes(tmp_path):
    path = tmp_path / "xx.po"
    path.write_text(
        'msgid ""\nmsgstr ""\n"Language: xx\\n"\n"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\n'
        '# a comment\nmsgid "shots"\nmsgid_plural "shots"\nmsgstr[0] "one"\nmsgstr[1] "{count}"\n\n'
        'msgid "page"\nmsgstr "a \\"b\\"\\n"\n"c"\n'
    )
    found = read_catalogue(path)
    assert [found.text("shots", count) for count in (0, 1, 2)] == ["{count}", "one", "{count}"]
    assert found.text("page") == 'a "b"\nc'
    path.write_text(path.read_text() + "msgstr no quotes\n")
    with pytest.raises(ValueError, match=r"xx\.po:15"):
        read_catalogue(path)


@pytest.mark.parametrize("name", [name for name in IDS if not name.startswith(SETTING)])
def test_chinese_texts_are_chinese(name):
    text = GAP.sub("", say_raw(name, "zh"))
    foreign = {word for word in LATIN.findall(text) if word not in NAMES}
    assert not foreign or name == "language.en", f"{name}: {sorted(foreign)}"
    if not WITHOUT_WORDS.match(name):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text), name
    half_width = re.search(r"[\u4e00-\u9fff][,:;()?]|[,:;()?][\u4e00-\u9fff]", text)
    assert not half_width, f"{name}: half-width marks beside Chinese"


def test_chinese_texts_use_the_words_of_the_glossary():
    texts = {name: say_raw(name, "zh") for name in IDS if not name.startswith(GIVEN_NOTICE)}
    secrets = {name: text for name, text in texts.items() if not name.startswith(OTHER_SECRETS)}

    assert [(name, word) for name, text in texts.items() for word in NOT_OUR_WORD if word in text] == []
    assert [name for name, text in secrets.items() if WHICH_SECRET.search(text)] == [], (
        "which secret is meant?"
    )


def say_raw(name, language):
    return "\n".join(catalogue(language).texts[name])


def called(node, *functions):
    """Return whether `node` calls one of these, by its bare or its attribute's name."""
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    return name in functions


def texts_named_in_the_program():
    """Yield (where, id or beginning of ids) of every text that the program names."""
    for path, tree in sources():
        for node in ast.walk(tree):
            if (
                not isinstance(node, ast.Call)
                or not called(node, "say", "message", "Message", "names")
                or not node.args
            ):
                continue
            beginning = ""
            if isinstance(node.func, ast.Attribute) and node.func.attr == "say" and path.startswith("panel/"):
                beginning = "panel."
            first = node.args[0]
            if isinstance(first, ast.JoinedStr) and isinstance(first.values[0], ast.Constant):
                yield path, beginning + str(first.values[0].value), False
            elif isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield path, beginning + first.value, not called(node, "names")
    for page in (SOURCE / "panel" / "templates").glob("*.html"):
        for name in re.findall(r"\bsay\('(\w+)'[,)]", page.read_text(encoding="utf-8")):
            yield page.name, f"panel.{name}", True


def test_every_text_that_the_program_names_is_there():
    named = list(texts_named_in_the_program())
    assert len(named) > 200, "the search finds what there is"
    for where, name, is_whole in named:
        assert has(name) if is_whole else words.names(name), f"{where}: no text {name}"


@pytest.mark.parametrize(
    ("beginning", "members"),
    [
        ("reason.", Reason),
        ("photo.flaw.", Flaw),
        ("value.method.", Method),
        ("value.mode.", Mode),
        ("value.alarm.", Alarm),
        ("value.state.", PictureState),
        ("value.role.", Role),
        ("panel.", Role),
        ("value.why.", RefusalKind),
        ("value.disabled.", DisableReason),
        ("value.passback.", PassbackKind),
        ("panel.is_", DoorStatus),
        ("panel.is_", LockStatus),
        ("panel.is_", Secured),
        ("screen.", [f"{stage}.title" for stage in Stage if stage not in (Stage.GUIDE, Stage.PROMPT)]),
    ],
    ids=str,
)
def test_every_member_has_words(beginning, members):
    assert set(map(str, members)) <= set(words.names(beginning))


ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.FacegateError)
]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_can_be_told_to_a_person(kind):
    assert has(f"error.{kind.__name__}")
    technical = kind("GPIO17 cannot be claimed")
    assert technical.message == Message(f"error.{kind.__name__}")
    assert technical.technical == "GPIO17 cannot be claimed"
    told = kind(message("error.last_installer", name="ines"))
    assert told.message.said("zh") == "ines 是最后一个安装人员账号，请先新建一个。"
    assert str(told) == "ines is the last installer account. Create another one first."
    assert not told.technical


MET_BY_PEOPLE = {"PanelRefused", "EnrolmentRefused", "ConsentRefused", "FrameRefused", "ModelMissing"}
ON_PAGES = re.compile(r"panel/|web/|consent/|enrol/|camera/image|service/(\w+/)?(enrol_window|panel)")
AT_THE_COMMAND_LINE = {"enrol/encodings.py", "consent/receipt.py", "web/tls.py"}
"""Modules whose errors only somebody at a terminal meets, who reads technical English."""


def test_what_people_at_the_panel_meet_is_raised_as_a_message():
    bare = []
    for path, tree in sources():
        if path in AT_THE_COMMAND_LINE:
            continue
        for node in ast.walk(tree):
            if (
                not isinstance(node, ast.Raise)
                or not isinstance(node.exc, ast.Call)
                or not called(node.exc, *MET_BY_PEOPLE)
            ):
                continue
            is_met = called(node.exc, "PanelRefused") or ON_PAGES.match(path)
            first = node.exc.args[0] if node.exc.args else None
            if is_met and isinstance(first, ast.Constant | ast.JoinedStr | ast.BinOp):
                bare.append(f"{path}:{node.lineno}")
    assert not bare, "give a message(...), so that it can be told in every language"


def test_a_message_survives_the_journal():
    rule = message("rule.no_level", method=Message("value.method.card"), held="none")
    assert Message.decoded(rule.coded()) == rule
    assert rule.recorded("rule")["rule"] == "no level for this door by card (has: none)"
    assert Message.decoded({"id": "rule.of_another_version"}) is None
    assert Message.decoded({"id": "rule.no_level"}) is None, "its gaps cannot be filled"
    assert Message.decoded("text") is None


def test_every_text_survives_the_journal_whatever_its_gaps_are_called():
    lost = []
    for name in IDS:
        told = Message(name, {gap: f"the {gap}" for gap in gaps(name)})
        if Message.decoded(told.coded()) != told:
            lost.append(name)
    assert lost == []


def test_an_unknown_language_is_answered_in_the_first():
    assert say("panel.save", "xx") == say("panel.save")
    assert words.nearest("xx-XX,xx;q=0.9") == LANGUAGES[0]
    assert words.nearest("zh-Hans-CN") == "zh"


def test_sequences_are_joined_as_the_language_does():
    both = [Message("value.method.card"), "X"]
    assert say("photo.all_refused", "en", refused=both) == "card, X"
    assert say("photo.all_refused", "zh", refused=both) == "刷卡、X"


@pytest.mark.parametrize(("language", "locked"), [("en", "stays locked"), ("zh", "保持锁住")])
def test_a_lost_guard_is_told_with_what_the_wiring_makes_sure_of(language, locked):
    """At rest every wiring that is accepted is locked, a maglock's too: it keeps its power over NC."""
    told = say("tell.lock.guard_lost", language, door="front")

    assert locked in told
    assert locked in say("event.lock.guard_lost", language)
