"""A sign of life from a running sweep, and an ear for the request to end it."""

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paretoib.interrupts import termination_interrupts
from paretoib.tracking import HEARTBEAT_SECONDS, StoreAwayError, Tracker


@contextmanager
def heartbeat_thread(
    store: Tracker, sweep_id: str, on_end: Callable[[Exception | None], None]
) -> Iterator[None]:
    """Tell the store every few seconds that the sweep is alive; end it when someone asks.

    It ends, too, when the store refuses the sign of life for good, as it does where another
    process has taken the sweep over; `on_end` is called with that error. In the main thread either
    comes as a `KeyboardInterrupt`, as SIGTERM does meanwhile, so that packs which take hours end
    too.
    """
    over = threading.Event()
    in_main = threading.current_thread() is threading.main_thread()

    def watch() -> None:
        while not over.wait(HEARTBEAT_SECONDS):
            refused: Exception | None = None
            try:
                if not store.heartbeat(sweep_id):
                    continue
            except StoreAwayError:
                continue  # Records wait for it likewise.
            except Exception as error:
                refused = error
            if not over.is_set():
                on_end(refused)
                if in_main:
                    # As SIGTERM, for in the background of a script Ctrl-C is ignored.
                    _thread.interrupt_main(signal.SIGTERM)
            return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    with termination_interrupts():
        try:
            yield
        finally:
            over.set()
            # Not for ever: the store may keep it waiting, and it looks at `over` again after that.
            thread.join(timeout=5)
