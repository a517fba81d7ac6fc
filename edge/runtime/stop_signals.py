"""Ends a process by a signal, whatever its main thread is doing."""

from __future__ import annotations

import signal
import threading
from queue import SimpleQueue


def stop_on_signals(stopping: threading.Event, *numbers: signal.Signals) -> None:
    """Have each of these signals set `stopping`, from now on. Main thread only.

    Python runs a signal's handler in the main thread, between any two steps of it. One that set the event
    itself would wait for ever where the signal comes while that thread, waiting for the same event, holds
    its lock: the process would neither stop nor hear a second signal. A `SimpleQueue` may be filled from a
    handler; a thread of its own, which ends with the process, sets the event.
    """
    asked: SimpleQueue[None] = SimpleQueue()

    def pass_on() -> None:
        asked.get()
        stopping.set()

    threading.Thread(target=pass_on, name="stop-signals", daemon=True).start()
    for number in numbers:
        signal.signal(number, lambda *_: asked.put(None))
