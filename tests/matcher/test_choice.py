"""The backend is chosen by measurement, forced by a setting, and never changes an answer."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from edge.errors import ConfigError
from edge.matcher.choice import ROWS_TO_GROW_TO, SMALLEST_ROWS, Choice, choose, measure, noise_gallery
from tests.matcher.galleries import backend_names, forced


def test_every_backend_at_hand_is_timed_and_the_fastest_taken() -> None:
    gallery = noise_gallery(100, 64)
    choice = measure(gallery)
    timed = {timing.backend for timing in choice.timings if timing.rows == SMALLEST_ROWS}
    assert "float32" in timed
    for size, batch in ((SMALLEST_ROWS, 1), (ROWS_TO_GROW_TO, 4)):
        times = {t.backend: t.scan_us for t in choice.timings if (t.rows, t.probes) == (size, batch)}
        assert choice.backend(size, batch).name == min(times, key=lambda name: times[name])
    assert str(ROWS_TO_GROW_TO) in choice.reason


def test_the_gallery_keeps_shifted_codes_only_for_a_backend_that_reads_them() -> None:
    gallery = noise_gallery(10, 64)
    choice = measure(gallery)
    assert (gallery.snapshot.arena.shifted is not None) == choice.needs_shifted
    gallery.keep_shifted(True)
    gallery.keep_shifted(False)
    assert gallery.snapshot.arena.shifted is None
    assert gallery.residents == 10


@pytest.mark.parametrize("name", backend_names())
def test_a_setting_forces_a_backend_at_every_size(name: str) -> None:
    choice = forced(name)
    assert {choice.backend(rows, probes).name for rows in (1, 10**6) for probes in (1, 4)} == {name}
    assert choice.reason == "forced by recognition.matcher"


def test_an_unknown_backend_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match="float32, int8-stream"):
        Choice.forced("hnsw")
    with pytest.raises(ConfigError, match="auto"):
        choose("hnsw", noise_gallery(1, 32))


def test_without_optional_packages_it_is_exact_through_numpy_and_says_what_is_missing() -> None:
    """In a process of its own where neither package can be imported."""
    script = textwrap.dedent("""
        import sys
        sys.modules["numkong"] = sys.modules["faiss"] = None
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
        assert "int8 not tried" in choice.reason and "numkong" in choice.reason, choice.reason
        assert_exact(Matcher(gallery, point, choice), residents, probes_near(rng, residents, 20))
        try:
            Choice.forced("int8-stream")
        except ConfigError as error:
            assert "needs a package" in str(error)
        else:
            raise AssertionError
    """)
    _passes(script)


def test_without_an_int8_instruction_float32_wins() -> None:
    """numkong restricted to plain C stands in for a Raspberry Pi 4; in a process of its own."""
    forced("int8-stream")
    script = textwrap.dedent("""
        import sys
        sys.modules["faiss"] = None
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
