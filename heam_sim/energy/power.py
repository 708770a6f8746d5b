# SPDX-License-Identifier: MIT
"""Power files: energy numbers as data, each with its unit (in the key) and its source."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from heam_sim.energy.interval import Interval
from heam_sim.errors import ConfigError, SpecError, unknown_name
from heam_sim.numbers import real_number

__all__ = ["PowerFile", "PowerValue", "load_power", "power_names", "power_text"]

_CURRENTS = ("VDD_V", "IDD2N_mA", "IDD3N_mA", "IDD5B_mA", "tRFC_ns")

# All keys of a kind are required: a physical quantity has no default.
KEYS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "dimm": frozenset(
            (
                *_CURRENTS,
                *("devices_per_rank", "banks_per_rank", "burst_B", "IDD0_mA", "IDD4R_mA", "IDD4W_mA"),
                *("VPP_V", "IPP0_mA", "IPP2N_mA", "IPP3N_mA", "IPP4R_mA", "IPP4W_mA", "IPP5B_mA"),
                "standby_shared_ratio",
                *("tRC_ns", "tRAS_ns", "tRP_ns", "tBURST_ns"),
                *("cell_ratio", "bank_group_mux_ratio", "global_io_ratio"),
                *("command_bits", "dram_bus_pJ_per_bit", "host_io_pJ_per_bit"),
            )
        ),
        "hbm": frozenset(
            (
                *_CURRENTS,
                *("page_KiB", "act_pre_pJ_per_KiB", "cell_pJ_per_bit", "bank_group_mux_pJ_per_bit"),
                *("global_io_pJ_per_bit", "tsv_pJ_per_bit", "phy_pJ_per_bit", "command_bits"),
            )
        ),
        "logic": frozenset(
            (
                *(
                    "add_pJ_per_element",
                    "multiply_pJ_per_element",
                    "lut_read_pJ_per_bit",
                    "lut_write_pJ_per_bit",
                    "cache_tag_pJ_per_way",
                    "sram_mm2_per_MiB",
                    "stack_crossbar_pJ_per_bit",
                ),
                *("instruction_decode_pJ", "host_add_pJ_per_B", "host_multiply_pJ_per_B"),
                *("llc_lookup_pJ", "llc_data_pJ_per_B"),
            )
        ),
    }
)
_ENTRY_KEYS = ("value", "low", "high", "source")


@dataclass(frozen=True)
class PowerValue:
    """One number of a power file.

    Parameters
    ----------
    key
        Name with the unit at its end, e.g. ``"IDD0_mA"``.
    interval
        Low, nominal and high value in that unit.
    source
        Where the number comes from; contains the word *assumed* where nothing is published.
    """

    key: str
    interval: Interval
    source: str

    @property
    def assumed(self) -> bool:
        """Whether the nominal value has no published source."""
        return "assumed" in self.source.lower()


@dataclass(frozen=True)
class PowerFile:
    """The energy numbers of one device or of the logic.

    Parameters
    ----------
    name
        Name of the file, e.g. ``"ddr4-3200-8gb-x8"``.
    kind
        ``"dimm"``, ``"hbm"`` or ``"logic"``: fixes which keys there are.
    description
        One line for people.
    values
        Key to :class:`PowerValue`, read-only.
    """

    name: str
    kind: str
    description: str
    values: Mapping[str, PowerValue]

    def __getitem__(self, key: str) -> Interval:
        try:
            return self.values[key].interval
        except KeyError:
            raise _spec_error(
                unknown_name("key", key, self.values, where=f"power file {self.name}")
            ) from None

    def sources(self) -> dict[str, str]:
        """Key to source, in file order."""
        return {key: item.source for key, item in self.values.items()}

    def assumed(self) -> tuple[str, ...]:
        """Keys whose nominal value is assumed."""
        return tuple(key for key, item in self.values.items() if item.assumed)


def _spec_error(error: ConfigError) -> SpecError:
    return SpecError(str(error))


def _data_folder() -> Traversable:
    return resources.files("heam_sim.energy") / "power"


def power_names() -> tuple[str, ...]:
    """Names of the power files that come with the package, sorted.

    Returns
    -------
    tuple of str
        For :func:`load_power`.
    """
    names = (entry.name for entry in _data_folder().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_power(name: str | Path) -> PowerFile:
    """Load a power file.

    Parameters
    ----------
    name
        Name of a file of the package (see :func:`power_names`), or the path of a TOML file of your own (a
        :class:`~pathlib.Path`, or text that ends in ``.toml``).

    Returns
    -------
    PowerFile
        Energies in pJ, powers in mW, currents in mA, times in ns, as the keys say.

    Raises
    ------
    heam_sim.errors.SpecError
        Unknown name; file missing or not TOML; a key unknown, missing, without source or out of range.
    """
    if isinstance(name, Path) or name.endswith(".toml"):
        return _parse(power_text(name), where=str(name))
    return _load_packaged(name)


def power_text(name: str | Path) -> str:
    """Return the TOML text of a power file; parameters and errors as in :func:`load_power`."""
    if isinstance(name, Path) or name.endswith(".toml"):
        try:
            return Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(
                f"{name}: cannot be read ({error}); give the path of a TOML power file."
            ) from None
    known = power_names()
    if name not in known:
        raise _spec_error(unknown_name("power file", name, known))
    return (_data_folder() / f"{name}.toml").read_text(encoding="utf-8")


@lru_cache(maxsize=32)
def _load_packaged(name: str) -> PowerFile:
    return _parse(power_text(name), where=f"power file {name}")


def _parse(text: str, *, where: str) -> PowerFile:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{where}: not valid TOML ({error}); correct that line.") from None
    for key in document:
        if key not in ("name", "kind", "description", "values"):
            raise _spec_error(
                unknown_name("key", key, ("name", "kind", "description", "values"), where=where)
            )
    name, kind, description = (_text(document, key, where) for key in ("name", "kind", "description"))
    if kind not in KEYS:
        raise _spec_error(unknown_name("kind", kind, KEYS, where=where))
    table = document.get("values")
    if not isinstance(table, dict):
        raise SpecError(f"{where}: the table [values] is missing; add it.")
    for key in table:
        if key not in KEYS[kind]:
            raise _spec_error(unknown_name("key", key, KEYS[kind], where=where))
    missing = sorted(KEYS[kind] - table.keys())
    if missing:
        raise SpecError(f"{where}: {missing[0]!r} is missing in [values]; add it with a value and a source.")
    values = {key: _entry(key, entry, where) for key, entry in table.items()}
    power = PowerFile(name, kind, description, MappingProxyType(values))
    if kind == "dimm":
        _check_shares(power, where)
        _check_standby(power, where)
    return power


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise SpecError(f"{where}: {key!r} is missing or empty; give it as text.")
    return value


def _entry(key: str, entry: object, where: str) -> PowerValue:
    place = f"{where}: {key}"
    if not isinstance(entry, dict):
        raise SpecError(f'{place} is a bare value; write {{ value = ..., source = "..." }}.')
    for name in entry:
        if name not in _ENTRY_KEYS:
            raise _spec_error(unknown_name("key", name, _ENTRY_KEYS, where=place))
    source = _text(entry, "source", place)
    numbers: dict[str, float] = {}
    for name in ("value", "low", "high"):
        number = entry.get(name)
        if number is None:
            continue
        numbers[name] = real_number(f"{place}: {name}", number, minimum=0, error=SpecError)
    if "value" not in numbers:
        raise SpecError(f"{place}: 'value' is missing; add it.")
    value = numbers["value"]
    try:
        interval = Interval(numbers.get("low", value), value, numbers.get("high", value))
    except ConfigError as error:
        raise SpecError(f"{place}: {error}") from None
    return PowerValue(key, interval, source)


def _check_shares(power: PowerFile, where: str) -> None:
    """The three shares cut one energy into pieces, so they must make up the whole."""
    total = sum(power[key].value for key in ("cell_ratio", "bank_group_mux_ratio", "global_io_ratio"))
    if abs(total - 1.0) > 1e-9:
        raise SpecError(
            f"{where}: cell, bank_group_mux and global_io ratios sum to {total}; make them sum to 1."
        )


def _check_standby(power: PowerFile, where: str) -> None:
    """Banks are counted, and one share cannot take more than the whole."""
    banks, shared = power["banks_per_rank"], power["standby_shared_ratio"]
    if banks.low < 1 or banks.low != banks.high or not banks.value.is_integer():
        raise SpecError(f"{where}: banks_per_rank is {banks.value}; give one whole number of at least 1.")
    if shared.low != shared.high or shared.value > 1:
        raise SpecError(
            f"{where}: standby_shared_ratio is {shared.value}; give one number from 0 to 1, without a range."
        )
