"""Reading galleries made elsewhere: every kind of file, and everything that is not one."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.enrol.encodings import read_encodings
from edge.errors import EnrolmentRefused

RANDOM = np.random.default_rng(7)


def encoding(length: float = 1.4) -> np.ndarray:
    vector = RANDOM.normal(size=128)
    return vector / np.linalg.norm(vector) * length


ALICE, BOB = encoding(), encoding(1.5)


def saved(folder: Path, kind: str) -> Path:
    path = folder / f"gallery.{kind}"
    if kind == "json":
        path.write_text(json.dumps({"Alice": ALICE.tolist(), "Bob": BOB.tolist()}))
    elif kind == "npz":
        np.savez(path, names=np.array(["Alice", "Bob"]), encodings=np.array([ALICE, BOB]))
    else:
        np.save(path, np.array([ALICE, BOB]))
        path.with_suffix(".txt").write_text("Alice\nBob\n")
    return path


def test_the_centre_is_subtracted_from_the_unit_encoding_as_the_embedder_does(tmp_path: Path) -> None:
    centre = np.full(128, 0.05)
    (_, alice), _ = read_encodings(saved(tmp_path, "npz"), tuple(centre))
    wanted = ALICE / np.linalg.norm(ALICE) - centre
    assert alice == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-6)


@pytest.mark.parametrize("kind", ["json", "npz", "npy"])
def test_names_and_unit_embeddings_come_back_in_order(tmp_path: Path, kind: str) -> None:
    (first, alice), (second, bob) = read_encodings(saved(tmp_path, kind))
    assert (first, second) == ("Alice", "Bob")
    assert alice.dtype == np.float32
    assert alice @ ALICE / 1.4 == pytest.approx(1, abs=1e-6)
    assert np.linalg.norm(bob) == pytest.approx(1, abs=1e-6)


def test_one_person_may_have_several_encodings(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    path.write_text(json.dumps({"Alice": [ALICE.tolist(), near(ALICE).tolist()]}))
    assert [name for name, _ in read_encodings(path)] == ["Alice", "Alice"]


def test_two_lists_side_by_side_are_read(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    path.write_text(json.dumps({"names": ["Alice", "Bob"], "encodings": [ALICE.tolist(), BOB.tolist()]}))
    assert [name for name, _ in read_encodings(path)] == ["Alice", "Bob"]


def test_a_structured_array_carries_its_own_names(tmp_path: Path) -> None:
    kind = np.dtype([("name", "U16"), ("encoding", "f8", 128)])
    np.save(tmp_path / "g.npy", np.array([("Alice", ALICE)], dtype=kind))
    assert read_encodings(tmp_path / "g.npy")[0][0] == "Alice"


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("name", ["g.npy", "g.npz", "g.pkl", "g.dat"])
def test_nothing_is_unpickled(tmp_path: Path, name: str) -> None:
    mark, path = tmp_path / "mark", tmp_path / name
    trap = np.array([Trap(mark)], dtype=object)
    if name.endswith("npy"):
        np.save(path, trap, allow_pickle=True)
    elif name.endswith("npz"):
        np.savez(path, names=trap, encodings=np.array([ALICE]))
    else:
        path.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(EnrolmentRefused, match="they run code"):
        read_encodings(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0] * 127, r"shape \(127,\)"),
        ([0.0] * 128, "length is 0"),
        ([float("nan")] * 128, "length is nan"),
        ([1e200] * 128, "length is inf"),
        (["x"] * 128, "not numbers"),
        (None, "shape|not numbers"),
    ],
)
def test_what_is_no_encoding_is_refused_by_name(tmp_path: Path, value, message: str) -> None:
    path = tmp_path / "g.json"
    path.write_text(json.dumps({"Alice": value}))
    with pytest.raises(EnrolmentRefused, match=message) as caught:
        read_encodings(path)
    assert "Alice" in str(caught.value)


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "\x1b[31mred"])
def test_a_name_that_cannot_be_printed_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "g.json"
    path.write_text(json.dumps({name: ALICE.tolist()}))
    with pytest.raises(EnrolmentRefused, match="printable"):
        read_encodings(path)


def test_more_names_than_encodings_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "g.npz", names=np.array(["Alice", "Bob"]), encodings=np.array([ALICE]))
    with pytest.raises(EnrolmentRefused, match="cannot be read"):
        read_encodings(tmp_path / "g.npz")


def test_an_array_without_names_says_where_to_put_them(tmp_path: Path) -> None:
    np.save(tmp_path / "g.npy", np.array([ALICE]))
    with pytest.raises(EnrolmentRefused, match=r"g\.txt"):
        read_encodings(tmp_path / "g.npy")


def test_a_header_that_claims_more_than_is_there_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    stream = io.BytesIO()
    header = {"shape": (10**12, 128), "fortran_order": False, "descr": "<f8"}
    np.lib.format.write_array_header_1_0(stream, header)
    (tmp_path / "g.npy").write_bytes(stream.getvalue())
    (tmp_path / "g.txt").write_text("Alice\n")
    with pytest.raises(EnrolmentRefused, match="claims an array"):
        read_encodings(tmp_path / "g.npy")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "g.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("names.npy", b"\0" * (65 << 20))
    with pytest.raises(EnrolmentRefused, match="unpacks to more"):
        read_encodings(tmp_path / "g.npz")


@given(noise=st.binary(max_size=400), kind=st.sampled_from(["json", "npz", "npy"]))
@settings(max_examples=150, deadline=None)
def test_noise_is_refused(tmp_path_factory: pytest.TempPathFactory, noise: bytes, kind: str) -> None:
    path = tmp_path_factory.mktemp("noise") / f"g.{kind}"
    path.write_bytes(noise)
    with pytest.raises(EnrolmentRefused):
        read_encodings(path)


@given(at=st.integers(0, 2000), value=st.integers(0, 255), kind=st.sampled_from(["json", "npz", "npy"]))
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_read_or_refused_but_never_gives_a_bad_embedding(
    tmp_path_factory: pytest.TempPathFactory, at: int, value: int, kind: str
) -> None:
    path = saved(tmp_path_factory.mktemp("damaged"), kind)
    data = bytearray(path.read_bytes())
    data[at % len(data)] = value
    path.write_bytes(data)
    try:
        pairs = read_encodings(path)
    except EnrolmentRefused:
        return
    assert all(abs(np.linalg.norm(vector) - 1) < 1e-5 for _, vector in pairs)


def near(one: np.ndarray) -> np.ndarray:
    """Another picture of the same person, as far away as dlib's usually are."""
    return one + RANDOM.normal(size=128) * 0.02


def test_two_people_of_one_name_are_not_made_one(tmp_path: Path) -> None:
    path = tmp_path / "gallery.json"
    path.write_text(json.dumps({"王伟": [one.tolist() for one in (ALICE, near(ALICE), BOB)]}))
    with pytest.raises(EnrolmentRefused, match=r"王伟.*two people of one name"):
        read_encodings(path)


def test_a_name_that_stands_twice_loses_nobody(tmp_path: Path) -> None:
    path = tmp_path / "gallery.json"
    path.write_text(f'{{"Alice": {ALICE.tolist()}, "Alice": {BOB.tolist()}}}')
    with pytest.raises(EnrolmentRefused, match="'Alice' stands there twice"):
        read_encodings(path)


@pytest.mark.parametrize("encoding", ["utf-16", "gbk"])
def test_another_encoding_of_text_is_refused_with_the_way_out(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "people.json"
    path.write_bytes('{"王五": [0.1]}'.encode(encoding))
    with pytest.raises(EnrolmentRefused, match="save it as UTF-8"):
        read_encodings(path)
