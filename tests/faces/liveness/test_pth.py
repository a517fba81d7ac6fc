"""A checkpoint is a program; only a plain dictionary of tensors is understood, nothing is run."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ModelCorrupt
from edge.faces.liveness.pth import read_tensors
from tests.faces.liveness import checkpoints as old

WEIGHTS: dict[str, np.ndarray] = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "bn.count": np.array(9, np.int64),
    "empty": np.zeros((0, 4), np.float32),
}


def described(body: bytes) -> bytes:
    return old.checkpoint(WEIGHTS, body)


def one_tensor(**kwargs) -> bytes:
    """A file whose only tensor is described in some other way."""
    array = np.arange(6, dtype=np.float32)
    return old.checkpoint({"w": array}, b"}" + old.text("w") + old.tensor("1000", array, **kwargs) + b"s")


class TestPlainFiles:
    def test_every_tensor_comes_back_with_its_shape_type_and_values(self):
        tensors = read_tensors(old.checkpoint(WEIGHTS))

        assert list(tensors) == list(WEIGHTS)
        for name, array in WEIGHTS.items():
            assert tensors[name].dtype == array.dtype
            np.testing.assert_array_equal(tensors[name], array)

    def test_arrays_are_their_own_and_may_be_written_to(self):
        tensors = read_tensors(old.checkpoint(WEIGHTS))

        tensors["conv.weight"] += 1
        np.testing.assert_array_equal(
            read_tensors(old.checkpoint(WEIGHTS))["conv.weight"], WEIGHTS["conv.weight"]
        )

    def test_a_slice_of_a_storage_is_read_at_its_offset(self):
        np.testing.assert_array_equal(read_tensors(one_tensor(shape=(2,), offset=3))["w"], [3, 4])


class TestHostileFiles:
    @pytest.mark.parametrize("function", [os.system, subprocess.check_output, eval])
    def test_a_call_is_refused_and_never_made(self, function, tmp_path):
        class Bomb:
            def __reduce__(self):
                return function, (f"touch {tmp_path / 'owned'}",)

        bomb = pickle.dumps(Bomb(), protocol=2)
        for content in (bomb, old.HEADER + bomb, old.checkpoint(WEIGHTS, bomb[2:-1])):
            with pytest.raises(ModelCorrupt):
                read_tensors(content)
        assert list(tmp_path.iterdir()) == []

    def test_a_text_with_an_odd_escape_is_refused_without_a_warning(self):
        text = b"S'\\q'\n."
        with pytest.raises(ModelCorrupt, match="STRING"):
            read_tensors(old.checkpoint(WEIGHTS, text))

    @pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
    def test_no_protocol_of_pickle_gets_a_foreign_name_through(self, protocol):
        with pytest.raises(ModelCorrupt):
            read_tensors(old.HEADER + pickle.dumps({"w": os.getcwd}, protocol=protocol))

    def test_a_class_beside_torch_is_refused_by_name(self):
        body = b"}" + old.text("w") + old.name("torch.hub", "load") + b")Rs"

        with pytest.raises(ModelCorrupt, match=r"torch\.hub load"):
            read_tensors(described(body))

    def test_an_unknown_kind_of_storage_is_refused(self):
        with pytest.raises(ModelCorrupt, match="QuantizedStorage"):
            read_tensors(one_tensor(kind=old.name("torch", "QuantizedStorage")))

    def test_attributes_set_on_anything_but_a_dictionary_are_refused(self):
        body = b"}" + old.text("w") + old.name("torch", "FloatStorage") + b"}bs"

        with pytest.raises(ModelCorrupt):
            read_tensors(described(body))

    @pytest.mark.parametrize(
        "kwargs",
        [
            {"shape": (7,)},
            {"shape": (2,), "offset": 5},
            {"shape": (3, 2), "stride": (1, 3)},
            {"shape": (-1,)},
            {"shape": (2**31 - 1,)},
            {"offset": -1},
            {"length": 7},
            {"length": 2**31 - 1},
            {"shape": (1,) * 9},
        ],
        ids=str,
    )
    def test_a_tensor_that_does_not_lie_plainly_within_its_storage_is_refused(self, kwargs):
        with pytest.raises(ModelCorrupt):
            read_tensors(one_tensor(**kwargs))

    def test_a_file_that_is_cut_or_goes_on_is_refused(self):
        whole = old.checkpoint(WEIGHTS)
        for length in range(0, len(whole), 7):
            with pytest.raises(ModelCorrupt):
                read_tensors(whole[:length])
        with pytest.raises(ModelCorrupt, match="goes on"):
            read_tensors(whole + b"\0")

    def test_a_description_without_end_is_refused(self):
        with pytest.raises(ModelCorrupt, match="steps"):
            read_tensors(old.HEADER + old.pickled(b"N" * 200_000))

    def test_a_dictionary_that_holds_itself_is_refused(self):
        body = b"}q\x00" + old.text("w") + b"h\x00s"

        with pytest.raises(ModelCorrupt, match="not a tensor"):
            read_tensors(described(body))

    def test_storages_of_another_name_are_refused(self):
        whole = old.checkpoint({"w": np.zeros(3, np.float32)})

        with pytest.raises(ModelCorrupt, match="list of storages"):
            read_tensors(whole.replace(b"](" + old.text("1000"), b"](" + old.text("1001")))

    def test_the_zip_format_is_refused_in_words(self):
        with pytest.raises(ModelCorrupt):
            read_tensors(b"PK\x03\x04" + bytes(100))

    @settings(max_examples=200, deadline=None)
    @given(st.data())
    def test_a_damaged_file_never_raises_anything_else(self, data):
        content = bytearray(old.checkpoint(WEIGHTS))
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        try:
            tensors = read_tensors(bytes(content))
        except ModelCorrupt:
            return
        assert all(isinstance(value, np.ndarray) for value in tensors.values())

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=400))
    def test_noise_never_raises_anything_else(self, noise):
        for content in (noise, old.HEADER + noise, described(noise)):
            with pytest.raises(ModelCorrupt):
                read_tensors(content)

    def test_a_length_that_does_not_fit_the_data_is_refused(self):
        whole = old.checkpoint({"w": np.zeros(3, np.float32)})

        with pytest.raises(ModelCorrupt, match="cut short"):
            read_tensors(whole[:-20] + struct.pack("<q", 4) + whole[-12:])
