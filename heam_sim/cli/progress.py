# SPDX-License-Identifier: MIT
"""Progress bars on a terminal; where there is none, nothing."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from heam_sim.experiments.runner import Progress as Told

__all__ = ["PointProgress", "lookup_progress"]

# A point may take minutes: rate and time left come from all points of the run, not from those of seconds.
_WHOLE_RUN_SECONDS = 1e9
_SECONDS = {"s": 1, "min": 60, "h": 3600}


def lookup_progress(console: Console) -> Progress:
    """Make a bar for samples, with their rate and the time left; nothing where there is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate("samples"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


class PointProgress:
    """A bar per sweep or search: points done, failures, rate, time taken and time left.

    Parameters
    ----------
    console
        Where it is shown; nothing is if it is no terminal.
    """

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failures]}"),
            _Rate("points"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=_WHOLE_RUN_SECONDS,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def task(self, name: str, total: int | None = None, *, failures: str = "failed") -> Told:
        """Add a bar, and return what is to be called after every point.

        Points that were there when the first one is told do not count as done in the time since then.
        """
        task = self._bar.add_task(name, total=total, failures="")
        last = 0

        def show(done: int, of: int, failed: int, label: str) -> None:
            nonlocal last
            if done <= last or (last == 0 and done > 1):
                self._bar.reset(task, total=of, completed=done - 1)
            last = done
            told = f"{failed} {failures}" if failed else ""
            self._bar.update(task, completed=done, total=of, description=f"{label:<40}", failures=told)

        return show


class _Rate(ProgressColumn):
    """How many per second, or per minute or hour where it is less than one."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """See rich."""
        if not task.speed:
            return Text("")
        rates = ((task.speed * seconds, name) for name, seconds in _SECONDS.items())
        rate, name = next((one for one in rates if one[0] >= 1), (task.speed * 3600, "h"))
        return Text(f"{rate:,.{0 if rate >= 100 else 1}f} {self.unit}/{name}")
