# SPDX-License-Identifier: MIT
"""Results in HDF5.

Layout: root attributes ``filetype``, ``format_version``, ``software_version``, ``created_utc``, ``uuid``,
``provenance`` (JSON) and ``units`` (JSON: of fields and of counters, by name); one group
``/results/<ordinal>`` per result. Every field that is a nested mapping is one JSON text dataset (attributes
are limited to 64 KiB), energy is a table of names and a float64 array (parts, 3) with low, nominal and high
value in pJ.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import h5py
import numpy as np

from heam_sim.energy.interval import Interval
from heam_sim.energy.report import EnergyReport
from heam_sim.errors import DatasetError
from heam_sim.results.atomic import write_atomically
from heam_sim.results.plain import plain
from heam_sim.results.result import JSON_FIELDS, Result
from heam_sim.results.units import field_units

__all__ = ["FILETYPE", "FORMAT_VERSION", "read_results", "write_results"]

FILETYPE = "heam_sim.results"
FORMAT_VERSION = (1, 3)
_SIGNATURE = b"\x89HDF\r\n\x1a\n"

_SCALARS = ("system", "embedding", "scope", "vector_bytes", "samples", "gnrs", "lookups", "time_ns")
_JSON = (*JSON_FIELDS, "notes")
# Missing in files of older versions: the first two of 1.0, the others of 1.2.
_LATER = ("power", "time_parts", "bank_reads", "arrivals")


def write_results(path: Path, results: Sequence[Result], provenance: Mapping[str, Any]) -> None:
    """Write results to HDF5 (see :meth:`ResultSet.save`)."""

    def write(part: Path) -> None:
        with h5py.File(str(part), "w") as file:
            file.attrs["filetype"] = FILETYPE
            file.attrs["format_version"] = np.array(FORMAT_VERSION, dtype=np.int64)
            file.attrs["software_version"] = _software_version()
            file.attrs["created_utc"] = datetime.now(UTC).isoformat(timespec="seconds")
            file.attrs["uuid"] = str(uuid.uuid4())
            file.attrs["provenance"] = json.dumps(plain(provenance, where="provenance"))
            file.attrs["units"] = json.dumps(field_units())
            file.attrs["number_of_results"] = len(results)
            group = file.create_group("results")
            for i, result in enumerate(results):
                _write_one(group.create_group(f"{i:06d}"), result)

    write_atomically(path, write)


def _write_one(group: h5py.Group, result: Result) -> None:
    for name in _SCALARS:
        group.attrs[name] = getattr(result, name)
    for name in _JSON:
        group.create_dataset(name, data=json.dumps(getattr(result, name)), dtype=h5py.string_dtype())
    parts = result.energy.components_pJ
    energy = group.create_group("energy")
    energy.attrs["time_ns"] = result.energy.time_ns
    for name, column in (("tier", 0), ("component", 1)):
        energy.create_dataset(name, data=[key[column] for key in parts], dtype=h5py.string_dtype())
    table = np.array([(part.low, part.value, part.high) for part in parts.values()], dtype=np.float64)
    energy.create_dataset("energy_pJ", data=table.reshape(-1, 3))


def read_results(path: Path) -> tuple[list[Result], dict[str, Any]]:
    """Read results and the set's provenance from HDF5 (see :meth:`ResultSet.load`)."""
    if not path.is_file():
        raise DatasetError(f"{path}: no such file; give the path of a results file written by heam_sim.")
    if not _looks_like_hdf5(path):
        raise DatasetError(f"{path}: not an HDF5 file; give a results file written by heam_sim.")
    try:
        with h5py.File(str(path), "r") as file:
            _check_root(path, file)
            provenance = json.loads(_text(file.attrs["provenance"]))
            results = [_read_one(cast(h5py.Group, file["results"][f"{i:06d}"])) for i in range(_number(file))]
    except DatasetError:
        raise
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(f"{path}: truncated or damaged ({reason}); write it again.") from None
    return results, provenance


def _looks_like_hdf5(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check its permissions.") from None


def _number(file: h5py.File) -> int:
    return int(file.attrs["number_of_results"])


def _check_root(path: Path, file: h5py.File) -> None:
    filetype = _text(file.attrs.get("filetype", ""))
    if filetype != FILETYPE:
        found = f"of type {filetype!r}" if filetype else "without a filetype attribute"
        raise DatasetError(f"{path}: HDF5 file {found}, not {FILETYPE!r}; give a results file.")
    major, minor = (int(x) for x in np.asarray(file.attrs["format_version"]))
    if major > FORMAT_VERSION[0]:
        raise DatasetError(
            f"{path}: format version {major}.{minor} is newer than {FORMAT_VERSION[0]}.{FORMAT_VERSION[1]}; "
            "update heam_sim."
        )
    if major < FORMAT_VERSION[0]:
        raise DatasetError(
            f"{path}: format version {major}.{minor} is older than {FORMAT_VERSION[0]}.0; redo the study."
        )


def _read_one(group: h5py.Group) -> Result:
    fields: dict[str, Any] = {name: _scalar(group.attrs[name]) for name in _SCALARS}
    for name in _JSON:
        if name in group or name not in _LATER:
            fields[name] = json.loads(_text(group[name][()]))
    fields["notes"] = tuple(fields["notes"])
    energy = cast(h5py.Group, group["energy"])
    tiers, names = ([_text(item) for item in energy[key][()]] for key in ("tier", "component"))
    table = energy["energy_pJ"][()]
    parts = {
        (tier, name): Interval(*(float(x) for x in row))
        for tier, name, row in zip(tiers, names, table, strict=True)
    }
    time_ns = float(energy.attrs["time_ns"])
    return Result(**fields, energy=EnergyReport(parts, time_ns))


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _scalar(value: object) -> object:
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("a time is not finite")
        return number
    return _text(value)


def _software_version() -> str:
    try:
        return metadata.version("heam_sim")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"
