"""Spreadsheets of the kind properties have, and of the kind attackers make."""

import csv
import io
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import PanelRefused, SyncError
from edge.wire.records import parse_record
from facegate_hub.list_encoding import ListEncoding, encoding_of
from facegate_hub.reading import StoredEvent
from facegate_hub.sheets import COLUMNS, read_people, words_beyond_ascii, write_events, write_people
from tests.workbook.books import book_of

NOTE = '{"v":1}'
SHANGHAI = ZoneInfo("Asia/Shanghai")


def event(**changes):
    fields = {
        "device": "front",
        "stream": "s",
        "seq": 1,
        "at": "2026-03-01T08:00:00Z",
        "kind": "access.granted",
        "resident": "anna",
        "reason": None,
        "body": NOTE,
    }
    return StoredEvent(**{**fields, **changes})


def people_of(data, encoding=None, zone=None):
    return read_people(data, encoding, zone).records


def refusal(data, encoding=None):
    with pytest.raises((SyncError, PanelRefused)) as caught:
        people_of(data, encoding)
    return str(caught.value)


def test_people_are_read_with_every_field():
    text = "id,name,access_levels,extended_unlock\na1,Anna 安娜,resident gym,yes\nb2,Bob,,\n"
    assert people_of(text.encode()) == [
        {"id": "a1", "name": "Anna 安娜", "access_levels": ["resident", "gym"], "extended_unlock": True},
        {"id": "b2", "name": "Bob"},
    ]


@pytest.mark.parametrize(
    "data",
    [
        "\ufeffid,name\r\na1,安娜\r\n".encode(),
        "id;name\na1;安娜\n".encode(),
        "id\tname\na1\t安娜".encode(),
        'name,"id"\n"安娜","a1"\n,\n\n'.encode(),
        " id , name ,valid_until\n a1 , 安娜\n".encode(),
    ],
    ids=["excel utf-8", "european excel", "tabs", "quoted, empty lines", "blanks, short line"],
)
def test_what_spreadsheets_write_is_understood(data):
    assert people_of(data) == [{"id": "a1", "name": "安娜"}]


def test_a_list_of_excel_in_china_is_read_as_a_guess():
    data = "id,name\na1,Bob\na2,安娜\n".encode("gb18030")
    assert encoding_of(data) == ListEncoding("GB18030", is_guess=True)
    assert people_of(data) == [{"id": "a1", "name": "Bob"}, {"id": "a2", "name": "安娜"}]
    assert people_of(data, "gb18030") == people_of(data)
    assert "line 3: not utf-8" in refusal(data, "utf-8")


def test_what_is_certain_is_no_guess():
    for data, name in (
        ("id,name\na1,安娜\n".encode(), "UTF-8"),
        ("\ufeffid,name\na1,安娜\n".encode(), "UTF-8"),
        (b"id,name\na1,Bob\n", "UTF-8"),
        ("编号,姓名\na1,安娜\n".encode("gb18030"), "GB18030"),
        (book_of(["id", "name"], ["a1", "安娜"]), ""),
    ):
        assert encoding_of(data) == ListEncoding(name)


@pytest.mark.parametrize(
    "names",
    [
        ["李伟", "王芳", "欧阳婷婷"],
        ["诸葛喆"],
        ["Anna", "Bob", "阿依古丽·买买提"],
        ["3栋A座 物业（夜班）"],
        ["陈婷", "刘䶮", "夏侯惇", "司马懿"],
    ],
)
def test_lists_of_chinese_names_are_plausible(names):
    data = ("id,name\n" + "".join(f"p{n},{name}\n" for n, name in enumerate(names))).encode("gb18030")
    assert encoding_of(data) == ListEncoding("GB18030", is_guess=True)
    assert [one["name"] for one in people_of(data)] == names
    assert words_beyond_ascii(people_of(data), 10) == [name for name in names if not name.isascii()]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("latin-1", ["Müller", "Björn", "Käthe", "François", "Peña", "Zoë", "Søren", "Åsa"]),
        ("latin-1", ["Müller"]),
        ("cp1250", ["Łukasz", "Dvořák", "Žofie", "Čapek"]),
        ("cp1251", ["Анна Иванова", "Сергей Петров", "Ольга"]),
        ("koi8-r", ["Анна Иванова", "Сергей Петров", "Ольга"]),
        ("cp1254", ["Şükrü", "İbrahim", "Çağlar"]),
        ("big5", ["陳美玲", "林志明", "黃淑芬", "張家豪", "李雅婷"]),
        ("shift-jis", ["田中太郎", "鈴木一郎", "佐藤花子"]),
    ],
)
def test_other_encodings_are_refused_with_the_way_out(encoding, names):
    data = ("id,name\n" + "".join(f"p{n},{name}\n" for n, name in enumerate(names))).encode(encoding)
    for count in range(1, len(names) + 1):
        part = b"\n".join(data.split(b"\n")[: 1 + count]) + b"\n"
        assert "--encoding gb18030" in refusal(part, None)


