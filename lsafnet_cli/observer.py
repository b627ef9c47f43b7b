"""Whoever watches a run, and what it is told."""

from typing import Protocol


class Observer(Protocol):
    """Whoever watches a run: told what it should know and how far the run has come."""

    def notice(self, text: str) -> None:
        """Take one line that the user should read."""

    def start(self, stage: str, total_px: int) -> None:
        """A stage of `total_px` pixels begins."""

    def advance(self, pixels: int) -> None:
        """`pixels` more of the stage are done."""

    def finish(self) -> None:
        """The stage has ended, well or not."""


class SilentObserver:
    """An observer that keeps the notices and shows nothing."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        """Keep the line."""
        self.notices.append(text)

    def start(self, stage: str, total_px: int) -> None:
        """Show nothing."""

    def advance(self, pixels: int) -> None:
        """Show nothing."""

    def finish(self) -> None:
        """Show nothing."""
