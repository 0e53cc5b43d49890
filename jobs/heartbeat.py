"""The heartbeat thread of a running sweep; it also polls for cancellation."""

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paretoib.interrupts import termination_interrupts
from paretoib.records import RunningPacks
from paretoib.tracking import HEARTBEAT_SECONDS, StoreUnavailableError, Tracker


@contextmanager
def heartbeat_thread(
    store: Tracker,
    sweep_id: str,
    packs: Callable[[], RunningPacks | None],
    on_end: Callable[[Exception | None], None],
) -> Iterator[None]:
    """Send heartbeats while the sweep runs; end the sweep when its cancellation is requested.

    A heartbeat has the result of `packs`: the packs in training.

    The sweep also ends when the store refuses a heartbeat for good, for example because another
    process has taken the sweep over. `on_end` is called with that error, or with None for a
    cancellation. Then, if the sweep runs in the main thread, that thread gets a
    `KeyboardInterrupt`, as for SIGTERM, so that even packs that take hours end at once.
    """
    ended = threading.Event()
    in_main = threading.current_thread() is threading.main_thread()

    def send_heartbeats() -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            refused: Exception | None = None
            try:
                if not store.heartbeat(sweep_id, packs()):
                    continue
            except StoreUnavailableError:
                continue  # The journal keeps the trials meanwhile.
            except Exception as error:
                refused = error
            if not ended.is_set():
                on_end(refused)
                if in_main:
                    # SIGTERM, because background jobs of a shell script ignore SIGINT.
                    _thread.interrupt_main(signal.SIGTERM)
            return

    thread = threading.Thread(target=send_heartbeats, daemon=True)
    thread.start()
    with termination_interrupts():
        try:
            yield
        finally:
            ended.set()
            # With a timeout, because the thread may be waiting for a store that hangs.
            thread.join(timeout=5)