def test_a_list_put_together_of_two_encodings_names_the_line():
    for first, then, line in (("utf-8", "gb18030", 2), ("gb18030", "utf-8", 3)):
        data = b"id,name\n" + "a1,李伟\n".encode(first) + "a2,王芳\n".encode(then)
        assert f"line {line} is UTF-8 and others are not" in refusal(data, None)


def test_a_header_in_chinese_says_that_a_file_is_gb18030():
    people = [{"id": "3-1203", "name": "喆安"}]
    for text in (
        "编号,姓名\r\n3-1203,喆安\r\n",
        '"编号";"姓名"\n3-1203;喆安\n',
        "sep=;\r\n编号;姓名\r\n3-1203;喆安\r\n",
    ):
        assert people_of(text.encode("gb18030")) == people
        assert people_of(text.encode()) == people
    assert "not utf-8" in refusal("id,naïve\na1,Müller\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The file is empty"),
        ("a1,Anna\n", "lacks id, name"),
        ("id,name,password\na,A,x\n", "column “password” is unknown"),
        ("id,name,name\na,A,B\n", "Two columns are the same"),
        ("id,name\na,A\na,B\n", "line 3: a is on line 2 already"),
        ("id,name\na,A,B\n", "line 2: “B” stands in no named column"),
        ("id,name\n,A\n", "line 2: "),
        ("id,name,extended_unlock\na,A,maybe\n", "line 2: “maybe” must be yes or no"),
        ("id,name\na,A\x00\n", "line 2: "),
        ("id,name\na," + "A" * 200_000 + "\n", "Line 2 is no CSV"),
        ('id,name\na,"A\nb,B\n', "Line 2 is no CSV: a quotation mark"),
        ('id,name\n"two\nlines",A\nb,\n', "line 2: "),
    ],
)
def test_mistakes_are_named_with_their_line(text, said):
    assert said in refusal(text.encode())


def test_every_bad_line_is_named_up_to_ten():
    text = "id,name,valid_until\n" + "".join(f"p{n},P,soon\n" for n in range(14)) + "ok,O,\n"
    said = refusal(text.encode())
    assert said.count("valid_until") == 10
    assert said.endswith("and 4 more")


def test_a_line_number_counts_lines_inside_quotes():
    assert "line 4: " in refusal(b'id,name,valid_until\n"a",A,"2026-01-01T00:00:00\n+00:00"\nb,B,soon\n')


@pytest.mark.parametrize("data", [b"id,name\na,\x81\x82\n", b"\xff"])
def test_other_encodings_are_refused_in_words(data):
    assert "CSV UTF-8" in refusal(data)
    assert "there is no such encoding" in refusal(b"id,name\n", "klingon")


def test_a_workbook_is_read_as_its_list_in_csv_would_be():
    """Below its title, with the property's own headings, and a day as a spreadsheet keeps it."""
    data = book_of(
        ["住户名单"],
        [],
        ["编号", "姓名", "权限", "失效日期"],
        [1203, "李伟", "resident gym", date(2027, 3, 31)],
    )
    csv_text = "编号,姓名,权限,失效日期\n1203,李伟,resident gym,2027-03-31\n"
    assert people_of(data, zone=SHANGHAI) == people_of(csv_text.encode(), zone=SHANGHAI)


def test_a_number_that_a_spreadsheet_took_for_a_day_is_named_with_its_line():
    data = book_of(["id", "name"], ["a", "Anna"], [date(2026, 3, 12), "Otto"], ["a", "Again"])
    assert "line 3: The spreadsheet took a cell for a day" in refusal(data)
    assert "line 4: a is on line 2 already" in refusal(data)


@pytest.mark.parametrize("data", [b"PK\x03\x04 torn", b"\xd0\xcf\x11\xe0 old", book_of(["residents of 3"])])
def test_what_is_no_list_of_people_is_refused_in_the_reader_s_words(data):
    with pytest.raises((PanelRefused, SyncError)) as caught:
        people_of(data)
    assert caught.value.message.said("zh")


def test_what_was_read_is_written_so_that_it_reads_the_same():
    """The page that shows what a list would change sends this back."""
    text = (
        "id,name,access_levels,valid_from,valid_until,extended_unlock,consent_id\n"
        'a,"A, ""B""",resident gym,2026-01-01,2027-03-31T18:00,yes,c-1\nb,B,,,,no,\nc,C,,,,,\n'
    )
    for before in (text, "id,name,valid_until\na,A,2027-03-31\n", "id,name\na,A\n"):
        read = read_people(before.encode(), zone=SHANGHAI)
        again = read_people(write_people(read).encode(), zone=SHANGHAI)
        assert (again.records, again.silent) == (read.records, read.silent)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"id,name\n{text}".encode()))
