# SPDX-License-Identifier: MIT
"""From one configuration to another, one change at a time: where does a difference come from?

Each step changes one parameter, or the few that cannot change alone, and is simulated. The factors of the
steps multiply to the whole difference. They depend on the order of the steps, which is fixed: what is asked
(embedding, vector, scope), the host, memories, tiers and their placement, PEs, and then their parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from heam_sim.errors import ConfigError, HeamSimError, unknown_name
from heam_sim.planning import resolved_config
from heam_sim.results import Result
from heam_sim.simulation import simulate
from heam_sim.systems import System, load_system, system_from_dict
from heam_sim.trace import LookupTrace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Explanation", "Step", "explain", "explained_walk"]

_WORKLOAD = ("embedding", "vector_bytes", "scope", "profile")
_DEFAULTS = {"embedding": "full", "vector_bytes": 256, "scope": "bag", "profile": 0.2}
# Changed together: a power file belongs to its memory.
_MEMORY = ("memory", "overrides", "power")
_TEXTS = ("name", "title", "source")

Config = dict[str, Any]
_Path = tuple[str, ...]
_Change = tuple[_Path, Any]


@dataclass(frozen=True)
class Step:
    """One step of the way.

    Attributes
    ----------
    changes
        What it changed, ``key: old -> new``; empty for the start.
    result
        What was simulated after it.
    """

    changes: tuple[str, ...]
    result: Result


@dataclass(frozen=True)
class Explanation:
    """The way from the first configuration to the second.

    Attributes
    ----------
    steps
        The start and what followed, in order.
    """

    steps: tuple[Step, ...]

    @property
    def speedup(self) -> float:
        """Samples per second of the end over those of the start."""
        return self.steps[-1].result.samples_per_second / self.steps[0].result.samples_per_second

    def to_frame(self) -> pd.DataFrame:
        """A row per step: its changes, ns and pJ per sample after it, and its factors.

        ``speedup`` and ``energy_ratio`` are those of the step alone; their products are the whole.
        """
        rows = []
        before = self.steps[0].result
        for step in self.steps:
            after = step.result
            rows.append(
                {
                    "changes": "; ".join(step.changes) or "start",
                    "time_ns_per_sample": after.time_ns / after.samples,
                    "energy_pJ_per_sample": after.energy_per_sample_pJ,
                    "speedup": after.samples_per_second / before.samples_per_second,
                    "energy_ratio": after.energy_per_sample_pJ / before.energy_per_sample_pJ,
                    "bound": after.bound,
                }
            )
            before = after
        return pd.DataFrame(rows)

    def plot(self, *, columns: int = 2) -> Figure:
        """Draw the way as a waterfall (:func:`heam_sim.plotting.waterfall`)."""
        from heam_sim.plotting import waterfall

        return waterfall(explained_walk(self.to_frame()), columns=columns)[0]


def explained_walk(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn the table of an explanation (:meth:`Explanation.to_frame`) into that of a waterfall."""
    from heam_sim.plotting import walk_table

    steps = pd.DataFrame(
        {
            "step": frame["changes"],
            "samples_per_second": 1e9 / frame["time_ns_per_sample"],
            "energy_per_sample_pJ": frame["energy_pJ_per_sample"],
        }
    )
    return walk_table(steps)


def explain(trace: LookupTrace, first: Mapping[str, Any], second: Mapping[str, Any]) -> Explanation:
    """Walk from one configuration to another, and simulate every step.

    Parameters
    ----------
    trace
        The lookups.
    first, second
        ``system`` (a name, a file or a :class:`~heam_sim.systems.System`) and, where they differ from its
        defaults, ``embedding``, ``vector_bytes``, ``scope``, ``profile`` and ``overrides`` as in
        :func:`heam_sim.simulate`.

    Returns
    -------
    Explanation
        A change that cannot be simulated before the next one is made together with it.

    Raises
    ------
    ConfigError
        An unknown key, or a start or an end that cannot be simulated.
    """
    start, end = _config(first), _config(second)
    steps = [Step((), _simulate(trace, start))]
    now, waiting = start, list[str]()
    changes = list(_changes(start, end))
    if changes:
        changes[-1] = [*changes[-1], *((("system", key), end["system"][key]) for key in _TEXTS)]
    for number, group in enumerate(changes):
        now, told = _apply(now, group)
        waiting += told
        try:
            steps.append(Step(tuple(waiting), _simulate(trace, now)))
        except HeamSimError:
            if number == len(changes) - 1:
                raise
            continue
        waiting = []
    return Explanation(tuple(steps))


