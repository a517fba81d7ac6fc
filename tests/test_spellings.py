"""Numbers that read alike: whom a list means by 3栋1203 where somebody is kept as 3-1203."""

from __future__ import annotations

import pytest

from edge.spellings import reads_like, spellings

ALIKE = ["3栋1203", "３幢１２０３室", "三棟一二零三室", "3号楼1203", "03-1203", "3#1203", "第3栋1203号"]


@pytest.mark.parametrize("typed", ALIKE)
def test_the_same_number_and_name_is_who_is_there(typed):
    whom = spellings({typed: "李伟"}, {"3-1203": "李伟", "3-1204": "李伟"})
    assert (whom.kept, whom.alike) == ({typed: "3-1203"}, {})
    assert reads_like(typed, ["3-1204", "3-1203"]) == "3-1203"


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        ({"3栋1203": "王芳"}, {"3-1203": "李伟"}),  # the next tenant, perhaps
        ({"3栋1203": "3栋1203"}, {"3-1203": "3-1203"}),  # nobody's name was written down
        ({"3栋1203": "李伟"}, {"3-1203": "李伟", "3#1203": "李伟"}),  # which of the two?
        ({"3栋1203": "李伟", "3-1203": "李伟"}, {"3-1203": "李伟"}),  # both are in the list
        ({"00123": "Li"}, {"123": "Li"}),  # numbers of two employees
    ],
)
def test_whoever_may_be_somebody_else_stays_so_and_is_told(listed, there):
    whom = spellings(listed, there)
    new = next(one for one in listed if one not in there)
    assert not whom.kept
    assert whom.alike == {new: next(iter(there))}


def test_of_two_lines_one_is_who_is_there_and_the_other_is_told():
    whom = spellings({"3栋1203": "Li", "3幢1203": "Li", "5栋1": "Wu", "5-1": "Wu"}, {"3-1203": "Li"})
    assert whom.kept == {"3栋1203": "3-1203"}
    assert whom.alike == {"3幢1203": "3-1203", "5-1": "5栋1"}


def test_an_id_of_an_earlier_version_is_taken_once():
    whom = spellings({"3-1203": "Li", "3栋1203": "Li"}, {"3–1203": "Li"})
    assert whom.kept == {"3-1203": "3–1203"}
    assert whom.alike == {"3栋1203": "3–1203"}


def test_other_numbers_are_nobody_s():
    there = {"3-1203": "Li", "3-2-1203": "Li", "anna": "Anna"}
    whom = spellings({"13-1203": "Li", "31-203": "Li", "3栋1单元1203": "Li", "anna 2": "Anna"}, there)
    assert not whom.kept
    assert not whom.alike
    assert reads_like("3-1204", there) is None