def test_whatever_the_file_it_is_read_or_refused(data):
    """Nothing but a refusal, and what is read is fit for the roster."""
    try:
        people = people_of(data)
    except (SyncError, PanelRefused):
        return
    for record in people:
        parse_record(record)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")'])
def test_no_exported_cell_is_a_formula(cell):
    """A resident's id, or whatever a stolen door claims, is opened by staff in a spreadsheet."""
    out = io.StringIO()
    assert write_events([event(resident=cell, kind=cell, at=cell, reason=cell)], out) == 1
    _, row = csv.reader(io.StringIO(out.getvalue()))
    assert [row[COLUMNS.index(name)] for name in ("resident", "kind", "at", "reason")] == [f"'{cell}"] * 4


def test_harmless_cells_are_exported_as_they_are():
    out = io.StringIO()
    write_events([event(resident='Anna, "安娜"\n2')], out)
    assert next(iter(csv.DictReader(io.StringIO(out.getvalue())))) == {
        "device": "front",
        "seq": "1",
        "at": "2026-03-01T08:00:00Z",
        "kind": "access.granted",
        "resident": 'Anna, "安娜"\n2',
        "reason": "",
    }


def test_what_excel_makes_of_a_list_is_read():
    header = "\ufeffsep=;\r\nID;Name;Access Levels;Valid From;VALID_UNTIL\r\n"
    text = header + "3栋1203;李\u3000伟\u200d;resident，cleaner;2027/3/1;2027-03-31\r\n"
    assert people_of(text.encode(), zone=SHANGHAI) == [
        {
            "id": "3栋1203",
            "name": "李 伟",
            "access_levels": ["resident", "cleaner"],
            "valid_from": "2027-03-01T00:00:00+08:00",
            "valid_until": "2027-04-01T00:00:00+08:00",
        }
    ]


@pytest.mark.parametrize("time", ["2027-03-31", "2027/3/31", "2027-03-31T18:00", "2027-03-31 18:00:00"])
def test_a_time_without_a_zone_is_nobody_s_guess(time):
    with pytest.raises(SyncError, match=r"line 2: valid_until .* has no time zone; give --timezone"):
        people_of(f"id,name,valid_until\na,A,{time}\n".encode())
    assert people_of(f"id,name,valid_until\na,A,{time}\n".encode(), zone=SHANGHAI)


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("2027/3/31 9:05", "2027-03-31T09:05:00+08:00"),
        ("2027-03-31 18:00:30", "2027-03-31T18:00:30+08:00"),
        ("2027年3月31日", "2027-04-01T00:00:00+08:00"),
        ("2027年3月31日 18:00", "2027-03-31T18:00:00+08:00"),
        ("2027-03-31T18:00Z", "2027-03-31T18:00Z"),
        ("20270331", "2027-04-01T00:00:00+08:00"),
        ("2027-W13-3", "2027-04-01T00:00:00+08:00"),
        ("2027年3月31日 24:00", "2027-04-01T00:00:00+08:00"),
        ("2027/3/31 0:00", "2027-04-01T00:00:00+08:00"),
        ("2027-03-31 00:00:00", "2027-04-01T00:00:00+08:00"),
        ("2027-03-31T00:00", "2027-03-31T00:00:00+08:00"),
        ("9999/12/31", "9999-12-31T00:00:00+08:00"),
        ("2027-3-31 18：00", "2027-03-31T18:00:00+08:00"),
        ("2027/3/31 下午 6:00", "2027-03-31T18:00:00+08:00"),
        ("2027年3月31日 上午9:05", "2027-03-31T09:05:00+08:00"),
        ("2027/3/31 12:30:00 PM", "2027-03-31T12:30:00+08:00"),
        ("2027/3/31 12:30 am", "2027-03-31T00:30:00+08:00"),
    ],
)
def test_times_of_spreadsheets_are_the_site_s(time, at):
    (person,) = people_of(f"id,name,valid_until\na,A,{time}\n".encode(), zone=SHANGHAI)
    assert person["valid_until"] == at


def test_columns_without_anything_at_the_end_are_nobody_s():
    (person,) = people_of("ID , Name,,\r\n3-1203,李伟,,\r\n,,,\r\n".encode())
    assert person == {"id": "3-1203", "name": "李伟"}
    with pytest.raises(SyncError, match="line 2"):
        people_of(b"id,name,\n1,A,what is this\n")


@pytest.mark.parametrize(
    "time", ["31/03/2027", "2027-13-01", "soon", "2027-03-31 24:01", "20271301", "2027/3/31 18:00 PM"]
)
def test_what_is_no_time_is_refused_by_its_line(time):
    with pytest.raises(SyncError, match="line 2: valid_until"):
        people_of(f"id,name,valid_until\na,A,{time}\n".encode(), zone=SHANGHAI)


