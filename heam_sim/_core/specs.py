# SPDX-License-Identifier: MIT
"""Owners of compiled standards and of bare devices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core._heam import ffi, lib
from heam_sim._core.calls import Handle, check_status, pointer_to
from heam_sim._core.records import c_number, text
from heam_sim.dram import Spec
from heam_sim.errors import ConfigError, SpecError, unknown_name

__all__ = ["Device", "SpecHandle"]


class SpecHandle(Handle):
    """A resolved standard, compiled by the core.

    Parameters
    ----------
    spec
        What :func:`heam_sim.dram.load_spec` or :func:`heam_sim.dram.derive_pim` returned.
    """

    def __init__(self, spec: Spec) -> None:
        if not isinstance(spec, Spec):
            raise SpecError(
                f"memory: needs a resolved Spec, not {type(spec).__name__}; see heam_sim.dram.load_spec."
            )
        self.spec = spec
        self.command_names = tuple(command.name for command in spec.commands)
        out, detail = ffi.new("heam_spec **"), ffi.new("uint64_t *")
        arrays = {name: _typed(name, values, spec) for name, values in _flatten(spec).items()}
        desc = ffi.new("heam_spec_desc *", {**_scalars(spec), "rows": arrays["row_level"].size})
        held = {name: pointer_to(f"{_SPEC_TYPES[name]}[]", array) for name, array in arrays.items()}
        for name, pointer in held.items():
            setattr(desc, name, pointer)
        status = lib.heam_spec_create(desc, out, detail)
        check_status(status, f"memory {spec.name}", int(detail[0]))
        super().__init__(out[0], lib.heam_spec_destroy)


def _scalars(spec: Spec) -> dict[str, int]:
    values = {
        "levels": len(spec.levels),
        "commands": len(spec.commands),
        "dram_rows": spec.rows,
        "dram_columns": spec.columns,
        "split_buses": int(spec.split_command_buses),
        "read_latency": spec.read_latency,
        "burst_cycles": spec.timing["nBL"],
        "burst_bytes": spec.burst_bytes,
        "refresh_interval": spec.refresh_interval,
    }
    wide = ("dram_rows",)
    return {
        name: c_number(value, f"memory {spec.name}, {name}", bits=64 if name in wide else 32)
        for name, value in values.items()
    }


def _find(table: Mapping[str, int], kind: str, name: str, spec: Spec) -> int:
    if name not in table:
        raise SpecError(str(unknown_name(kind, name, table, where=f"memory {spec.name}")))
    return table[name]


def _flatten(spec: Spec) -> dict[str, list[int]]:
    """Turn names into numbers, and every row into one row per pair of commands."""
    index = {command.name: number for number, command in enumerate(spec.commands)}
    level = {name: number for number, name in enumerate(spec.levels)}
    arrays: dict[str, list[int]] = {
        "counts": [_find(spec.counts, "count of level", name, spec) for name in spec.levels],
        "kind": [_KINDS.get(command.kind, lib.HEAM_KIND_OTHER) for command in spec.commands],
        "scope": [_find(level, "scope", command.scope, spec) for command in spec.commands],
        "alignment": [command.alignment for command in spec.commands],
    }
    rows = [
        (
            _find(level, "level", row.level, spec),
            _find(index, "command", before, spec),
            _find(index, "command", after, spec),
            row.cycles,
            row.window,
            int(row.sibling),
            number,
        )
        for number, row in enumerate(spec.constraints)
        for before in row.preceding
        for after in row.following
    ]
    names = [name for name in _SPEC_TYPES if name.startswith("row_")]
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    arrays.update({name: list(column) for name, column in zip(names, columns, strict=True)})
    return arrays


_KINDS = {text(lib.heam_kind_name(kind)): kind for kind in range(lib.HEAM_KIND_PIM_WRIMM + 1)}
_SPEC_TYPES = {
    "counts": "uint32_t",
    "kind": "uint8_t",
    "scope": "uint8_t",
    "alignment": "uint8_t",
    "row_level": "uint8_t",
    "row_preceding": "uint8_t",
    "row_following": "uint8_t",
    "row_cycles": "uint32_t",
    "row_window": "uint16_t",
    "row_sibling": "uint8_t",
    "row_id": "int16_t",
}


def _typed(name: str, values: list[int], spec: Spec) -> NDArray[Any]:
    dtype = np.dtype(_SPEC_TYPES[name].removesuffix("_t"))
    limits = np.iinfo(dtype)
    for value in values:
        if not limits.min <= value <= limits.max or value < 0:
            raise SpecError(f"memory {spec.name}: {name} holds {value}; it must be from 0 to {limits.max}.")
    return np.asarray(values, dtype)


class Device(Handle):
    """The bare device of one channel: for tests, and for playing the commands of other simulators.

    Parameters
    ----------
    spec
        The compiled standard.
    """

    def __init__(self, spec: SpecHandle) -> None:
        self._commands = {name: number for number, name in enumerate(spec.command_names)}
        out = ffi.new("heam_device **")
        with spec.exclusive() as pointer:
            check_status(lib.heam_device_create(pointer, out), "device")
        super().__init__(out[0], lib.heam_device_destroy)

    def _bank(self, bank: int) -> int:
        return c_number(bank, "bank")

    def _place(self, command: str, bank: int, row: int, cycle: int) -> tuple[int, int, int, int]:
        return (
            self._number(command),
            self._bank(bank),
            c_number(row, "row", bits=64),
            c_number(cycle, "cycle", bits=62),
        )

    def _number(self, command: str) -> int:
        if command not in self._commands:
            raise ConfigError(f"command: {command!r} is not one of {', '.join(self._commands)}.")
        return self._commands[command]

    def earliest(self, command: str, bank: int) -> tuple[int, int]:
        """Return the earliest cycle of `command` at flat `bank`, and the row that sets it (-1: none)."""
        cycle, row = ffi.new("uint64_t *"), ffi.new("int32_t *")
        with self.exclusive() as pointer:
            check_status(
                lib.heam_device_earliest(pointer, self._number(command), self._bank(bank), cycle, row),
                f"{command} at bank {bank}",
            )
        return int(cycle[0]), int(row[0])

    def probe(self, command: str, bank: int, *, row: int = 0, cycle: int) -> bool:
        """Return whether `command` is legal (state and timing) at `cycle`."""
        with self.exclusive() as pointer:
            status = lib.heam_device_probe(pointer, *self._place(command, bank, row, cycle))
        if text(lib.heam_status_name(status)) in ("HEAM_BAD_STATE", "HEAM_TOO_EARLY"):
            return False
        check_status(status, f"{command} at bank {bank}")
        return True

    def issue(self, command: str, bank: int, *, row: int = 0, cycle: int) -> None:
        """Issue `command`; :class:`CoreError` if it is not legal at `cycle`."""
        with self.exclusive() as pointer:
            status = lib.heam_device_issue(pointer, *self._place(command, bank, row, cycle))
        check_status(status, f"{command} at bank {bank}, row {row}, cycle {cycle}")
