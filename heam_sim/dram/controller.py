# SPDX-License-Identifier: MIT
"""The controller of a plain channel as a description: queues, scheduler, row policy, refresh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from heam_sim.dram.model import Spec
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import whole_number

__all__ = ["REFRESHES", "ROW_POLICIES", "SCHEDULERS", "Controller"]

SCHEDULERS = ("frfcfs", "fcfs", "frfcfs-cap")
ROW_POLICIES = ("open", "closed", "timeout", "capped")
REFRESHES = ("none", "all-bank", "per-bank", "same-bank")

_COMMAND_KIND = {"all-bank": "REF", "per-bank": "REFPB", "same-bank": "REFSB"}
# Numbers that mean something with one choice only: the key, what it belongs to, its least value.
_DEPENDENT = (
    ("row_hit_cap", "scheduler", "frfcfs-cap", 0),
    ("row_timeout", "row_policy", "timeout", 0),
    ("row_cap", "row_policy", "capped", 1),
)
_QUEUE_MAX = 16384
_POSTPONE_MAX = 8


@dataclass(frozen=True, kw_only=True)
class Controller:
    """The controller of a plain channel; ``docs/engine.md`` defines every choice.

    Attributes
    ----------
    scheduler
        ``"frfcfs"``: the first request that is ready; ``"fcfs"``: one request after the other;
        ``"frfcfs-cap"``: row hits first, but not for ever.
    row_hit_cap
        With ``"frfcfs-cap"``: column commands of a row after which younger hits no longer overtake an older
        request for another row of the bank.
    row_policy
        ``"open"``; ``"closed"``: a row that nobody wants is closed; ``"timeout"``: the same, `row_timeout`
        cycles after its last use; ``"capped"``: closed after `row_cap` column commands.
    row_timeout
        Cycles.
    row_cap
        Column commands, at least 1.
    refresh
        ``"none"``, ``"all-bank"``, ``"per-bank"`` or ``"same-bank"``.
    refresh_stagger
        Whether the ranks' refreshes are due evenly apart instead of all at once.
    refresh_postpone
        Intervals that a due refresh may wait for idle banks, up to what the standard allows.
    read_queue, write_queue
        Entries, 1 to 16384.
    write_high_percent, write_low_percent
        Fill of the write queue above which writes go first, and below which reads do again.

    Raises
    ------
    ConfigError
        A value is not what it can be, or a number is given without the choice that it belongs to.
    """

    scheduler: str = "frfcfs"
    row_hit_cap: int | None = None
    row_policy: str = "open"
    row_timeout: int | None = None
    row_cap: int | None = None
    refresh: str = "all-bank"
    refresh_stagger: bool = False
    refresh_postpone: int = 0
    read_queue: int = 32
    write_queue: int = 32
    write_high_percent: int = 80
    write_low_percent: int = 20

    def __post_init__(self) -> None:
        for name, known in (
            ("scheduler", SCHEDULERS),
            ("row_policy", ROW_POLICIES),
            ("refresh", REFRESHES),
        ):
            if getattr(self, name) not in known:
                raise unknown_name(name, str(getattr(self, name)), known, where=name)
        for name, owner, choice, least in _DEPENDENT:
            self._check_dependent(name, owner, choice, least)
        self._check_whole("read_queue", 1, _QUEUE_MAX)
        self._check_whole("write_queue", 1, _QUEUE_MAX)
        self._check_whole("write_high_percent", 0, 100)
        self._check_whole("write_low_percent", 0, 100)
        self._check_whole("refresh_postpone", 0, _POSTPONE_MAX)
        if self.write_low_percent > self.write_high_percent:
            raise ConfigError(
                f"write_low_percent: {self.write_low_percent} lies above write_high_percent "
                f"{self.write_high_percent}; exchange them."
            )
        if not isinstance(self.refresh_stagger, bool):
            raise ConfigError(f"refresh_stagger: {self.refresh_stagger!r} is neither true nor false.")
        if self.refresh == "none" and (self.refresh_stagger or self.refresh_postpone):
            raise ConfigError(
                "refresh: 'none' can be neither staggered nor postponed; choose another refresh."
            )

    def _check_dependent(self, name: str, owner: str, choice: str, least: int) -> None:
        chosen, value = getattr(self, owner), getattr(self, name)
        if chosen == choice and value is None:
            raise ConfigError(f"{name}: {owner} {choice!r} needs it; give a whole number from {least} on.")
        if chosen != choice and value is not None:
            raise ConfigError(f"{name}: belongs to {owner} {choice!r}, not to {chosen!r}; leave it out.")
        if value is not None:
            self._check_whole(name, least, (1 << 31) - 1)

    def _check_whole(self, name: str, least: int, most: int) -> None:
        number = whole_number(name, getattr(self, name), minimum=least, maximum=most)
        object.__setattr__(self, name, number)

    @property
    def refresh_kind(self) -> str | None:
        """Kind of the command that refreshes, ``None`` without refresh."""
        return _COMMAND_KIND.get(self.refresh)

    def parameters(self, spec: Spec) -> dict[str, Any]:
        """Return what the core needs to know, for channels of one memory.

        Parameters
        ----------
        spec
            The memory.

        Returns
        -------
        dict
            By the core's names; times in cycles.

        Raises
        ------
        ConfigError
            The memory has no such refresh, or its standard does not let so many be postponed.
        """
        names = ("scheduler", "row_policy", "refresh", "refresh_stagger", "refresh_postpone")
        queues = ("read_queue", "write_queue", "write_high_percent", "write_low_percent")
        return {
            **{name: getattr(self, name) for name in (*names, *queues)},
            **{name: getattr(self, name) or 0 for name, *_ in _DEPENDENT},
            "refresh_interval": self._refresh_interval(spec),
        }

    def _refresh_interval(self, spec: Spec) -> int:
        """Cycles in which every bank is refreshed once, 0 for the standard's own refresh interval."""
        if self.refresh == "none":
            return 0
        offered = [name for name, kind in _COMMAND_KIND.items() if spec.of_kind(kind)]
        if self.refresh not in offered:
            raise ConfigError(
                f"refresh: {spec.name} has no {self.refresh} refresh; it has {', '.join(offered)}."
            )
        limit = spec.max_postponed_refreshes
        if self.refresh_postpone > (limit or 0):
            told = "states no limit, so none can be" if limit is None else f"allows at most {limit}"
            raise ConfigError(
                f"refresh_postpone: {self.refresh_postpone} cannot be postponed; {spec.name} {told}."
            )
        ranks, turns = spec.nodes(spec.second_level), spec.refresh_turns(_COMMAND_KIND[self.refresh])
        given = spec.bank_refresh_interval if self.refresh != "all-bank" else None
        interval = spec.refresh_interval if given is None else given * turns
        if interval < turns * ranks:
            raise ConfigError(
                f"refresh: an interval of {interval} cycles is too short for {turns * ranks} refreshes of "
                f"{spec.name}; give a longer nREFI."
            )
        return 0 if given is None else interval
