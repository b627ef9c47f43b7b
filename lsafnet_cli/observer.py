"""Whoever watches a run, and what it is told; and the logger of the package."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOG = logging.getLogger("lsafnet")
LOG.addHandler(logging.NullHandler())


class Observer:
    """Watches a run. Override what you want to hear of; this class keeps the notices and shows nothing.

    A run consists of stages, one after another; a stage may consist of named items, such as the scenes of a batch
    or the epochs of a training. With a `parent`, everything is passed on to it as well; without one, notices go to
    the logger "lsafnet" at level INFO.
    """

    def __init__(self, parent: "Observer | None" = None) -> None:
        self.notices: list[str] = []
        self._parent = parent

    def notice(self, text: str, item: str = "") -> None:
        """Take one line that the user should read, about the run or about one item."""
        self.notices.append(f"{item}: {text}" if item else text)
        if self._parent is not None:
            self._parent.notice(text, item)
        else:
            LOG.info("%s", self.notices[-1])

    def start(self, stage: str, total: int, unit: str = "px", *, done: int = 0, items: int = 0) -> None:
        """A stage of `total` pixels (or other units) begins, `done` of them done before; `items` counts its items."""
        if self._parent is not None:
            self._parent.start(stage, total, unit, done=done, items=items)

    def advance(self, amount: int, item: str = "", **facts: float) -> None:
        """`amount` more units of the stage are done, within an item; `facts` are numbers such as a loss."""
        if self._parent is not None:
            self._parent.advance(amount, item, **facts)

    def finish(self, item: str = "", text: str = "", **facts: Any) -> None:
        """An item has ended, or without a name the stage; `text` says how, for people, and `facts`, for programs."""
        if self._parent is not None:
            self._parent.finish(item, text, **facts)


@contextmanager
def watched(
    observer: Observer, stage: str, total: int, unit: str = "px", *, done: int = 0, items: int = 0
) -> Iterator[None]:
    """Tell an observer that a stage begins and, well or not, ends."""
    observer.start(stage, total, unit, done=done, items=items)
    try:
        yield
    finally:
        observer.finish()
