# SPDX-License-Identifier: MIT
"""Best against best: every system at its published settings and at the best that one search budget finds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from heam_sim.errors import ClusterError, ConfigError, HeamSimError
from heam_sim.experiments.comparisons import BASELINE
from heam_sim.experiments.points import Point
from heam_sim.experiments.runner import Progress
from heam_sim.experiments.tune import TRIALS, Tuned, tune
from heam_sim.results import ResultSet, write_table
from heam_sim.results.export import records
from heam_sim.systems import known_systems
from heam_sim.trace import LookupTrace

__all__ = ["best_table", "default_trials", "read_best", "search_best", "write_best"]

_TABLE = "tuned.csv"


def default_trials(selection: str) -> int:
    """Trials of a selection of the study: the usual budget for the full one, if Optuna is there."""
    return TRIALS if selection == "full" and find_spec("optuna") is not None else 0


def search_best(
    folder: Path,
    trace: LookupTrace,
    base: Point,
    *,
    trials: int,
    workers: int = 2,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> tuple[list[Tuned], list[str]]:
    """Search the best settings of all systems at a base point, with full tables and with its embedding.

    Returns
    -------
    list of Tuned, and list of str
        What was found, and why a system could not be searched.
    """
    found: list[Tuned] = []
    failures: list[str] = []
    for embedding in dict.fromkeys(("full", base.embedding)):
        for system in known_systems():
            try:
                found.append(
                    tune(
                        system,
                        trace,
                        folder=folder,
                        embedding=embedding,
                        vector_bytes=base.vector_bytes,
                        scope=base.scope,
                        profile=base.profile,
                        trials=trials,
                        workers=workers,
                        scheduler=scheduler,
                        progress=progress,
                    )
                )
            except ClusterError:
                raise
            except HeamSimError as error:
                failures.append(f"{system} {embedding}: {error}")
    return found, failures


def best_table(found: Sequence[Tuned]) -> pd.DataFrame:
    """Return a row per search: both ends on the whole trace, the gain, and what the best changes.

    ``published_speedup`` and ``best_speedup`` are over host-dimm at its published and at its best settings
    with the same embedding (NaN where it was not searched).

    Parameters
    ----------
    found
        As :func:`tune` returns them.

    Returns
    -------
    pandas.DataFrame
        Times in ns per sample, energies in pJ per sample, as the columns' names say.
    """
    table = pd.DataFrame(
        {
            "system": one.system,
            "embedding": one.best.embedding,
            "vector_bytes": one.best.vector_bytes,
            "scope": one.best.scope,
            "trace_hash": str(one.best.provenance["trace_hash"]),
            "goal": one.goal,
            "published_ns_per_sample": one.published.time_ns / one.published.samples,
            "best_ns_per_sample": one.best.time_ns / one.best.samples,
            "published_pJ_per_sample": one.published.energy_per_sample_pJ,
            "best_pJ_per_sample": one.best.energy_per_sample_pJ,
            "gain": one.gain,
            "trials": len(one.trials),
            "trials_that_cannot_be": int((one.trials["reason"] != "").sum()),
            "changes": "; ".join(f"{key} = {value}" for key, value in one.overrides.items()),
        }
        for one in found
    )
    for end in ("published", "best"):
        host = table[table["system"] == BASELINE].set_index("embedding")[f"{end}_ns_per_sample"]
        times = table[f"{end}_ns_per_sample"]
        over = table["embedding"].map(host) if len(host) else math.nan
        table.insert(table.columns.get_loc("gain"), f"{end}_speedup", over / times)  # type: ignore[arg-type]
    return table


def write_best(
    folder: Path, found: Sequence[Tuned], *, search: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Write ``tuned.csv``, ``trials-SYSTEM-EMBEDDING.csv`` and ``results.h5``; returns the first.

    Parameters
    ----------
    folder, found
        Where, and what.
    search
        Options of the search, kept in the provenance of ``results.h5`` beside the table.
    """
    table = best_table(found)
    frames = {_TABLE: table}
    for one in found:
        name = f"{Path(one.system).stem}-{one.best.embedding.replace(':', '-')}"
        frames[f"trials-{name}.csv"] = one.trials
    for file, frame in frames.items():
        write_table(folder / file, frame)
    ends = [result for one in found for result in (one.published, one.best)]
    provenance = {"study": "tune", "order": "published, best of each search"}
    alone = {"searches": records(table), "search": dict(search or {})}
    ResultSet(ends, provenance=provenance | alone).save(folder / "results.h5")
    return table


def read_best(folder: Path, trace: LookupTrace, base: Point) -> pd.DataFrame | None:
    """Return what a search has left in a folder for a trace, vector size and scope; None if there is nothing.

    Raises
    ------
    ConfigError
        The table is of another version.
    """
    file = folder / _TABLE
    if not file.is_file():
        return None
    table = pd.read_csv(file, keep_default_na=False, na_values=[""])
    if not {"trace_hash", "best_speedup"} <= set(table.columns):
        raise ConfigError(f"{file}: is a table of an older version; search again or remove it.")
    wanted = {"trace_hash": trace.content_hash, "vector_bytes": base.vector_bytes, "scope": base.scope}
    for name, value in wanted.items():
        table = table[table[name] == value]
    table = table.fillna({"changes": ""}).reset_index(drop=True)
    return None if table.empty else table
