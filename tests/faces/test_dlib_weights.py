"""dlib's file format, on small files made here and on the published one."""

from __future__ import annotations

import struct
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import InstallError
from edge.faces.dlib_graph import dlib_resnet
from edge.faces.dlib_weights import read_network


def integer(value: int) -> bytes:
    size = max((abs(value).bit_length() + 7) // 8, 1)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def tag(name: str) -> bytes:
    return integer(len(name)) + name.encode()


def tensor(*shape: int, value: float = 0.5) -> bytes:
    head = b"".join(integer(number) for number in (2, *shape))
    return head + struct.pack("<f", value) * prod(shape)


def alias(*shape: int) -> bytes:
    return b"".join(integer(number) for number in (1, *shape))


def convolution(out: int, into: int, side: int, stride: int, pad: int) -> bytes:
    numbers = (out, side, side, stride, stride, pad, pad)
    return (
        tag("con_4")
        + tensor(1, 1, 1, out * into * side * side + out)
        + b"".join(integer(number) for number in numbers)
        + alias(out, into, side, side)
        + alias(1, out, 1, 1)
    )


def affine(channels: int) -> bytes:
    return tag("affine_") + tensor(1, 1, 1, 2 * channels)


def whole_network(first: int = 32) -> bytes:
    """A file laid out like the published one, every weight 0.5."""
    real = integer(1) + integer(6)  # 1 * 2**6
    data = tag("input_rgb_image_sized") + real * 3 + integer(150) * 2
    data += convolution(first, 3, 7, 2, 0) + affine(first) + tag("relu_") + tag("max_pool_2")
    before = 32
    for channels, stride in [(32, 1)] * 3 + [(64, 2)] + [(64, 1)] * 3 + [(128, 2)] + [(128, 1)] * 2 + [
        (256, 2), (256, 1), (256, 1), (256, 2),
    ]:  # fmt: skip
        data += convolution(channels, before, 3, stride, 2 - stride) + affine(channels) + tag("relu_")
        data += convolution(channels, channels, 3, 1, 1) + affine(channels)
        data += (tag("avg_pool_2") if stride == 2 else b"") + tag("add_prev_") + tag("relu_")
        before = channels
    return data + tag("avg_pool_2") + tag("fc_2") + integer(128) + integer(256) + tensor(256, 128, 1, 1)


WHOLE = whole_network()


def test_a_file_of_the_right_layout_becomes_a_graph() -> None:
    network = read_network(WHOLE)
    assert network.mean == (64.0, 64.0, 64.0)
    assert [layer.filters.shape[0] for layer in network.convolutions[:2]] == [32, 32]
    assert network.dense.shape == (256, 128)
    assert dlib_resnet(WHOLE) == dlib_resnet(WHOLE)


def test_weight_bytes_that_look_like_a_tag_are_not_one() -> None:
    disguised = WHOLE.replace(struct.pack("<f", 0.5) * 3, tag("con_4") + b"\0" * 5, 1)
    assert len(disguised) == len(WHOLE)
    assert len(read_network(disguised).convolutions) == 29


def test_another_network_is_refused_with_what_was_found() -> None:
    with pytest.raises(InstallError, match="109 records"):
        read_network(convolution(2, 2, 1, 1, 0))


def test_a_layer_of_another_width_is_refused() -> None:
    with pytest.raises(InstallError, match=r"\(32, 3, 7, 2\) is expected"):
        dlib_resnet(whole_network(first=16))


def test_weights_that_are_not_finite_are_refused() -> None:
    poisoned = WHOLE.replace(struct.pack("<f", 0.5), struct.pack("<f", float("nan")), 1)
    with pytest.raises(InstallError, match="not finite"):
        read_network(poisoned)


@given(st.integers(0, len(WHOLE) - 1))
@settings(max_examples=60, deadline=None)
def test_a_file_cut_short_anywhere_is_refused(length: int) -> None:
    with pytest.raises(InstallError):
        read_network(WHOLE[:length])


@given(st.binary(max_size=200), st.sampled_from(["con_4", "affine_", "fc_2", "input_rgb_image_sized"]))
@settings(max_examples=200, deadline=None)
def test_hostile_bytes_behind_a_tag_are_refused(noise: bytes, name: str) -> None:
    with pytest.raises(InstallError):
        read_network(tag(name) + noise)
