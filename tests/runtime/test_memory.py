"""What is given back to the kernel: measured on this very process's heap."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from tests.waiting import PATIENCE


def test_holes_left_behind_are_given_back() -> None:
    """In a process of its own: 40 MB in small pieces, freed but for the last one, which pins the heap."""
    script = textwrap.dedent("""
        import ctypes
        from edge.replay.process import memory_mb
        from edge.runtime.memory import give_back, keep_one_heap
        keep_one_heap()
        libc = ctypes.CDLL(None)
        libc.malloc.restype = ctypes.c_void_p
        libc.malloc.argtypes = [ctypes.c_size_t]
        libc.free.argtypes = [ctypes.c_void_p]
        pieces = [libc.malloc(4000) for _ in range(10_000)]
        for piece in pieces:
            ctypes.memset(piece, 1, 4000)
        for piece in pieces[:-1]:
            libc.free(piece)
        before = memory_mb()[0]
        give_back()
        after = memory_mb()[0]
        assert before - after > 30, (before, after)
    """)
    subprocess.run([sys.executable, "-c", script], check=True, timeout=PATIENCE)
