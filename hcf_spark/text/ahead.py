"""Work done ahead of its consumer, in a thread, as far as a bounded queue lets it."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_POLL_SECONDS = 0.1


def run_ahead(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """The same items in the same order, made in a thread that is at most ``depth`` + 1 of them ahead.

    An error in the thread is raised here, after the items before it. The thread ends when this iterator is closed.

    >>> list(run_ahead(iter("abc"), depth=1))
    ['a', 'b', 'c']
    """
    ready: queue.Queue = queue.Queue(maxsize=depth)
    closed = threading.Event()

    def hand_over(item: Item | None, error: BaseException | None, last: bool) -> None:
        while not closed.is_set():
            try:
                return ready.put((item, error, last), timeout=_POLL_SECONDS)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in items:
                hand_over(item, None, last=False)
                if closed.is_set():
                    return
        except BaseException as error:
            return hand_over(None, error, last=True)
        hand_over(None, None, last=True)

    thread = threading.Thread(target=work, name="run_ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error, last = ready.get()
            if error is not None:
                raise error
            if last:
                break
            yield item
    finally:
        closed.set()
    thread.join()
