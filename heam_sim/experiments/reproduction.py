# SPDX-License-Identifier: MIT
"""The reproduction study: one trace, all systems, tables and figures."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from heam_sim.datasets import expand_multi_hot, generate, read_dataset
from heam_sim.energy import energy_ratio
from heam_sim.errors import ConfigError
from heam_sim.experiments.claims import claims_table
from heam_sim.experiments.points import Point, freeze
from heam_sim.experiments.runner import Failure, check_workers, run_points
from heam_sim.lowering.lower import Scope
from heam_sim.plotting import energy_stack, save_figure, speedup_bars
from heam_sim.results import Result, ResultSet
from heam_sim.results.atomic import make_folder, write_atomically

__all__ = ["BAG_POOLING", "VARIANTS", "Study", "reproduce", "study_points", "summarise"]

SYSTEMS = ("host-dimm", "host-hbm-dimm", "recnmp", "heam")
EMBEDDINGS = ("full", "qr:4:multiply", "qr:8:multiply")
VECTOR_BYTES = (64, 128, 256, 512)
SCOPES: tuple[Scope, ...] = ("sample", "bag")
#: Lookups per bag of the multi-hot expansion (assumed; Criteo itself is one-hot).
BAG_POOLING = 8
_PSEUDO_CHANNELS: dict[str, object] = {"hbm.memory": "native/HBM2_4Gb/HBM2_2000", "hbm.power": "hbm2-4gb"}
#: What a variant changes.
VARIANTS: dict[str, dict[str, object]] = {
    "default": {},
    "no host LLC": {"host.llc_bytes": 0},
    "HBM2 pseudo channels": _PSEUDO_CHANNELS,
}
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Study:
    """What the study left.

    Attributes
    ----------
    results
        All results.
    summary, claims
        The tables in ``summary.csv`` and ``claims.csv``.
    files
        Everything that was written.
    """

    results: ResultSet
    summary: pd.DataFrame
    claims: pd.DataFrame
    files: tuple[Path, ...]


def study_points(*, quick: bool = False) -> tuple[Point, ...]:
    """Return the simulations of the study.

    The main grid is systems x embeddings x vector sizes x pooling scopes. Two variants of the scope
    ``sample`` and the smaller
    compression show what two assumptions are worth: the host's LLC, and the view of HBM2.
    """
    embeddings = EMBEDDINGS[:2] if quick else EMBEDDINGS
    sizes = (64, 256) if quick else VECTOR_BYTES
    points = [
        _point(system, embedding, size, scope)
        for scope in SCOPES
        for embedding in embeddings
        for size in sizes
        for system in SYSTEMS
    ]
    if quick:
        return tuple(points)
    for size in sizes:
        points += [_point(system, EMBEDDINGS[1], size, "sample", "no host LLC") for system in SYSTEMS]
        points += [
            _point(system, EMBEDDINGS[1], size, "sample", "HBM2 pseudo channels")
            for system in ("host-hbm-dimm", "heam")
        ]
    return tuple(points)


def _point(system: str, embedding: str, size: int, scope: Scope, variant: str = "default") -> Point:
    return Point(
        trace=scope,
        system=system,
        embedding=embedding,
        vector_bytes=size,
        scope=scope,
        overrides=freeze(VARIANTS[variant]),
        variant=variant,
    )


def _store_traces(
    output: Path, *, dataset: str, path: Path | None, samples: int | None, seed: int
) -> dict[str, Path]:
    """Store the one-hot trace, and its multi-hot expansion with an eighth of the samples: as many lookups."""
    if path is None:
        one_hot = generate(dataset, samples=10_000 if samples is None else samples, seed=seed)
        bags = one_hot.samples // BAG_POOLING
        multi_hot = generate(dataset, samples=bags, seed=seed, pooling=BAG_POOLING)
    else:
        one_hot = read_dataset(dataset, path, samples=samples)
        bags = one_hot.samples // BAG_POOLING
        multi_hot = expand_multi_hot(one_hot, pooling=BAG_POOLING, seed=seed).samples_slice(0, bags)
    if one_hot.samples < 2 * BAG_POOLING:
        raise ConfigError(
            f"samples: {one_hot.samples} are too few for the study; use at least {2 * BAG_POOLING}."
        )
    files = {"sample": output / "trace.h5", "bag": output / "trace-multi-hot.h5"}
    one_hot.save(files["sample"])
    multi_hot.save(files["bag"])
    return files


def summarise(points: tuple[Point, ...], results: ResultSet) -> pd.DataFrame:
    """Return a row per simulation, with speed-ups over host-dimm (same embedding, and full tables).

    Energy saved over host-dimm with the same embedding has the interval that the sources leave;
    ``energy_ranking_flips`` says that they leave open which of the two takes less.
    """
    frame = results.to_frame()
    frame.insert(0, "variant", [point.variant for point in points])
    found = {
        (p.variant, p.system, p.embedding, p.vector_bytes, p.scope): r
        for p, r in zip(points, results, strict=True)
    }

    def base(point: Point, embedding: str) -> Result:
        keys = [
            (variant, "host-dimm", embedding, point.vector_bytes, point.scope)
            for variant in (point.variant, "default")
        ]
        return next(found[key] for key in keys if key in found)

    pairs = [(r, base(p, p.embedding), base(p, "full")) for p, r in zip(points, results, strict=True)]
    same = [r.samples_per_second / like.samples_per_second for r, like, _ in pairs]
    full = [r.samples_per_second / whole.samples_per_second for r, _, whole in pairs]
    frame.insert(9, "speedup_over_host_dimm", same)
    frame.insert(10, "speedup_over_host_dimm_full", full)
    ratios = [
        energy_ratio(r.energy, like.energy, first_work=r.samples, second_work=like.samples)
        for r, like, _ in pairs
    ]
    at = list(frame.columns).index("average_power_W")
    frame.insert(at, "energy_saved_over_host_dimm", [1 - ratio.value for ratio in ratios])
    frame.insert(at + 1, "energy_saved_over_host_dimm_low", [1 - ratio.high for ratio in ratios])
    frame.insert(at + 2, "energy_saved_over_host_dimm_high", [1 - ratio.low for ratio in ratios])
    frame.insert(at + 3, "energy_ranking_flips", [ratio.flips for ratio in ratios])
    return frame


def _figures(summary: pd.DataFrame, output: Path) -> list[Path]:
    main = summary[summary["variant"] == "default"]
    files: list[Path] = []
    for scope in SCOPES:
        part = main[main["scope"] == scope]
        figure, table = speedup_bars(part)
        files += save_figure(figure, output / f"speedup-{scope}", table)
        figure, table = energy_stack(part)
        files += save_figure(figure, output / f"energy-{scope}", table)
    return files


def reproduce(
    output: str | os.PathLike[str],
    *,
    dataset: str = "criteo-kaggle",
    path: str | os.PathLike[str] | None = None,
    samples: int | None = None,
    seed: int = 1,
    quick: bool = False,
    workers: int = 2,
    check: bool = False,
    progress: Progress | None = None,
) -> Study:
    """Run the study and write its tables and figures.

    Parameters
    ----------
    output
        Folder for ``summary.csv``, ``results.h5``, ``claims.csv``, the traces and the figures; made if it is
        missing.
    dataset, path
        A generated trace of this shape, or the real file at `path`.
    samples
        How many; 10,000 generated ones (1,000 with `quick`) or the whole file by default.
    seed
        Of the generator and of the multi-hot expansion.
    quick
        A reduced set.
    workers
        Processes.
    check
        Check every command log (slow).
    progress
        Called with points done, points in all and the name of the last.

    Raises
    ------
    HeamSimError
        As :func:`heam_sim.simulate`; :class:`~heam_sim.errors.OutputError` for a folder that cannot be
        written.
    """
    check_workers(workers)
    folder = Path(output)
    make_folder(folder)
    if quick and samples is None and path is None:
        samples = 1_000
    traces = _store_traces(
        folder, dataset=dataset, path=None if path is None else Path(path), samples=samples, seed=seed
    )
    points = study_points(quick=quick)
    outcome = run_points(points, traces, workers=workers, check=check, progress=_told(progress))
    for failure in outcome.failures:
        _refuse(failure)
    provenance = {
        "study": "reproduce",
        "dataset": dataset,
        "seed": seed,
        "quick": quick,
        "generated": path is None,
        "bag_pooling": BAG_POOLING,
    }
    results = ResultSet(outcome.results.values(), provenance=provenance)
    summary = summarise(points, results)
    claims = claims_table(summary)
    files = _write(folder, results, summary, claims)
    return Study(
        results,
        summary,
        claims,
        (*files, *traces.values(), *_figures(summary, folder)),
    )


def _told(progress: Progress | None) -> Callable[[int, int, int, str], None] | None:
    return None if progress is None else lambda done, total, failed, label: progress(done, total, label)


def _refuse(failure: Failure) -> None:
    """The study compares its points with each other, so it needs all of them."""
    if failure.error is not None:
        raise failure.error
    raise ConfigError(f"{failure.point.label}: {failure.message}.")


def _write(folder: Path, results: ResultSet, summary: pd.DataFrame, claims: pd.DataFrame) -> list[Path]:
    files = [folder / "results.h5", folder / "summary.csv", folder / "claims.csv"]
    results.save(files[0])
    for file, frame in zip(files[1:], (summary, claims), strict=True):
        write_atomically(file, lambda part, frame=frame: frame.to_csv(part, index=False, lineterminator="\n"))  # type: ignore[misc]
    return files
