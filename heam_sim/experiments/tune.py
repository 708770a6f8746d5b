# SPDX-License-Identifier: MIT
"""The best settings of a system that a search of a fixed budget finds: best against best.

Every system gets the same search: the same parameters as far as it has them, the same number of trials, the
same seed. The published settings are the first trial, so the best is never worse on the trials' trace.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from heam_sim.errors import ConfigError, unknown_name
from heam_sim.experiments.points import Point, freeze
from heam_sim.experiments.runner import Progress, check_workers, run_points
from heam_sim.lowering.lower import Scope
from heam_sim.results import Result
from heam_sim.results.atomic import make_folder
from heam_sim.systems import load_system
from heam_sim.trace import LookupTrace

if TYPE_CHECKING:
    import optuna

__all__ = ["GOALS", "LOOKUPS", "TRIALS", "Tuned", "search_space", "tune"]

TRIALS = 48
LOOKUPS = 20_000
# Asked at once and told together: the search is the same on any number of workers.
_BATCH = 4
# Trials before the sampler starts to learn (Optuna's default is 10).
_STARTUP = 12

#: What is made small, per sample.
GOALS = ("time", "energy", "energy-delay")


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes
    ----------
    system
        Its name.
    goal
        One of :data:`GOALS`.
    overrides
        What the best setting changes; empty if the published one is the best.
    published, best
        Both on the whole trace, not only on the part that the trials saw.
    trials
        A row per trial: ``number``, a column per parameter, ``value`` (the goal; NaN if the setting cannot
        be) and ``reason`` (why it cannot).
    """

    system: str
    goal: str
    overrides: dict[str, Any]
    published: Result
    best: Result
    trials: pd.DataFrame

    @property
    def gain(self) -> float:
        """Goal of the published setting over that of the best, on the whole trace."""
        return goal_value(self.published, self.goal) / goal_value(self.best, self.goal)


def goal_value(result: Result, goal: str) -> float:
    """Return what a search makes small: ns, pJ or pJ x ns, per sample."""
    time, energy = result.time_ns / result.samples, result.energy_per_sample_pJ
    return {"time": time, "energy": energy, "energy-delay": time * energy}[goal]


@functools.cache
def _parameters() -> tuple[tuple[str, tuple[Any, ...]], ...]:
    text = (resources.files("heam_sim.experiments") / "data" / "search_space.toml").read_text(
        encoding="utf-8"
    )
    return tuple((row["key"], tuple(row["values"])) for row in tomllib.loads(text)["parameter"])


def search_space(system: str, overrides: Mapping[str, Any] | None = None) -> dict[str, tuple[Any, ...]]:
    """Return the parameters that a search may change in a system, with their choices.

    The published value is always among them.
    """
    described = load_system(system, overrides=overrides).to_dict()
    tiers = {tier["name"]: tier for tier in described["tiers"]}
    parts = {"host": described["host"], "placement": described["placement"]}
    space: dict[str, tuple[Any, ...]] = {}
    for key, values in _parameters():
        head, *path = key.split(".")
        for name, node in tiers.items() if head == "*" else [(head, parts[head])]:
            present = _value(node, path)
            if present:
                choices = values if present in values else (present, *values)
                space[".".join((name, *path))] = choices
    return space


def _value(node: Any, path: list[str]) -> Any:
    for part in path:
        node = None if node is None else node.get(part)
    return node


def _published(
    space: Mapping[str, tuple[Any, ...]], system: str, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    described = load_system(system, overrides=overrides).to_dict()
    tiers = {tier["name"]: tier for tier in described["tiers"]}
    found = {}
    for key in space:
        head, *path = key.split(".")
        found[key] = _value(tiers[head] if head in tiers else described[head], path)
    return found


def _study(seed: int) -> optuna.Study:
    try:
        import optuna
    except ImportError:
        raise ConfigError("tune: needs Optuna; install it with `pip install 'heam-sim[tune]'`.") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP)
    return optuna.create_study(direction="minimize", sampler=sampler)


def _short(trace: LookupTrace, lookups: int, profile: float) -> LookupTrace:
    """The first samples, as many as give so many timed lookups."""
    per_sample = max(1.0, trace.lookups / max(trace.samples, 1))
    samples = int(lookups / per_sample / (1 - profile)) + 1
    return trace.samples_slice(0, min(samples, trace.samples))


