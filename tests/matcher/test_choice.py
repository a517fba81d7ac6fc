"""The backend is chosen by measurement, forced by a setting, and never changes an answer."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from edge.errors import ConfigError
from edge.matcher.choice import ROWS_TO_GROW_TO, SMALLEST_ROWS, Choice, choose, measure, noise_gallery
from edge.matcher.matcher import Matcher
from tests.matcher.galleries import backend_names, forced, point


def test_every_backend_at_hand_is_timed_and_the_fastest_taken() -> None:
    gallery = noise_gallery(100, 64)
    choice = measure(gallery)
    timed = {timing.backend for timing in choice.timings if timing.rows == SMALLEST_ROWS}
    assert "float32" in timed
    for size, batch in ((SMALLEST_ROWS, 1), (ROWS_TO_GROW_TO, 4)):
        times = {t.backend: t.scan_us for t in choice.timings if (t.rows, t.probes) == (size, batch)}
        assert choice.backend(size, batch).name == min(times, key=lambda name: times[name])
    assert str(ROWS_TO_GROW_TO) in choice.reason


@pytest.mark.parametrize("name", backend_names())
def test_a_setting_forces_a_backend_at_every_size(name: str) -> None:
    choice = forced(name)
    assert {choice.backend(rows, probes).name for rows in (1, 10**6) for probes in (1, 4)} == {name}
    assert choice.reason == "forced by recognition.matcher"


def test_a_small_gallery_is_searched_by_compiled_code_without_measuring() -> None:
    forced("compiled")
    choice = Matcher(noise_gallery(9, 64), point).choice
    assert (choice.backend(9, 1).name, choice.timings) == ("compiled", ())


def test_an_unknown_backend_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match="compiled, float32, int8-stream"):
        Choice.forced("hnsw")
    with pytest.raises(ConfigError, match="auto"):
        choose("hnsw", noise_gallery(1, 32))


def test_without_compiled_code_numpy_is_exact_and_it_says_what_is_missing() -> None:
    """In a process of its own where neither can be imported."""
    script = textwrap.dedent("""
        import sys
        sys.modules["numkong"] = sys.modules["edge.matcher.backends._scan"] = None
        import numpy as np
        from edge.errors import ConfigError
        from edge.matcher.choice import Choice, measure
        from tests.matcher.galleries import assert_exact, crowd, gallery_of, point, probes_near
        from edge.matcher.matcher import Matcher
        rng = np.random.default_rng(0)
        residents = crowd(rng, 64, 200)
        gallery = gallery_of(residents)
        choice = measure(gallery)
        assert choice.backend(10**6, 1).name == "float32"
        assert Choice.unmeasured().backend(1, 1).name == "float32"
        assert "int8 not tried" in choice.reason and "numkong" in choice.reason, choice.reason
        assert "compiled not tried" in choice.reason and "gcc" in choice.reason, choice.reason
        assert_exact(Matcher(gallery, point, choice), residents, probes_near(rng, residents, 20))
        for name, way in (("int8-stream", "pip install"), ("compiled", "apt install gcc")):
            try:
                Choice.forced(name)
            except ConfigError as error:
                assert f"{name!r} is not to be had" in str(error) and way in str(error), error
            else:
                raise AssertionError(name)
    """)
    _passes(script)


def test_without_an_int8_instruction_float32_wins() -> None:
    """numkong restricted to plain C stands in for a Raspberry Pi 4; in a process of its own."""
    forced("int8-stream")
    script = textwrap.dedent("""
        import sys
        sys.modules["edge.matcher.backends._scan"] = None
        import numkong
        for name, on in numkong.get_capabilities().items():
            if on and name != "serial":
                numkong.disable_capability(name)
        from edge.matcher.choice import measure, noise_gallery
        gallery = noise_gallery(8192, 512)
        choice = measure(gallery)
        times = {t.backend: t.scan_us for t in choice.timings if (t.rows, t.probes) == (8192, 1)}
        assert times[choice.backend(8192, 1).name] <= times["float32"], times
    """)
    _passes(script)


def _passes(script: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
