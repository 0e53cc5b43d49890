"""Ctrl-C (SIGINT), SIGTERM and SIGHUP in the main thread: deferred, or raised.

Python delivers signals to the main thread only; in other threads these context managers do nothing.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_TERMINATION = (signal.SIGTERM, signal.SIGHUP)
_terminations = 0


class TerminatedError(KeyboardInterrupt):
    """The process got SIGTERM or SIGHUP: a batch system or a closed terminal ended it."""


def termination_count() -> int:
    """How many SIGTERM and SIGHUP this module has handled in this process.

    Ray turns a `TerminatedError` into a plain `KeyboardInterrupt`; the count tells them apart.
    """
    return _terminations


@contextmanager
def deferred_interrupts(on_interrupt: Callable[[], object] = lambda: None) -> Iterator[list[int]]:
    """Collect interrupts instead of raising them; yields the list of caught signals.

    After the block, `raise_deferred` raises an interrupt if there was one. `on_interrupt` is called
    after each signal, at any point of the main thread's code.
    """
    caught: list[int] = []

    def catch(number: int, _: object) -> None:
        caught.append(number)
        on_interrupt()

    with _handled(catch, signal.SIGINT, *_TERMINATION):
        yield caught


def raise_deferred(caught: Sequence[int]) -> None:
    """Raise the interrupt that `deferred_interrupts` has caught, if any."""
    if signal.SIGINT in caught:
        raise KeyboardInterrupt
    if caught:
        raise TerminatedError


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Raise `TerminatedError` for SIGTERM and SIGHUP."""

    def terminate(_: int, __: object) -> None:
        raise TerminatedError

    with _handled(terminate, *_TERMINATION):
        yield


@contextmanager
def _handled(handler: Callable[[int, Any], Any], *signals: signal.Signals) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def count_and_handle(number: int, frame: object) -> None:
        global _terminations
        _terminations += number in _TERMINATION
        handler(number, frame)

    # Under `nohup`, SIGHUP is ignored, and stays so.
    heeded = [n for n in signals if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    previous = {number: signal.signal(number, count_and_handle) for number in heeded}
    try:
        yield
    finally:
        for number, previous_handler in previous.items():
            signal.signal(number, previous_handler)
