"""The one pool of memory that all networks of this process compute in.

Networks run one after the other, so the largest one's needs are everybody's. Without a pool each tensor is
asked of the C library, whose heap gets holes between them that nothing else fits in: 36 to 50 MB for the
networks of a door, where this pool has 13. Given a pool each, they would have 36.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

EXACTLY = 1  # arena_extend_strategy kSameAsRequested: grown by what is missing, not to the next power of two
FIRST_BYTES = 1 << 20

SMALLEST_GRAPH = bytes.fromhex(
    "080812003a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a02080162"
    "0f0a0179120a0a08080112040a02080142040a00100d"
)
"""One Identity of one float, as an ONNX file: a pool can only be emptied by running something in it."""

_opening = threading.Lock()


def use_shared_pool(ort: ModuleType, options: Any) -> None:
    """Have the session that is opened with these options (`SessionOptions`) compute in the shared pool."""
    with _opening:  # threads may open their first network at the same time
        _make(ort)
    options.add_session_config_entry("session.use_env_allocators", "1")
    # A block planned ahead for a whole network is longer than what the pool puts together from parts.
    options.enable_mem_pattern = False


def empty_pool() -> None:
    """Take what no network is using out of the pool; any thread, also while networks run.

    The C library has it then (`edge.runtime.memory.give_back`). Without a network opened this does nothing.
    """
    if (found := _emptying.found) is not None:
        session, options, feed = found
        session.run(None, feed, options)


class _Emptying:
    """What empties the pool, once there is one."""

    found: tuple[Any, Any, dict[str, Any]] | None = None


_emptying = _Emptying()


@cache
def _make(ort: ModuleType) -> None:
    import numpy as np  # noqa: PLC0415 - loaded with onnxruntime anyway

    place = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    growth = {"arena_extend_strategy": EXACTLY, "initial_chunk_size_bytes": FIRST_BYTES}
    ort.create_and_register_allocator(place, ort.OrtArenaCfg(growth))
    wanted, emptied = ort.SessionOptions(), ort.RunOptions()
    wanted.intra_op_num_threads = wanted.inter_op_num_threads = 1
    wanted.add_session_config_entry("session.use_env_allocators", "1")
    emptied.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    session = ort.InferenceSession(SMALLEST_GRAPH, wanted, providers=["CPUExecutionProvider"])
    _emptying.found = session, emptied, {"x": np.zeros(1, np.float32)}
