# SPDX-License-Identifier: MIT
"""The command log of a window as tracks and slices, to be looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from heam_sim._core import BOUND_NAMES
from heam_sim.check import CommandLog
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import whole_number
from heam_sim.plotting import MOST_TRACKS, save_figure, timeline_figure
from heam_sim.simulation import record
from heam_sim.timelines.chrome import write_chrome
from heam_sim.timelines.marks import Marks
from heam_sim.timelines.memories import (
    Memories,
    memories_of_plan,
    memory_of_spec,
)
from heam_sim.timelines.tracks import Track
from heam_sim.timelines.window import Window, resolve
from heam_sim.trace import LookupTrace, TraceFile
from heam_sim.traffic import ReplayResult

__all__ = ["ENDINGS", "MOST_SLICES", "Timeline", "check_timeline_ending", "log_timeline", "timeline"]

#: A browser still moves smoothly with so many.
MOST_SLICES = 200_000
_TRACES, _FIGURES = (".json", ".json.gz"), (".pdf", ".png")
#: How the names of the files of a timeline end.
ENDINGS = (*_TRACES, *_FIGURES, ".csv")
_ROLES = ("add", "load register", "multiply and add", "multiply into register", "fill cache")


@dataclass(frozen=True, repr=False)
class Timeline:
    """Tracks and slices of a window of a command log.

    Attributes
    ----------
    slices
        A row each: ``track`` (its number), ``kind`` (``"command"``, ``"burst"``, ``"I/O"``, ``"work"`` or
        ``"row"``), ``name``, ``start`` and ``stop`` in ticks, ``record`` (the row of the log behind it).
    track_numbers, tracks
        What the numbers stand for, in the order of the picture.
    tick_ps
        Length of a tick in ps, exact.
    first, stop
        The window in ticks, `stop` not included.
    log, names
        The whole command log and the names of its commands.
    tags
        GnR of each record of the log, -1: none.
    memories
        Whose log it is.
    about
        Where it comes from, for files.
    """

    slices: pd.DataFrame
    track_numbers: tuple[int, ...]
    tracks: tuple[Track, ...]
    tick_ps: Fraction
    first: int
    stop: int
    log: NDArray[Any]
    names: tuple[str, ...]
    tags: NDArray[np.int64]
    memories: Memories
    about: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"<Timeline from {self.ns(self.first):.6g} to {self.ns(self.stop):.6g} ns: {self.commands} "
            f"commands, {len(self.slices)} slices on {len(self.tracks)} tracks>"
        )

    @property
    def commands(self) -> int:
        """Commands in the window."""
        return int((self.slices["kind"] == "command").sum())

    def ns(self, tick: int) -> float:
        """A tick in ns."""
        return float(tick * self.tick_ps / 1000)

    def bound_text(self, row: int) -> str:
        """Name what set the time of a command of the log."""
        bound, channel = int(self.log["bound"][row]), int(self.log["channel"][row])
        if bound < 0:
            return BOUND_NAMES.get(bound, str(bound))
        rows = self.memories.of_channel(channel).spec.constraints
        return rows[bound].describe() if bound < len(rows) else f"row {bound}"

    def role_text(self, row: int) -> str:
        """Name what an operand is for; empty where a command serves none."""
        role = int(self.log["role"][row])
        return _ROLES[role] if self.tags[row] >= 0 and role < len(_ROLES) else ""

    def to_frame(self) -> pd.DataFrame:
        """Return the slices with names and times.

        Returns
        -------
        pandas.DataFrame
            ``process``, ``track``, ``track_kind``, ``kind``, ``name``, ``start_ns``, ``duration_ns``, and of
            the command: ``command``, ``cycle``, ``channel``, ``bank``, ``row``, ``column``, ``gnr`` (-1:
            none), ``lookup``, ``pe`` (-1: none), ``role``, ``bound``, ``record``.
        """
        names = dict(zip(self.track_numbers, self.tracks, strict=True))
        where = [names[number] for number in self.slices["track"].tolist()]
        rows = self.slices["record"].to_numpy()
        start, stop = self.slices["start"].tolist(), self.slices["stop"].tolist()
        unit = self.log["unit"][rows].astype(np.int64)
        return pd.DataFrame(
            {
                "process": [track.process for track in where],
                "track": [track.name for track in where],
                "track_kind": [track.kind for track in where],
                "kind": self.slices["kind"].to_numpy(),
                "name": self.slices["name"].to_numpy(),
                "start_ns": [self.ns(tick) for tick in start],
                "duration_ns": [self.ns(b - a) for a, b in zip(start, stop, strict=True)],
                "command": np.array(self.names, dtype=object)[self.log["command"][rows]],
                "cycle": self.log["clock"][rows],
                "channel": self.log["channel"][rows],
                "bank": self.log["bank"][rows],
                "row": self.log["row"][rows],
                "column": self.log["column"][rows],
                "gnr": self.tags[rows],
                "lookup": self.log["slot"][rows],
                "pe": np.where(unit == np.iinfo(np.uint16).max, -1, unit),
                "role": [self.role_text(row) for row in rows.tolist()],
                "bound": [self.bound_text(row) for row in rows.tolist()],
                "record": rows,
            }
        )

    def figure(self, *, columns: int = 2) -> tuple[Figure, pd.DataFrame]:
        """Draw it for a page, one or two columns wide.

        Banks with nothing but an open row are left out. If there still are more tracks than a page has room
        for, the busiest channel of every memory is shown, and not what belongs to several channels; then only
        that of the busiest memory.

        Returns
        -------
        tuple of matplotlib.figure.Figure and pandas.DataFrame
            The figure, and the slices that it shows.

        Raises
        ------
        ConfigError
            There are more tracks than a page has room for.
        """
        frame = self.to_frame()
        frame = frame[frame["kind"].ne("row").groupby([frame["process"], frame["track"]]).transform("any")]
        for processes in (self._busiest(), self._busiest()[:1]):
            if len(frame[["process", "track"]].drop_duplicates()) > MOST_TRACKS:
                frame = frame[frame["process"].isin(processes)]
        return timeline_figure(
            frame, first_ns=self.ns(self.first), stop_ns=self.ns(self.stop), columns=columns
        )

    def _busiest(self) -> list[str]:
        """Processes of the channels with the most slices, one for each memory, the busiest first."""
        where = dict(zip(self.track_numbers, self.tracks, strict=True))
        count: Counter[tuple[str, int]] = Counter()
        for number in self.slices["track"].tolist():
            track = where[number]
            if track.channel >= 0:
                count[track.process, track.channel] += 1
        best: dict[str, str] = {}
        for (process, channel), _ in sorted(count.items(), key=lambda item: (-item[1], item[0][1])):
            best.setdefault(self.memories.of_channel(channel).name, process)
        return list(best.values())

    def write(self, path: str | Path, *, magnify: int = 1, columns: int = 2) -> tuple[Path, ...]:
        """Write it as what the file's name says.

        Parameters
        ----------
        path
            ``.json`` or ``.json.gz``: trace events, for Perfetto. ``.pdf`` or
            ``.png``: a figure, as both, with the table behind it as CSV. ``.csv``: that table, all slices.
        magnify
            Of the trace events: write so many times the time, because Perfetto keeps whole nanoseconds only.
        columns
            Of the figure.

        Returns
        -------
        tuple of pathlib.Path
            What was written; each file appears whole or not at all.

        Raises
        ------
        ConfigError
            Another ending, or a figure of too many tracks.
        OutputError
            The file cannot be written.
        """
        path, ending = Path(path), check_timeline_ending(path)
        magnify = whole_number("magnify", magnify, minimum=1, maximum=10**6)
        if ending in _TRACES:
            write_chrome(self, path, magnify=magnify)
            return (path,)
        if ending == ".csv":
            from heam_sim.results import write_table

            write_table(path, self.to_frame())
            return (path,)
        figure, table = self.figure(columns=columns)
        return save_figure(figure, path, table)


def check_timeline_ending(path: str | Path) -> str:
    """Return the ending of a timeline's file; :class:`ConfigError` if it has another one.

    Parameters
    ----------
    path
        Name of a file.

    Returns
    -------
    str
        With its dot.
    """
    name = Path(path).name
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.endswith(ending) and name != ending:
            return ending
    raise unknown_name("ending of a timeline", "".join(Path(path).suffixes[-2:]), ENDINGS, where=str(path))


def timeline(
    source: LookupTrace | TraceFile | ReplayResult,
    *,
    window: Window | None = None,
    channels: Iterable[int] | None = None,
    most_slices: int = MOST_SLICES,
    **options: Any,
) -> Timeline:
    """Look inside a run.

    Parameters
    ----------
    source
        A trace, which is simulated, or a replay with ``record_commands=True``.
    window
        Which part; ``None``: a microsecond from the middle of the run.
    channels
        Show these only; the host's hits are those of these channels.
    most_slices
        Refuse more, which a browser cannot show.
    options
        Of a trace: those of :func:`heam_sim.simulate` (system, embedding, vector_bytes ...).

    Returns
    -------
    Timeline
        ``write("t.json")`` for Perfetto, ``write("t.pdf")`` for a paper, ``to_frame()`` for everything else.

    Raises
    ------
    ConfigError
        A parameter is not what it can be, the window has no commands, or too many slices.
    """
    if isinstance(source, ReplayResult):
        if options:
            raise ConfigError(f"timeline: a replay has no option {next(iter(options))!r}; give it to replay.")
        if not source.log.size:
            raise ConfigError("timeline: the replay has kept no commands; replay with record_commands=True.")
        count = len(source.channel_counters)
        memories, log, names = memory_of_spec(source.spec, count), source.log, source.command_names
    else:
        planned, run = record(source, **options)
        memories, log, names = memories_of_plan(planned), run.log, run.command_names
    about: dict[str, Any] = {"memories": [memory.spec.name for memory in memories.members]}
    if not isinstance(source, ReplayResult):
        about |= {"system": planned.system.name, "embedding": planned.scheme.label}
        about |= {"vector_bytes": planned.vector_bytes, "trace": planned.trace_hash}
    return _look(Marks(log, names, memories), window, channels, most_slices, about)


def log_timeline(
    log: CommandLog,
    memories: Memories,
    *,
    window: Window | None = None,
    channels: Iterable[int] | None = None,
    most_slices: int = MOST_SLICES,
) -> Timeline:
    """Look at a stored command log.

    Parameters
    ----------
    log
        As :func:`heam_sim.check.read_log` or :func:`heam_sim.check.read_any_log` gives it.
    memories
        What it is of: :func:`memories_of_system` or :func:`memory_of_spec`.
    window, channels, most_slices
        As for :func:`timeline`.

    Returns
    -------
    Timeline
        Times in ns.

    Raises
    ------
    ConfigError
        As there.
    CheckError
        The log has commands, banks or channels that the memories do not have.
    """
    about = {"memories": [memory.spec.name for memory in memories.members]}
    return _look(Marks(log.log, log.command_names, memories), window, channels, most_slices, about)


def _look(
    marks: Marks,
    window: Window | None,
    channels: Iterable[int] | None,
    most_slices: int,
    about: Mapping[str, Any],
) -> Timeline:
    if not marks.log.size:
        raise ConfigError("timeline: the command log is empty.")
    tick = marks.memories.tick_ps
    first, stop = resolve(window, marks.ticks, marks.tags, marks.memories)
    slices, stop = _to_the_end(marks, window, first, stop)
    slices = _of_channels(slices, marks.log, channels)
    if not (slices["kind"] == "command").any():
        raise ConfigError("timeline: there is no command in the window; choose another one.")
    if len(slices) > most_slices:
        length = float((stop - first) * tick / 1000)
        raise ConfigError(
            f"timeline: the window holds {len(slices):,} slices, more than {most_slices:,}; take a shorter "
            f"one (about {length * most_slices / len(slices):,.0f} of these {length:,.0f} ns), fewer "
            "channels, or allow more slices."
        )
    numbers = tuple(sorted(set(slices["track"].tolist())))
    return Timeline(
        slices=slices,
        track_numbers=numbers,
        tracks=tuple(marks.layout.track(number) for number in numbers),
        tick_ps=tick,
        first=first,
        stop=stop,
        log=marks.log,
        names=tuple(marks.names),
        tags=marks.tags,
        memories=marks.memories,
        about={**about, "first_ns": float(first * tick / 1000), "stop_ns": float(stop * tick / 1000)},
    )


def _to_the_end(marks: Marks, window: Window | None, first: int, stop: int) -> tuple[pd.DataFrame, int]:
    """Slices, and where the window ends: a bag's with its last burst, any with that of the log."""
    last = int(marks.ticks.max()) + 1
    bags = window if window is not None and window.kind in ("gnrs", "samples") else None
    slices = marks.slices(first, min(stop, last))
    if stop <= last and bags is None:
        return slices, stop
    moving = slices[slices["kind"] != "row"]
    if bags is not None:
        moving = moving[marks.in_bags(bags, moving["record"].to_numpy())]
    end = int(moving["stop"].max()) if len(moving) else stop
    stop = max(stop, end) if bags is not None else min(stop, max(end, last))
    return marks.slices(first, stop), stop


def _of_channels(slices: pd.DataFrame, log: NDArray[Any], channels: Iterable[int] | None) -> pd.DataFrame:
    if channels is None:
        return slices
    wanted: Sequence[int] = list(channels)
    most = int(log["channel"].max())
    for channel in wanted:
        if not 0 <= channel <= most:
            raise ConfigError(f"channels: the log has channels 0 to {most}, not {channel}.")
    return slices[np.isin(log["channel"][slices["record"]], wanted)].reset_index(drop=True)
