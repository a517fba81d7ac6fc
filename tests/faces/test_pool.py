"""What the networks of a door hold, each in a process of its own: bytes, not time."""

from __future__ import annotations

import textwrap

from tests.places import need_models
from tests.processes import in_a_process

BEGINNING = """
    import numpy as np, onnxruntime
    from edge.faces.manifest import load_manifest
    from edge.faces.pool import empty_pool
    from edge.faces.weights import checked, open_session
    from edge.replay.process import memory_mb, private_mb
    from edge.runtime.memory import give_back, keep_one_heap

    def opened(name):
        return open_session(checked(load_manifest().model(name)))

    def run(session):
        first = session.get_inputs()[0]
        sides = [side if isinstance(side, int) else 320 for side in first.shape[1:]]
        session.run(None, {first.name: np.zeros((1, *sides), np.float32)})

    keep_one_heap()
"""


def with_networks(script: str) -> None:
    in_a_process(textwrap.dedent(BEGINNING) + textwrap.dedent(script))


def test_opening_a_network_never_holds_its_weights_three_times() -> None:
    need_models("sface")
    with_networks("""
        before = memory_mb()[0]
        network = opened("sface")
        more = memory_mb()[1] - before
        assert more < 50, more  # 42, and 64 when onnxruntime was given the whole file
    """)


def test_networks_compute_in_one_pool_and_it_is_given_back() -> None:
    need_models("yunet", "sface", "faceplugin")
    with_networks("""
        networks = [opened(name) for name in ("sface", "yunet", "faceplugin")]
        give_back()
        opened_mb = private_mb()
        for _ in range(20):
            for network in networks:
                run(network)
        used = private_mb() - opened_mb
        assert used < 20, used
        empty_pool()
        give_back()
        left = private_mb() - opened_mb
        assert left < 7, (used, left)
    """)


def test_nothing_is_emptied_before_a_network_is_opened() -> None:
    with_networks("empty_pool()")
