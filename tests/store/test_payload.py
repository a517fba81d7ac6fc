"""What an event may carry."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import EventRefused
from edge.store.payload import MAX_NUMBERS, canonical, checked_data

EMBEDDING = np.full(128, 0.0883883, dtype=np.float32)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "value",
    [
        EMBEDDING,
        EMBEDDING.tolist(),
        tuple(EMBEDDING.tolist()),
        list(EMBEDDING),
        [EMBEDDING.tolist()[:64], EMBEDDING.tolist()[64:]],
        {str(i): float(x) for i, x in enumerate(EMBEDDING)},
        EMBEDDING.tobytes(),
        bytearray(8),
        base64.b64encode(EMBEDDING.tobytes()).decode(),
        EMBEDDING.tobytes().hex(),
        np.zeros((4, 4, 3), dtype=np.uint8),
        object(),
        {1, 2},
    ],
    ids=lambda value: type(value).__name__,
)
def test_embeddings_pictures_and_strange_objects_are_refused(value):
    """In whatever wrapping: array, list, nested, dict, bytes, base64, hex."""
    with pytest.raises(EventRefused):
        checked_data({"v": value})
    with pytest.raises(EventRefused):
        checked_data({"deeper": {"down": [value]}})


def test_an_embedding_as_a_key_is_refused():
    """Keys are looked at too."""
    with pytest.raises(EventRefused):
        checked_data({base64.b64encode(EMBEDDING.tobytes()).decode(): 1})
    with pytest.raises(EventRefused):
        checked_data({1: 1})


def test_numpy_scalars_and_missing_numbers_become_plain_json():
    """A similarity fresh from numpy is welcome; NaN and infinity become null."""
    data = checked_data(
        {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": float("-inf"), "e": (1, None)}
    )
    assert json.loads(canonical(data)) == {"a": 0.5, "b": 3, "c": True, "d": None, "e": [1, None]}


def test_as_many_numbers_as_a_decision_needs_are_allowed():
    """The limit lies between what decisions carry and what an embedding needs."""
    assert len(checked_data({str(i): i for i in range(MAX_NUMBERS)})) == MAX_NUMBERS


def test_text_without_a_utf8_form_stays_readable():
    """A file name that could not be decoded does not cost the event."""
    assert checked_data({"file": "a\udcff.mp4"}) == {"file": "a\\udcff.mp4"}


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_canonical_text_is_stable(data):
    """Reading canonical text and writing it again gives the same bytes, whatever the order."""
    text = canonical(checked_data(data))
    assert canonical(json.loads(text)) == text
    assert canonical(checked_data(dict(reversed(data.items())))) == text
