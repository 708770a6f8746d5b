# SPDX-License-Identifier: MIT
"""``heam-sim timeline``: a window of a command log for a browser or a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heam_sim.check import read_any_log, read_log
from heam_sim.cli.completion import complete_preset, complete_system
from heam_sim.cli.options import (
    channel_range,
    parse_overrides,
    simulation_options,
    trace_options,
    wanted_trace,
)
from heam_sim.dram import derive_pim, load_spec
from heam_sim.errors import ConfigError

if TYPE_CHECKING:
    from heam_sim.timelines import Timeline, Window

__all__ = ["timeline_command"]


@click.command("timeline")
@click.option(
    "--system",
    help="Simulate this system, or take the memories of --commands from it.  [default: heam]",
    shell_complete=complete_system,
)
@click.option(
    "--commands",
    type=click.Path(path_type=Path),
    help="A stored command log (.npz, .csv, Ramulator's) in place of a run; with --spec or --system.",
)
@click.option(
    "--spec", help="Memory that --commands is of (see: heam-sim spec list).", shell_complete=complete_preset
)
@click.option("--pim-level", help="With --spec: level of the PEs, for logs with PIM commands.")
@click.option("--merge-level", help="With --spec: level of the node that merges partials.")
@click.option(
    "--window",
    metavar="KIND=A:B",
    help="From A to before B: ns=1000:2000, cycles=500:900 (of the first memory), gnrs=12:16, gnrs=12 or "
    "samples=3.  [default: 1000 ns from the middle]",
)
@click.option("--channels", help="These only, e.g. 0-3; numbered over all memories.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    multiple=True,
    default=("timeline.json",),
    show_default=True,
    help=".json or .json.gz: for Perfetto or Chrome; .pdf or .png: a figure, with its table; .csv: all "
    "slices. Repeatable.",
)
@click.option(
    "--columns",
    type=click.IntRange(1, 2),
    default=2,
    show_default=True,
    help="Width of a figure on the page.",
)
@click.option(
    "--magnify",
    type=click.IntRange(1, 10**6),
    default=1,
    show_default=True,
    help="So many times the time in .json: with 1000 Perfetto, which keeps whole ns, shows ps as ns.",
)
@click.option(
    "--most-slices",
    type=click.IntRange(min=1),
    help="Refuse more.  [default: 200000, which a browser can show]",
)
@trace_options
@simulation_options
def timeline_command(
    system: str | None,
    commands: Path | None,
    spec: str | None,
    pim_level: str | None,
    merge_level: str | None,
    window: str | None,
    channels: str | None,
    output: tuple[Path, ...],
    columns: int,
    magnify: int,
    most_slices: int | None,
    settings: tuple[str, ...],
    **options: Any,
) -> None:
    """Write the commands of a window as a timeline.

    It has tracks for channels, ranks or pseudo channels, bank groups, banks, PEs and LUTs.

    The commands are those of a simulation, with the options of `simulate`, or of a stored log (--commands).
    Open the .json in ui.perfetto.dev.

    Example: heam-sim timeline --system heam --embedding qr:4 --samples 500 --window gnrs=1000:1004
    """
    from heam_sim.timelines import MOST_SLICES, check_timeline_ending

    for path in output:
        check_timeline_ending(path)
    shared: dict[str, Any] = {
        "window": None if window is None else _window(window),
        "channels": channel_range(channels),
        "most_slices": MOST_SLICES if most_slices is None else most_slices,
    }
    overrides = parse_overrides(settings)
    if commands is not None:
        if options["trace_file"] is not None or options["path"] is not None:
            raise ConfigError("--commands and --trace or --path: a stored log is not simulated; give one.")
        made = _stored(commands, system, spec, pim_level, merge_level, overrides, shared)
    else:
        if spec is not None or pim_level is not None or merge_level is not None:
            raise ConfigError("--spec, --pim-level and --merge-level belong to --commands; use --system.")
        made = _simulated(system or "heam", overrides, options, shared)
    click.echo(
        f"{made.commands:,} commands from {made.ns(made.first):,.2f} to {made.ns(made.stop):,.2f} ns: "
        f"{len(made.slices):,} slices on {len(made.tracks)} tracks"
    )
    for path in output:
        for written in made.write(path, magnify=magnify, columns=columns):
            click.echo(f"wrote {written}")


def _simulated(
    system: str, overrides: dict[str, Any], options: dict[str, Any], shared: dict[str, Any]
) -> Timeline:
    from heam_sim.timelines import timeline

    names = ("trace_file", "dataset", "path", "samples", "seed", "pooling")
    trace = wanted_trace(*(options.pop(name) for name in names))
    return timeline(trace, system=system, overrides=overrides, **options, **shared)


def _stored(
    commands: Path,
    system: str | None,
    name: str | None,
    pim_level: str | None,
    merge_level: str | None,
    overrides: dict[str, Any],
    shared: dict[str, Any],
) -> Timeline:
    from heam_sim.timelines import log_timeline, memories_of_system, memory_of_spec

    if (name is None) == (system is None):
        raise ConfigError("--commands: name what the log is of, with --spec or with --system.")
    if system is not None:
        return log_timeline(read_log(commands), memories_of_system(system, overrides), **shared)
    assert name is not None, "one of them is given"
    spec = load_spec(name, overrides=overrides or None)
    if pim_level is not None:
        spec = derive_pim(spec, pim_level, merge_level, immediates=True)
    stored = read_any_log(commands, spec)
    channels = int(stored.log["channel"].max(initial=0)) + 1
    return log_timeline(stored, memory_of_spec(spec, channels), **shared)


def _window(text: str) -> Window:
    from heam_sim.timelines import Window

    kind, equals, span = text.partition("=")
    first, colon, stop = span.partition(":")
    number = float if kind == "ns" else int
    try:
        begin = number(first)
        end = number(stop) if colon else begin + 1
    except ValueError:
        equals = ""
    if not equals:
        raise ConfigError(
            f"--window {text}: write e.g. ns=1000:2000, cycles=500:900, gnrs=12 or samples=3:5."
        )
    return Window(kind, begin, end)
