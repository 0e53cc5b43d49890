"""Ctrl-C, and SIGTERM that means the same, in the main thread; no other is ever interrupted."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupts_held(then: Callable[[], object] = lambda: None) -> Iterator[list[int]]:
    """Collect Ctrl-C and SIGTERM instead of raising them; yields those caught so far.

    `then` is called after each, in the middle of whatever the main thread does.
    """
    caught: list[int] = []

    def catch(number: int, _: object) -> None:
        caught.append(number)
        then()

    with _handled(catch, signal.SIGINT, signal.SIGTERM):
        yield caught


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Raise `KeyboardInterrupt` for SIGTERM too."""
    with _handled(signal.default_int_handler, signal.SIGTERM):
        yield


@contextmanager
def _handled(handler: Callable[[int, Any], Any], *signals: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, held in before.items():
            signal.signal(number, held)
