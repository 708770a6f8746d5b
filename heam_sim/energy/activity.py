# SPDX-License-Identifier: MIT
"""What the energy model needs to know about a run: integer counters and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from heam_sim.energy.events import DEPTH
from heam_sim.energy.power import PowerFile
from heam_sim.errors import ConfigError, unknown_name
from heam_sim.numbers import whole_number

__all__ = ["COUNTS", "HostActivity", "TierActivity"]

COUNTS: Mapping[str, str] = MappingProxyType(
    {
        "act": "row activations (each with its precharge)",
        "rd": "bursts read by the host",
        "wr": "bursts written by the host",
        "ref": "all-bank refreshes, one per rank",
        "ref_bank": "refreshes of one bank, or of the same bank of every bank group",
        "pim_rd": "bursts read by processing elements",
        "pim_mov": "bursts of partial sums moved to the merge level",
        "pim_rdres": "bursts of results sent to the host",
        "pim_xmov": "bursts of results moved over the crossbar of a stack",
        "pim_wrlut": "bursts written into look-up tables",
        "pim_wrimm": "bursts of vectors that the host sends to processing elements",
        "pim_lut": "vectors read from look-up tables",
        "lut_bytes_read": "bytes of those vectors, and of rows read from caches of processing elements",
        "cache_bytes_written": "bytes written into caches of processing elements",
        "tags_read": "tags that their look-ups read: a look-up reads one of every way",
        "alu_add_elements": "FP32 additions in processing elements",
        "alu_mul_elements": "FP32 multiplications in processing elements",
        "merge_add_elements": "FP32 additions at the merge level",
        "stack_add_elements": "FP32 additions in the stack's adder over its channels",
        "instructions": "PIM instructions decoded: by every element that one is meant for",
        "instruction_bits": "bits of PIM instructions sent by the host",
        "commands": "commands that cross the command pins of the memory devices",
    }
)
"""Counters of a tier, all integers; one that is left out is zero."""

_PIM_COUNTS = tuple(key for key in COUNTS if key not in ("act", "rd", "wr", "ref", "ref_bank", "commands"))
_BUFFER_LEVELS = ("rank", "channel")


@dataclass(frozen=True, kw_only=True)
class TierActivity:
    """Activity of one tier of memory in one run.

    Parameters
    ----------
    name
        Tier, e.g. ``"dimm"`` or ``"hbm"``; not ``"host"``.
    power
        Power file of the tier's devices.
    burst_bytes
        Bytes moved by one column command.
    counts
        Counter name to integer (see ``COUNTS``), summed over the channels of the tier.
    ranks
        Rank (or pseudo channel) nodes in the tier.
    rank_active_ns
        Time with any bank open, summed over those nodes; refreshes, which leave no row open, not included.
    unit_level
        Level of the processing elements, ``None`` for a plain tier.
    merge_level
        Level that adds their partial sums, ``None`` if there is none.
    lut_copies
        Look-up tables that one ``pim_wrlut`` burst is written into (broadcast).
    host_driven
        Whether the host sends the commands of the processing elements, and not controllers beside them.
    buffered
        Whether data cross a buffer chip on the module before the host bus. ``None``: a DIMM is buffered when
        its elements or its merge node sit in that chip; HBM always has its base die.
    bank_active_ns
        Time with its row open, summed over banks. ``None`` if unknown: then every bank counts as open while
        any is, with one open bank as the low end.
    ref_bank_share
        Which part of the work of an all-bank refresh a ``ref_bank`` does. ``None``: there are none.

    Raises
    ------
    heam_sim.errors.ConfigError
        An unknown counter or level, a negative or fractional count, or PIM counts without PIM levels.
    """

    name: str
    power: PowerFile
    burst_bytes: int
    counts: Mapping[str, int]
    ranks: int
    rank_active_ns: float
    unit_level: str | None = None
    merge_level: str | None = None
    lut_copies: int = 1
    host_driven: bool = False
    buffered: bool | None = None
    bank_active_ns: float | None = None
    ref_bank_share: float | None = None

    def __post_init__(self) -> None:
        where = f"tier {self.name}"
        if self.name == "host":
            raise ConfigError("tier 'host': the name is reserved for the host's own energy; rename the tier.")
        for key in self.counts:
            if key not in COUNTS:
                raise unknown_name("counter", key, COUNTS, where=where)
        checked = {
            key: whole_number(f"{where}: counter {key!r}", self.counts.get(key, 0), minimum=0)
            for key in COUNTS
        }
        object.__setattr__(self, "counts", MappingProxyType(checked))
        for key in ("burst_bytes", "ranks", "lut_copies"):
            whole_number(f"{where}: {key}", getattr(self, key), minimum=1)
        share = self.ref_bank_share
        if (share is None and self.counts["ref_bank"]) or not (share is None or 0 < share <= 1):
            raise ConfigError(
                f"{where}: ref_bank_share is {share} for {self.counts['ref_bank']} refreshes of banks; give "
                "the part of an all-bank refresh that one of them does, above 0 and up to 1."
            )
        self._check_levels(where)

    @property
    def refreshes(self) -> float:
        """Refreshes in units of all-bank ones."""
        return self.counts["ref"] + self.counts["ref_bank"] * (self.ref_bank_share or 0.0)

    def _check_levels(self, where: str) -> None:
        for key, level in (("unit_level", self.unit_level), ("merge_level", self.merge_level)):
            if level is not None and level not in DEPTH:
                raise unknown_name("level", level, DEPTH, where=f"{where}: {key}")
        used = next((key for key in _PIM_COUNTS if self.counts[key]), None)
        if self.unit_level is None:
            if used or self.merge_level:
                raise ConfigError(
                    f"{where}: {used or 'merge_level'} is set but unit_level is None; give unit_level."
                )
            return
        if self.merge_level is None:
            if self.counts["pim_mov"] or self.counts["merge_add_elements"]:
                raise ConfigError(
                    f"{where}: partial sums are merged but merge_level is None; give merge_level."
                )
        elif DEPTH[self.merge_level] < DEPTH[self.unit_level]:
            raise ConfigError(
                f"{where}: merge_level {self.merge_level!r} is below unit_level {self.unit_level!r}; swap."
            )
        if self.counts["pim_lut"] and not self.counts["lut_bytes_read"]:
            raise ConfigError(
                f"{where}: pim_lut without lut_bytes_read; give the bytes that the LUTs delivered."
            )

    @property
    def devices_per_element(self) -> int:
        """Devices that an element is made of: below rank level all of a rank work in lock step."""
        inside = self.unit_level is not None and DEPTH[self.unit_level] < DEPTH["rank"]
        return int(self.power["devices_per_rank"].value) if self.power.kind == "dimm" and inside else 1

    @property
    def crosses_buffer(self) -> bool:
        """Whether data on the way to the host cross the segment between device and buffer (or base die)."""
        if self.power.kind == "hbm":
            return True
        if self.buffered is not None:
            return self.buffered
        return self.unit_level in _BUFFER_LEVELS or self.merge_level in _BUFFER_LEVELS


@dataclass(frozen=True, kw_only=True)
class HostActivity:
    """Work of the host itself.

    Parameters
    ----------
    add_bytes
        Bytes of vectors that the host adds into sums.
    multiply_bytes
        Bytes of products that the host forms (multiplicative composition).
    llc_lookups
        Look-ups in its last-level cache.
    llc_line_bytes
        Bytes read from and filled into the cache's data array.

    Raises
    ------
    heam_sim.errors.ConfigError
        A count is negative or not an integer.
    """

    add_bytes: int = 0
    multiply_bytes: int = 0
    llc_lookups: int = 0
    llc_line_bytes: int = 0

    def __post_init__(self) -> None:
        for key in ("add_bytes", "multiply_bytes", "llc_lookups", "llc_line_bytes"):
            object.__setattr__(self, key, whole_number(f"host: {key}", getattr(self, key), minimum=0))