@pytest.mark.parametrize(
    "times", ["2027-03-31,2027-03-01", "2027-03-31T08:00,2027-03-31T08:00", "2027/3/31 18:00,2027/3/31 9:00"]
)
def test_who_would_be_let_in_at_no_time_is_refused_by_their_line(times):
    text = f"id,name,valid_from,valid_until\n1,A,2027-03-01,2027-03-01\n2,B,{times}\n"
    with pytest.raises(SyncError, match=r"line 3: .*end.*after.*beginning"):
        people_of(text.encode(), zone=SHANGHAI)


def test_columns_may_have_chinese_names():
    data = "住户编号,姓名,权限组,有效期至,延长开门\n1203,王芳,住户,2027-03-31,是\n".encode()
    (person,) = people_of(data, zone=ZoneInfo("Asia/Shanghai"))
    assert (person["id"], person["name"], person["access_levels"]) == ("1203", "王芳", ["住户"])
    assert (person["valid_until"], person["extended_unlock"]) == ("2027-04-01T00:00:00+08:00", True)
    with pytest.raises(SyncError, match="Two columns are the same"):
        people_of("编号,房号,姓名\n1,2,x\n".encode())


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("1.38E+10", "15 digits"),
        ("#N/A", "shows an error"),
        ("#####", "shows an error"),
        ("3月2日", "took a cell for a day"),
        ("2-Mar", "took a cell for a day"),
        ("Mar-02", "took a cell for a day"),
        ("=A1&A2", "formula"),
    ],
)
def test_what_a_spreadsheet_wrote_in_place_of_a_number_is_nobody_s_number(cell, said):
    assert said in refusal(f"id,name\n{cell},A\n".encode())
    assert said in refusal(f"id,name\na,{cell}\n".encode())


@pytest.mark.parametrize("cell", ['="0101"', '= "0101"', "'0101", '"=""0101"""', "\t0101"])
def test_the_sign_that_keeps_a_number_a_text_is_no_part_of_it(cell):
    assert people_of(f"id,name\n{cell},A\n".encode()) == [{"id": "0101", "name": "A"}]


def test_a_name_may_begin_with_a_quote():
    assert people_of(b"id,name\n3E12,'s Gravenhage\n") == [{"id": "3E12", "name": "'s Gravenhage"}]


def list_of(names):
    return ("id,name\n" + "".join(f"{n},{name}\n" for n, name in enumerate(names))).encode()


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        (["李伟", "王芳", "Anna"], "gb18030"),
        (["Jörg Müller", "Zoë", "Anna"], "cp1252"),
        (["张三丰", "Anna"], "gb18030"),  # an odd number of bytes: the last sign is lost
    ],
)
def test_names_that_a_program_spoiled_are_nobody_s(names, encoding):
    """A list without a byte order mark, opened in the wrong encoding and saved again."""
    with pytest.raises(PanelRefused, match="spoiled"):
        people_of(list_of(name.encode().decode(encoding, "replace") for name in names))


@pytest.mark.parametrize(
    "names",
    [
        ["郑隆", "郑楼", "联通"],  # UTF-8 by chance as GB18030 writes them, but of no Chinese text
        ["臧查康", "李伟"],  # Chinese text by chance: one alone is believed
        ["José", "JOÃO", "Łukasz", "Øß", "김철수", "山田", "Иван", "阿卜杜拉·买买提", "王㛃", "𠮷野"],
    ],
)
def test_names_that_only_look_like_it_are_read(names):
    assert [one["name"] for one in people_of(list_of(names))] == names


@pytest.mark.parametrize("time", ["中華民國115年3月31日", "民国115/3/31", "民國 115.03.31"])
def test_years_of_the_republic_are_read_where_they_are_named_as_such(time):
    (person,) = people_of(f"id,name,valid_until\na,A,{time}\n".encode(), zone=SHANGHAI)
    assert person["valid_until"] == "2026-04-01T00:00:00+08:00"


def test_a_year_without_its_century_is_refused_with_what_to_write():
    with pytest.raises(SyncError, match=r"27/3/31 does not say which year it is"):
        people_of(b"id,name,valid_until\na,A,27/3/31\n", zone=SHANGHAI)


def test_none_is_no_empty_list_of_levels():
    (none, empty) = people_of(b"id,name,access_levels\na,A,none\nb,B,-\n")
    assert none["access_levels"] == ["none"]
    (signs,) = people_of("id,name,access_levels\nc,C,、\n".encode())
    assert "access_levels" not in signs, "as the console loads what it has shown, and as a form"
    assert "access_levels" not in empty
