"""What an event may carry."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.store.payload import MAX_BYTES, MAX_NUMBERS, MAX_TEXT, canonical, fitted_data

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
def test_embeddings_pictures_and_strange_objects_are_left_out(value):
    """In whatever wrapping: array, list, nested, dict, bytes, base64, hex. The event itself is kept."""
    for data in ({"v": value, "method": "face"}, {"v": {"down": [value]}, "method": "face"}):
        fitted = fitted_data(data)
        text = canonical(fitted)
        assert fitted["method"] == "face"
        assert fitted["cut"] == ["v"]
        assert len(text) < 400
        assert "0.0883883" not in text


def test_an_embedding_as_a_key_or_spread_over_keys_is_left_out():
    """Keys are looked at too."""
    encoded = base64.b64encode(EMBEDDING.tobytes()).decode()
    assert encoded[:60] not in canonical(fitted_data({encoded: 1}))
    spread = {f"n{i}": float(x) for i, x in enumerate(EMBEDDING)}
    fitted = fitted_data({"method": "face", **spread})
    assert fitted["method"] == "face"
    assert "0.0883883" not in canonical(fitted)


def test_a_long_text_is_cut_and_the_event_says_so():
    """The rules of a resident who holds twelve levels; a path to a model."""
    rule = "; ".join(f"level garage-building-{n:02d}-north-side, schedule day" for n in range(20))
    fitted = fitted_data({"rule": rule, "model": "/opt/" + "models/" * 100 + "face.onnx", "method": "pin"})
    assert fitted["rule"].startswith("level garage-building-00")
    assert len(fitted["rule"]) == MAX_TEXT
    assert fitted["model"].startswith("/opt/models/")
    assert fitted["model"].endswith("models/face.onnx")
    assert (fitted["cut"], fitted["method"]) == (["model", "rule"], "pin")


def test_what_is_left_of_an_encoded_embedding_identifies_nobody():
    encoded = base64.b64encode(EMBEDDING.tobytes()).decode()
    kept = fitted_data({"v": encoded, "w": "seen: " + encoded})
    assert all(len(kept[name]) < 130 for name in ("v", "w"))


def test_the_largest_go_first_when_all_together_are_too_much():
    data = {f"text{n}": "a b " * 120 for n in range(40)} | {"method": "card"}
    fitted = fitted_data(data)
    assert fitted["method"] == "card"
    assert MAX_BYTES // 2 < len(canonical(fitted).encode()) < MAX_BYTES + 1024


def test_numpy_scalars_and_missing_numbers_become_plain_json():
    """A similarity fresh from numpy is welcome; NaN and infinity become null."""
    data = fitted_data(
        {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": float("-inf"), "e": (1, None)}
    )
    assert json.loads(canonical(data)) == {"a": 0.5, "b": 3, "c": True, "d": None, "e": [1, None]}


def test_as_many_numbers_as_a_decision_needs_are_allowed():
    """The limit lies between what decisions carry and what an embedding needs."""
    assert len(fitted_data({str(i): i for i in range(MAX_NUMBERS)})) == MAX_NUMBERS


def test_text_without_a_utf8_form_stays_readable():
    """A file name that could not be decoded does not cost the event."""
    assert fitted_data({"file": "a\udcff.mp4"}) == {"file": "a\\udcff.mp4"}


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_canonical_text_is_stable(data):
    """Reading canonical text and writing it again gives the same bytes, whatever the order."""
    text = canonical(fitted_data(data))
    assert canonical(json.loads(text)) == text
    assert canonical(fitted_data(dict(reversed(data.items())))) == text


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=20)
    | st.text(max_size=1200)
    | st.just("\udcff" * 600)
    | st.just(2**70)
    | st.just(object()),
    lambda inner: (
        st.lists(inner, max_size=40) | st.dictionaries(st.integers() | st.text(), inner, max_size=9)
    ),
    max_leaves=60,
)


@settings(max_examples=30)
@given(st.dictionaries(st.text(max_size=900) | st.integers(), ANYTHING, max_size=30))
def test_nothing_makes_an_event_unfit_to_store(data):
    fitted = fitted_data(data)
    assert len(canonical(fitted).encode()) <= MAX_BYTES + 16 * MAX_TEXT * 4
