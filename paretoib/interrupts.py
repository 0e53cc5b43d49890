"""Ctrl-C (SIGINT) and SIGTERM in the main thread: deferred, or raised as `KeyboardInterrupt`.

Python delivers signals to the main thread only; in other threads these context managers do nothing.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def deferred_interrupts(on_interrupt: Callable[[], object] = lambda: None) -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM instead of raising them; yields the list of caught signals.

    `on_interrupt` is called after each signal, at any point of the main thread's code.
    """
    caught: list[int] = []

    def catch(number: int, _: object) -> None:
        caught.append(number)
        on_interrupt()

    with _handled(catch, signal.SIGINT, signal.SIGTERM):
        yield caught


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Raise `KeyboardInterrupt` for SIGTERM, as Python does for Ctrl-C."""
    with _handled(signal.default_int_handler, signal.SIGTERM):
        yield


@contextmanager
def _handled(handler: Callable[[int, Any], Any], *signals: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, previous_handler in previous.items():
            signal.signal(number, previous_handler)