def _config(wanted: Mapping[str, Any]) -> Config:
    known = ("system", "overrides", *_WORKLOAD)
    for key in wanted:
        if key not in known:
            raise unknown_name("key", key, known, where="explain")
    if "system" not in wanted:
        raise ConfigError("explain: a configuration names no system; add `system`.")
    system = wanted["system"]
    if not isinstance(system, System):
        system = load_system(system, overrides=wanted.get("overrides"))
    config = {**_DEFAULTS, **{key: wanted[key] for key in _WORKLOAD if key in wanted}}
    resolved_config(system=system, **config)  # refuses what cannot be, before anything is simulated
    described = system.to_dict()
    tiers = {tier["name"]: tier for tier in described.pop("tiers")}
    return {**config, "system": {**described, "tiers": tiers}}


def _simulate(trace: LookupTrace, config: Config) -> Result:
    described = {**config["system"], "tiers": list(config["system"]["tiers"].values())}
    system = system_from_dict(described, where="explain")
    return simulate(trace, system=system, **{key: config[key] for key in _WORKLOAD})


def _changes(start: Config, end: Config) -> Iterator[list[_Change]]:
    """Groups of paths and what they become, in the order in which they are changed."""
    for key in _WORKLOAD:
        if start[key] != end[key]:
            yield [((key,), end[key])]
    here, there = start["system"], end["system"]
    yield from _leaves(here, there, ("host",))
    both = [name for name in here["tiers"] if name in there["tiers"]]
    for name in both:
        yield from _tier_changes(here["tiers"][name], there["tiers"][name], name)
    yield from _structure(here, there, both)
    for name in both:
        if here["tiers"][name]["pim"] is not None and there["tiers"][name]["pim"] is not None:
            yield from _leaves(here, there, ("tiers", name, "pim"))


def _structure(here: Config, there: Config, both: list[str]) -> Iterator[list[_Change]]:
    """PEs that go, then tiers and where rows live, then PEs that come: memories are seen without them too."""
    small = ("system", "placement", "small_tables")
    gone = [name for name in here["tiers"] if _pim(here, name) is not None and _pim(there, name) is None]
    come = [name for name in there["tiers"] if _pim(there, name) is not None and _pim(here, name) is None]
    if gone:
        yield [*((("system", "tiers", name, "pim"), None) for name in gone), (small, "home")]
    # Where a row lives is one decision, and without its tier it makes no sense.
    moved = [
        change for group in _leaves(here, there, ("placement",)) for change in group if change[0] != small
    ]
    new = [name for name in there["tiers"] if name not in both]
    lost = [name for name in here["tiers"] if name not in both]
    tiers: list[_Change] = [
        (("system", "tiers", name), {**there["tiers"][name], "pim": None}) for name in new
    ]
    tiers += [(("system", "tiers", name), None) for name in lost]
    if tiers or moved:
        yield tiers + moved
    added = [(("system", "tiers", name, "pim"), _pim(there, name)) for name in come]
    table = there["placement"]["small_tables"]
    if added or table != ("home" if gone else here["placement"]["small_tables"]):
        yield [*added, (small, table)]


def _pim(system: Config, tier: str) -> Any:
    return system["tiers"].get(tier, {}).get("pim")


def _tier_changes(here: Mapping[str, Any], there: Mapping[str, Any], name: str) -> Iterator[list[_Change]]:
    memory = [key for key in _MEMORY if here[key] != there[key]]
    if memory:
        yield [(("system", "tiers", name, key), there[key]) for key in memory]
    for key in here:
        if key not in (*_MEMORY, *_TEXTS, "pim") and here[key] != there[key]:
            yield [(("system", "tiers", name, key), there[key])]


def _leaves(here: Mapping[str, Any], there: Mapping[str, Any], path: _Path) -> Iterator[list[_Change]]:
    for part in path:
        here, there = here[part], there[part]
    for key in there:
        if key not in _TEXTS and here.get(key) != there[key]:
            yield [(("system", *path, key), there[key])]


def _apply(now: Config, changes: list[_Change]) -> tuple[Config, list[str]]:
    """Return the changed configuration, and what is different in words."""
    changed = copy.deepcopy(now)
    told = []
    for (*path, last), value in changes:
        node = changed
        for part in path:
            node = node[part]
        old = node.get(last)
        if value is None and path == ["system", "tiers"]:
            del node[last]
        else:
            node[last] = copy.deepcopy(value)
        if last not in _TEXTS and old != value:
            told.append(f"{_named((*path, last))}: {_words(old)} -> {_words(value)}")
    return changed, told


def _named(path: tuple[str, ...]) -> str:
    return ".".join(part for part in path if part not in ("system", "tiers"))


def _words(value: Any) -> str:
    """A table of a description is there or not; its parts are not worth a line."""
    if value is None:
        return "none"
    return "present" if isinstance(value, dict) and "source" in value else str(value)
