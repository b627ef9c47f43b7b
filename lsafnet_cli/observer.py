"""Observers of a run: notices and progress; and the logger of the package."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOG = logging.getLogger("lsafnet")
LOG.addHandler(logging.NullHandler())


class Observer:
    """Receives notices and progress of a run. Override the methods you need; this class keeps notices and
    shows nothing.

    A run consists of stages, one after another; a stage may consist of named items, such as the scenes of a batch
    or the epochs of a training. With a `parent`, everything is forwarded to it as well; without one, notices go to
    the logger "lsafnet" at level INFO.
    """

    def __init__(self, parent: "Observer | None" = None) -> None:
        self.notices: list[str] = []
        self._parent = parent

    def notice(self, text: str, item: str = "") -> None:
        """Receive one line for the user, about the run or about one item."""
        self.notices.append(f"{item}: {text}" if item else text)
        if self._parent is not None:
            self._parent.notice(text, item)
        else:
            LOG.info("%s", self.notices[-1])

    def wait(self, stage: str) -> None:
        """Something of unknown length begins, such as "reading the images"; it lasts until the next word."""
        if self._parent is not None:
            self._parent.wait(stage)

    def start(self, stage: str, total: int, unit: str = "px", *, done: int = 0, items: int = 0) -> None:
        """A stage of `total` pixels (or other units) starts; `done` of them were done earlier; it has `items`
        items."""
        if self._parent is not None:
            self._parent.start(stage, total, unit, done=done, items=items)

    def advance(self, amount: int, item: str = "", **facts: float) -> None:
        """`amount` more units of the stage are done, within an item; `facts` holds values such as a loss."""
        if self._parent is not None:
            self._parent.advance(amount, item, **facts)

    def finish(self, item: str = "", text: str = "", **facts: Any) -> None:
        """An item has ended, or the stage if no name is given; the result as `text` for people and `facts`
        for programs."""
        if self._parent is not None:
            self._parent.finish(item, text, **facts)


@contextmanager
def watched(
    observer: Observer, stage: str, total: int, unit: str = "px", *, done: int = 0, items: int = 0
) -> Iterator[None]:
    """Report the start of a stage to an observer and its end, whether it succeeds or fails."""
    observer.start(stage, total, unit, done=done, items=items)
    try:
        yield
    finally:
        observer.finish()