def tune(
    system: str,
    trace: LookupTrace,
    *,
    folder: Path,
    embedding: str = "full",
    vector_bytes: int = 256,
    scope: Scope = "bag",
    profile: float = 0.2,
    overrides: Mapping[str, Any] | None = None,
    goal: str = "time",
    trials: int = TRIALS,
    lookups: int = LOOKUPS,
    seed: int = 1,
    workers: int = 2,
    progress: Progress | None = None,
) -> Tuned:
    """Search the settings of one system.

    Parameters
    ----------
    system
        Name or description file.
    trace
        What it is to be good at.
    folder
        Where traces and the results of all trials are kept: a search that is repeated, or was interrupted,
        simulates only what is not there yet.
    embedding, vector_bytes, scope, profile, overrides
        As in :func:`heam_sim.simulate`; `overrides` hold in every trial.
    goal
        One of :data:`GOALS`.
    trials
        Settings that are tried, the published one included.
    lookups
        Timed lookups of a trial.
    seed
        Of the sampler (a tree-structured Parzen estimator, Optuna).
    workers
        Processes; the outcome does not depend on them.

    Raises
    ------
    ConfigError
        An unknown goal, too few trials or lookups, no Optuna, or a system that cannot be simulated as it is
        published.
    """
    if goal not in GOALS:
        raise unknown_name("goal", goal, GOALS, where="goal")
    for name, number in (("trials", trials), ("lookups", lookups)):
        if number < 1:
            raise ConfigError(f"{name}: {number} is too few; use at least 1.")
    check_workers(workers)
    fixed = dict(overrides or {})
    space = search_space(system, fixed)
    files = {"whole": folder / "trace.h5", "trial": folder / "trace-trials.h5"}
    make_folder(folder)
    trace.save(files["whole"])
    _short(trace, lookups, profile).save(files["trial"])

    def point(name: str, settings: Mapping[str, Any]) -> Point:
        return Point(
            trace=name,
            system=system,
            embedding=embedding,
            vector_bytes=vector_bytes,
            scope=scope,
            profile=profile,
            overrides=freeze({**fixed, **settings}),
        )

    published = _published(space, system, fixed)
    search = _Search(_study(seed), space, goal)
    search.study.enqueue_trial({key: search.index(key, value) for key, value in published.items()})
    while len(search.rows) < trials:
        asked = search.ask(min(_BATCH, trials - len(search.rows)))
        points = [point("trial", settings) for _, settings in asked]
        outcome = run_points(points, files, store=folder / "points", workers=workers)
        reasons = {failure.point: failure.message for failure in outcome.failures}
        for (trial, settings), one in zip(asked, points, strict=True):
            search.tell(trial, settings, outcome.results.get(one), reasons.get(one, ""))
            if progress is not None:
                progress(len(search.rows), trials, search.failed, system)
    best = search.best()
    changed = {key: value for key, value in best.items() if value != published[key]}
    ends = [point("whole", published), point("whole", best)]
    outcome = run_points(ends, files, store=folder / "points", workers=workers)
    for failure in outcome.failures:
        raise failure.error or ConfigError(f"{system}: {failure.message}.")
    return Tuned(
        system, goal, changed, outcome.results[ends[0]], outcome.results[ends[1]], pd.DataFrame(search.rows)
    )


class _Search:
    """Optuna's trials as rows of a table. Choices go by number: they may be texts that Optuna would sort."""

    def __init__(self, study: optuna.Study, space: Mapping[str, tuple[Any, ...]], goal: str) -> None:
        self.study = study
        self.space = space
        self.goal = goal
        self.rows: list[dict[str, Any]] = []
        self.failed = 0

    def index(self, key: str, value: Any) -> int:
        """Number of a choice."""
        return self.space[key].index(value)

    def ask(self, count: int) -> list[tuple[optuna.Trial, dict[str, Any]]]:
        """Take the next settings from the sampler."""
        asked = []
        for _ in range(count):
            trial = self.study.ask()
            numbers = {key: trial.suggest_categorical(key, range(len(v))) for key, v in self.space.items()}
            asked.append((trial, {key: self.space[key][number] for key, number in numbers.items()}))
        return asked

    def tell(
        self, trial: optuna.Trial, settings: Mapping[str, Any], result: Result | None, reason: str
    ) -> None:
        """Hand back what came out; a setting that cannot be is worse than any."""
        from optuna.trial import TrialState

        value = float("nan") if result is None else goal_value(result, self.goal)
        if result is None:
            self.failed += 1
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, value)
        self.rows.append({"number": len(self.rows), **settings, "value": value, "reason": reason})

    def best(self) -> dict[str, Any]:
        """Settings of the best trial; of equal ones the first."""
        valid = [row for row in self.rows if not row["reason"]]
        if not valid:
            raise ConfigError(
                f"tune: no setting could be simulated; the first said: {self.rows[0]['reason']}"
            )
        row = min(valid, key=lambda row: row["value"])
        return {key: row[key] for key in self.space}
