"""Ctrl-C and SIGTERM in the main thread: deferred, or raised as `KeyboardInterrupt`.

In any other thread the context managers do nothing, as Python handles signals in the main thread.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def deferred_interrupts(
    on_interrupt: Callable[[], object] = lambda: None,
) -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM instead of raising them; yields the list of signals so far.

    Each signal also calls `on_interrupt`, between any two instructions of the main thread.
    """
    caught: list[int] = []

    def catch(number: int, _: object) -> None:
        caught.append(number)
        on_interrupt()

    with _signal_handler(catch, signal.SIGINT, signal.SIGTERM):
        yield caught


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Raise `KeyboardInterrupt` on SIGTERM, as on Ctrl-C."""
    with _signal_handler(signal.default_int_handler, signal.SIGTERM):
        yield


@contextmanager
def _signal_handler(handler: Callable[[int, Any], Any], *signals: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, previous_handler in previous.items():
            signal.signal(number, previous_handler)
