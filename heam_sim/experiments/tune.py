# SPDX-License-Identifier: MIT
"""The best settings of a system that a search of a fixed budget finds: best against best.

Every system gets the same search: the same parameters as far as it has them, the same number of trials, the
same seed. The published settings are the first trial, so the best is never worse on the trials' trace.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heam_sim.errors import ConfigError, unknown_name
from heam_sim.experiments.executors import check_workers, open_executor
from heam_sim.experiments.points import Point, freeze
from heam_sim.experiments.runner import Progress, run_on
from heam_sim.lowering import Scope
from heam_sim.numbers import whole_number
from heam_sim.results import Result
from heam_sim.results.atomic import make_folder
from heam_sim.systems import load_system
from heam_sim.trace import LookupTrace

if TYPE_CHECKING:
    import optuna
    import pandas as pd

__all__ = ["GOALS", "LOOKUPS", "TRIALS", "Tuned", "as_overrides", "search_space", "tune"]

TRIALS = 48
LOOKUPS = 20_000
# Asked at once and told together: the search is the same on any number of workers.
_BATCH = 4
# Trials before the sampler starts to learn (Optuna's default is 10).
_STARTUP = 12
# Between the keys of a parameter that stands for two.
_AND = " + "

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
def _parameters() -> tuple[dict[str, Any], ...]:
    folder = resources.files("heam_sim.experiments") / "data"
    text = (folder / "search_space.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["parameter"])


def search_space(system: str, overrides: Mapping[str, Any] | None = None) -> dict[str, tuple[Any, ...]]:
    """Return the parameters that a search may change in a system, with their choices.

    The published value is always among them. Keys that share a sum are one parameter, ``"key + key"``, whose
    choices are tuples (see :func:`as_overrides`).

    Parameters
    ----------
    system
        A name or a description file.
    overrides
        Changes that every trial has.

    Returns
    -------
    dict
        Key to the values that are tried.
    """
    described = _Described(system, overrides)
    space: dict[str, tuple[Any, ...]] = {}
    for row in _parameters():
        if not described.fits(row):
            continue
        if "split" in row:
            space |= _split(described, row)
            continue
        for key in described.keys(row["key"]):
            present = described.value(key)
            if present:
                space[key] = _with(present, row["values"])
    return space


def _with(present: Any, values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(values) if present in values else (present, *values)


def _split(described: _Described, row: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Shares of what two keys have together, the first key's share first."""
    found: dict[str, tuple[Any, ...]] = {}
    for first, second in zip(*(described.keys(key) for key in row["split"]), strict=True):
        present = tuple(described.value(key) or 0 for key in (first, second))
        total = sum(present)
        if total:
            shares = [(round(total * share), total - round(total * share)) for share in row["shares"]]
            found[f"{first}{_AND}{second}"] = _with(present, shares)
    return found


def as_overrides(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Turn choices of a search space into overrides: one key each."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        keys = key.split(_AND)
        found |= dict(zip(keys, value, strict=True)) if len(keys) > 1 else {key: value}
    return found


def described_value(system: str, key: str) -> Any:
    """Return what a system's description says under a dotted key; None if it has no such part."""
    return _Described(system, None).value(key)


class _Described:
    """A system's description by dotted keys."""

    def __init__(self, system: str, overrides: Mapping[str, Any] | None) -> None:
        described = load_system(system, overrides=overrides).to_dict()
        self.tiers = {tier["name"]: tier for tier in described["tiers"]}
        self.parts = {"host": described["host"], "placement": described["placement"], **self.tiers}

    def keys(self, key: str) -> list[str]:
        """The key, or with ``"*"`` that of every tier."""
        head, _, rest = key.partition(".")
        return [f"{name}.{rest}" for name in self.tiers] if head == "*" else [key]

    def value(self, key: str) -> Any:
        """What it says; None if it has no such part."""
        node: Any = self.parts
        for part in key.split("."):
            node = None if node is None else node.get(part)
        return node

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether the conditions of a parameter hold."""
        wanted = all(self.value(key) == value for key, value in row.get("when", {}).items())
        return wanted and not any(self.value(key) == value for key, value in row.get("unless", {}).items())


def _published(
    space: Mapping[str, tuple[Any, ...]], system: str, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    described = _Described(system, overrides)
    found: dict[str, Any] = {}
    for key in space:
        keys = key.split(_AND)
        found[key] = (
            tuple(described.value(one) or 0 for one in keys) if len(keys) > 1 else described.value(key)
        )
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
    scheduler: str | None = None,
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
    workers, scheduler
        As in :func:`heam_sim.sweep`; the outcome does not depend on them.

    Raises
    ------
    ConfigError
        An unknown goal, too few trials or lookups, no Optuna, or a system that cannot be simulated as it is
        published.
    ClusterError
        The scheduler's cluster cannot be used.
    """
    if goal not in GOALS:
        raise unknown_name("goal", goal, GOALS, where="goal")
    for name, number in (("trials", trials), ("lookups", lookups)):
        whole_number(name, number, minimum=1)
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
            overrides=freeze({**fixed, **as_overrides(settings)}),
        )

    published = _published(space, system, fixed)
    search = _Search(_study(seed), space, goal)
    search.study.enqueue_trial({key: search.index(key, value) for key, value in published.items()})
    with open_executor(workers, scheduler) as executor:
        run = functools.partial(run_on, executor, traces=files, store=folder / "points")
        while len(search.rows) < trials:
            asked = search.ask(min(_BATCH, trials - len(search.rows)))
            points = [point("trial", settings) for _, settings in asked]
            outcome = run(points)
            reasons = {failure.point: failure.message for failure in outcome.failures}
            for (trial, settings), one in zip(asked, points, strict=True):
                search.tell(trial, settings, outcome.results.get(one), reasons.get(one, ""))
                if progress is not None:
                    progress(len(search.rows), trials, search.failed, system)
        best = search.best()
        ends = [point("whole", published), point("whole", best)]
        outcome = run(ends)
    for failure in outcome.failures:
        raise failure.error or ConfigError(f"{system}: {failure.message}.")
    import pandas as pd

    before = as_overrides(published)
    changed = {key: value for key, value in as_overrides(best).items() if value != before[key]}
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
        self.tried: list[dict[str, Any]] = []
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

    def tell(self, trial: optuna.Trial, settings: dict[str, Any], result: Result | None, reason: str) -> None:
        """Hand back what came out; a setting that cannot be is worse than any."""
        from optuna.trial import TrialState

        value = float("nan") if result is None else goal_value(result, self.goal)
        if result is None:
            self.failed += 1
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, value)
        number = len(self.rows)
        self.rows.append({"number": number, **as_overrides(settings), "value": value, "reason": reason})
        self.tried.append(settings)

    def best(self) -> dict[str, Any]:
        """Settings of the best trial; of equal ones the first."""
        valid = [row for row in self.rows if not row["reason"]]
        if not valid:
            raise ConfigError(
                f"tune: no setting could be simulated; the first said: {self.rows[0]['reason']}"
            )
        row = min(valid, key=lambda row: row["value"])
        return self.tried[int(row["number"])]
