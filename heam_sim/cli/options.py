# SPDX-License-Identifier: MIT
"""Options that several commands share."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
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

from heam_sim.datasets import generate, read_dataset
from heam_sim.errors import ConfigError
from heam_sim.trace import LookupTrace

__all__ = [
    "channel_range",
    "lookup_progress",
    "parse_overrides",
    "parse_settings",
    "progress_bar",
    "simulation_options",
    "trace_options",
    "wanted_trace",
    "whole_numbers",
]

_F = TypeVar("_F", bound=Callable[..., Any])


def trace_options(command: _F) -> _F:
    """Add the options that say which trace to use."""
    for option in reversed(
        (
            click.option(
                "--trace",
                "trace_file",
                type=click.Path(path_type=Path),
                help="Stored trace (HDF5), e.g. of `heam-sim trace generate`.",
            ),
            click.option(
                "--dataset",
                default="criteo-kaggle",
                show_default=True,
                help="Shape of a generated trace (see: heam-sim trace generate --help), or format of --path.",
            ),
            click.option(
                "--path", type=click.Path(path_type=Path), help="Real dataset file, read as --dataset."
            ),
            click.option(
                "--samples",
                type=int,
                help="Samples to generate or to read.  [default: 10000 generated, all of a file]",
            ),
            click.option("--seed", type=int, default=1, show_default=True, help="Seed of a generated trace."),
            click.option(
                "--pooling",
                type=int,
                help="Lookups per bag of a generated trace.  [default: the model's own, 1 for datasets]",
            ),
        )
    ):
        command = option(command)
    return command


def simulation_options(command: _F) -> _F:
    """Add the options that say what to simulate."""
    for option in reversed(
        (
            click.option(
                "--embedding",
                default="full",
                show_default=True,
                help="full, qr:4, qr:8:add, qr:4:pool-first, hash:0.25, partitions:3, tt:16 ...",
            ),
            click.option(
                "--vector-bytes", type=int, default=256, show_default=True, help="Bytes of a pooled vector."
            ),
            click.option(
                "--scope",
                type=click.Choice(["bag", "sample"]),
                default="bag",
                show_default=True,
                help="What is pooled into one vector: each bag, or all bags of a sample.",
            ),
            click.option(
                "--profile",
                type=float,
                default=0.2,
                show_default=True,
                help="Share of the samples that decides placement; the rest is simulated.",
            ),
            click.option(
                "--set",
                "settings",
                multiple=True,
                metavar="KEY=VALUE",
                help="Change a parameter of the system, e.g. host.llc_bytes=0; repeatable.",
            ),
        )
    ):
        command = option(command)
    return command


def wanted_trace(
    trace_file: Path | None,
    dataset: str,
    path: Path | None,
    samples: int | None,
    seed: int,
    pooling: int | None,
) -> LookupTrace:
    """Load, read or generate the trace that the options ask for."""
    if trace_file is not None:
        if path is not None:
            raise ConfigError("--trace and --path: give one of them.")
        loaded = LookupTrace.load(trace_file)
        return loaded if samples is None else loaded.samples_slice(0, min(samples, loaded.samples))
    if path is not None:
        return read_dataset(dataset, path, samples=samples)
    return generate(dataset, samples=10_000 if samples is None else samples, seed=seed, pooling=pooling)


def parse_settings(settings: tuple[str, ...], example: str = "scale=16") -> dict[str, Any]:
    """Read ``key=value`` pairs; values are TOML (numbers, true, "text") or plain words."""
    found: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise ConfigError(f"--set {setting}: write KEY=VALUE, e.g. --set {example}.")
        try:
            found[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value.strip()
    return found


def parse_overrides(settings: tuple[str, ...]) -> dict[str, Any]:
    """Read changed parameters of systems."""
    return parse_settings(settings, "host.llc_bytes=0")


def channel_range(text: str | None) -> range | None:
    """Read the channels that an option names, e.g. 3 or 0-7."""
    if text is None:
        return None
    first, _, last = text.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()):
        raise ConfigError(f"--channels {text}: write a channel or a range, e.g. 0-7.")
    if last and int(last) < int(first):
        raise ConfigError(f"--channels {text}: ends before it begins; write the lower channel first.")
    return range(int(first), int(last or first) + 1)


def whole_numbers(name: str, text: str | None) -> int | list[int] | None:
    """Read what an option says for all tables together, or for one after the other with commas."""
    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"{name} {text}: write one number, or one per table with commas.") from None
    return numbers[0] if len(numbers) == 1 else numbers


def lookup_progress(console: Console) -> Progress:
    """Make a bar for samples, with their rate and the time left; nothing where there is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


class _Rate(ProgressColumn):
    """Samples per second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f} samples/s")


def progress_bar(console: Console) -> Progress:
    """Make a bar with description, count, time taken and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
