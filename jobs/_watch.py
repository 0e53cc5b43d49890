"""A sign of life from a running sweep, and an ear for the request to end it."""

import _thread
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paretoib.errors import StoreError
from paretoib.tracking import BEAT_EVERY, Tracker


@contextmanager
def watched(store: Tracker, sweep_id: str, on_cancel: Callable[[], None]) -> Iterator[None]:
    """Tell the store every few seconds that the sweep is alive; end it when someone asks.

    In the main thread the request comes as a `KeyboardInterrupt`, so that packs which take hours
    end too.
    """
    over = threading.Event()
    in_main = threading.current_thread() is threading.main_thread()

    def watch() -> None:
        while not over.wait(BEAT_EVERY):
            try:
                cancelled = store.beat(sweep_id)
            except StoreError:
                continue  # The store is away; records wait for it likewise.
            if cancelled and not over.is_set():
                on_cancel()
                if in_main:
                    _thread.interrupt_main()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        # Not for ever: the store may keep it waiting, and it looks at `over` again after that.
        thread.join(timeout=5)
