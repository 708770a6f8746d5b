# SPDX-License-Identifier: MIT
"""``heam-sim replay`` and ``check``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from heam_sim.check import check_protocol, log_ending, read_any_log, write_log
from heam_sim.cli.completion import complete_preset
from heam_sim.cli.options import channel_range, parse_overrides
from heam_sim.cli.output import json_option, notes_console, print_json
from heam_sim.dram import derive_pim, load_spec
from heam_sim.dram.controller import REFRESHES, ROW_POLICIES, SCHEDULERS
from heam_sim.errors import CheckError, ConfigError
from heam_sim.traffic import ReplayResult, read_requests, replay_chunks

__all__ = ["check", "replay_command"]

_DEFAULT = "native/DDR4_8Gb_x8/DDR4_3200"


def _statistics(result: ReplayResult) -> list[tuple[str, float, str]]:
    """Name, value and unit of everything that was measured; latencies only if there were reads."""
    latency = result.latency
    rows: list[tuple[str, float, str]] = [
        ("time", result.time_ns, "ns"),
        ("bandwidth", result.bandwidth_GBps, "GB/s"),
        ("mean read latency", latency.mean, "cycles"),
    ]
    if latency.count:
        rows += [
            (f"p{percent} read latency", latency.percentile(percent), "cycles") for percent in (50, 95, 99)
        ]
        rows.append(("largest read latency", latency.max, "cycles"))
    rows += [(one.name, result.counters[one.name], one.unit) for one in result.statistics]
    return rows


_DIGITS = {"time": 1, "bandwidth": 3, "mean read latency": 2}


def _counter_table(result: ReplayResult) -> Table:
    table = Table(title=f"{result.requests:,} requests on {result.spec.name}")
    table.add_column("statistic")
    table.add_column("value", justify="right")
    table.add_column("unit")
    counters = {one.name for one in result.statistics}
    for name, value, unit in _statistics(result):
        if value or name not in counters:
            table.add_row(name, f"{value:,.{_DIGITS[name]}f}" if name in _DIGITS else f"{value:,}", unit)
    return table


@click.command("replay")
@click.argument("requests", type=click.Path(path_type=Path))
@click.option(
    "--preset",
    default=_DEFAULT,
    show_default=True,
    help="Memory (see: heam-sim spec list).",
    shell_complete=complete_preset,
)
@click.option("--channels", type=int, default=1, show_default=True, help="Channels of that memory.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a count or timing, e.g. rank=2; repeatable.",
)
@click.option(
    "--offers-per-cycle", type=int, default=1, show_default=True, help="Requests offered per cycle."
)
@click.option(
    "--refresh",
    type=click.Choice(REFRESHES),
    default="all-bank",
    show_default=True,
    help="What is refreshed at once.",
)
@click.option("--refresh-stagger", is_flag=True, help="Ranks in turn instead of all at once.")
@click.option(
    "--refresh-postpone", type=int, default=0, show_default=True, help="Intervals that a refresh may wait."
)
@click.option(
    "--scheduler",
    type=click.Choice(SCHEDULERS),
    default="frfcfs",
    show_default=True,
    help="Which request goes first.",
)
@click.option("--row-hit-cap", type=int, help="With frfcfs-cap: column commands before an older request.")
@click.option(
    "--row-policy",
    type=click.Choice(ROW_POLICIES),
    default="open",
    show_default=True,
    help="When an open row is closed.",
)
@click.option("--row-timeout", type=int, help="With timeout: cycles after the last use.")
@click.option("--row-cap", type=int, help="With capped: column commands of an open row.")
@click.option(
    "--address-map", default="RoBaRaCoCh", show_default=True, help="Name, field list or DRAMsim3's letters."
)
@click.option("--read-queue", type=int, default=32, show_default=True, help="Reads that a channel holds.")
@click.option("--write-queue", type=int, default=32, show_default=True, help="Writes that a channel holds.")
@click.option("--write-high-percent", type=int, default=80, show_default=True, help="Above: writes first.")
@click.option("--write-low-percent", type=int, default=20, show_default=True, help="Below: reads again.")
@click.option(
    "--front-end",
    type=click.Choice(["shared", "per-channel"]),
    default="shared",
    show_default=True,
    help="One for all channels, or one each: then no channel waits for another.",
)
@click.option(
    "--threads", type=int, default=1, show_default=True, help="For --front-end per-channel; same results."
)
@click.option("--stop", is_flag=True, help="Stop with the last acceptance instead of draining.")
@click.option("--commands", type=click.Path(path_type=Path), help="Store the command log (.npz or .csv).")
@json_option
def replay_command(
    requests: Path,
    preset: str,
    channels: int,
    settings: tuple[str, ...],
    offers_per_cycle: int,
    address_map: str,
    front_end: str,
    threads: int,
    stop: bool,
    commands: Path | None,
    as_json: bool,
    **controller: Any,
) -> None:
    """Replay the request stream in REQUESTS: LD/ST or DRAMsim3 text, .npz or .h5, plain or gzipped.

    Prints time, bandwidth, read latencies and counters of one memory behind queues, scheduler and row policy.

    Example: heam-sim replay requests.txt.gz --preset ramulator-2.1/DDR4_8Gb_x8/DDR4_2400R --set rank=2
    """
    if commands is not None:
        log_ending(commands)  # a long run should not end with a name that cannot be
    result = replay_chunks(
        read_requests(requests),
        preset=preset,
        channels=channels,
        overrides=parse_overrides(settings),
        offers_per_cycle=offers_per_cycle,
        record_commands=commands is not None,
        address_map=address_map,
        drain=not stop,
        **controller,
        front_end=front_end,
        threads=threads,
    )
    if as_json:
        rows = [
            {"statistic": name, "value": value, "unit": unit} for name, value, unit in _statistics(result)
        ]
        print_json({"memory": result.spec.name, "requests": result.requests, "statistics": rows})
    else:
        Console().print(_counter_table(result))
    if commands is not None:
        write_log(commands, result.log, result.command_names)


@click.command("check")
@click.argument("commands", type=click.Path(path_type=Path))
@click.option(
    "--spec",
    "name",
    required=True,
    help="Memory whose protocol must hold (see: heam-sim spec list).",
    shell_complete=complete_preset,
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a count or timing, e.g. rank=2; repeatable.",
)
@click.option("--pim-level", help="Level of the PEs, for logs with PIM commands.")
@click.option("--merge-level", help="Level of the node that merges partials.")
@click.option("--channels", help="Check these only, e.g. 0-7.")
@click.option("--no-refresh", is_flag=True, help="The run had no refresh: do not check deadlines.")
@click.option("--postponed", type=int, help="Refreshes that may be postponed.  [default: of the standard]")
@click.option("--closed-precharge", is_flag=True, help="Accept PREpb on a closed bank.")
@click.option("--show", type=int, default=20, show_default=True, help="Violations to print.")
@json_option
def check(
    commands: Path,
    name: str,
    settings: tuple[str, ...],
    pim_level: str | None,
    merge_level: str | None,
    channels: str | None,
    no_refresh: bool,
    postponed: int | None,
    closed_precharge: bool,
    show: int,
    as_json: bool,
) -> None:
    """Hold the command log COMMANDS (.npz or .csv, ours or Ramulator's) against every rule of a memory.

    The status is 0 if all commands obey, 2 if not. The checker shares nothing with the engine.

    Example: heam-sim check commands.npz --spec native/DDR4_8Gb_x8/DDR4_3200 --set rank=2
    """
    overrides: dict[str, Any] = parse_overrides(settings)
    spec = load_spec(name, overrides=overrides or None)
    if pim_level is not None:
        spec = derive_pim(spec, pim_level, merge_level, immediates=True)
    stored = read_any_log(commands, spec)
    wanted = channel_range(channels)
    if wanted is not None and stored.log.size and wanted.stop - 1 > int(np.max(stored.log["channel"])):
        raise ConfigError(
            f"--channels {channels}: the log has channels up to {int(np.max(stored.log['channel']))}."
        )
    report = check_protocol(
        stored.log,
        stored.command_names,
        spec,
        channel=wanted,
        refresh=not no_refresh,
        postponed_refreshes=postponed,
        allow_closed_precharge=closed_precharge,
        limit=max(show, 1),
    )
    console = notes_console(as_json)
    if as_json:
        messages = [violation.message for violation in report.violations[:show]]
        print_json(
            {
                "memory": spec.name,
                "commands": report.commands,
                "counts": report.counts,
                "violations": messages,
            }
        )
    else:
        for violation in report.violations[:show]:
            console.print(violation.message, highlight=False)
        for label, count in report.counts.items():
            console.print(f"{count:,} x {label}", highlight=False)
    if not report.ok:
        raise CheckError(
            f"{commands}: {sum(report.counts.values())} violations in {report.commands} commands."
        )
    console.print(f"{report.commands:,} commands obey {spec.name}.", highlight=False)
