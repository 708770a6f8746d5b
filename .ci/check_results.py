# SPDX-License-Identifier: MIT
"""Looks at what ``heam-sim reproduce`` left in a folder: are all files there, readable and complete?"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

import h5py

from heam_sim.systems import known_systems

FIGURES = {"speedup-one-hot", "energy-one-hot", "bank-accesses", "hit-rates", "roofline"}
TABLES = ("summary.csv", "results.h5", "claims.csv", "comparisons.csv")
SIGNATURES = {".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-"}


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file by column name; lines that start with # are comments."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(line for line in stream if not line.startswith("#")))


def check_tables(folder: Path) -> list[str]:
    """Complaints about the summary, the claims and the HDF5 file."""
    wrong = []
    summary = rows_of(folder / "summary.csv")
    systems = {row.get("system", "") for row in summary}
    if systems != set(known_systems()):
        wrong.append(f"summary.csv has the systems {sorted(systems)}, not {sorted(known_systems())}.")
    if (folder / "failures.csv").exists():
        wrong.append("failures.csv: there were failures.")
    for number, row in enumerate(summary, start=2):
        for name in ("time_ns", "energy_pJ"):
            value = float(row.get(name) or "nan")
            if not (math.isfinite(value) and value > 0):
                wrong.append(f"summary.csv, row {number}: {name} is {row.get(name)!r}.")
    for name in ("claims.csv", "comparisons.csv"):
        if not rows_of(folder / name):
            wrong.append(f"{name} has no rows.")
    with h5py.File(folder / "results.h5", "r") as store:
        if len(store.keys()) == 0 or "filetype" not in store.attrs:
            wrong.append("results.h5 is empty or has no filetype.")
    return wrong


def check_figures(folder: Path) -> list[str]:
    """Complaints about figures: each is a PNG with its PDF and the CSV behind it."""
    wrong = []
    figures = sorted(folder.rglob("*.png"))
    missing = FIGURES - {figure.stem for figure in figures}
    if missing:
        wrong.append(f"figures are missing: {', '.join(sorted(missing))}.")
    for figure in figures:
        for suffix, signature in SIGNATURES.items():
            path = figure.with_suffix(suffix)
            if not path.is_file() or not path.read_bytes().startswith(signature):
                wrong.append(f"{path.relative_to(folder)} is missing or no {suffix[1:].upper()} file.")
        data = figure.with_suffix(".csv")
        if not data.is_file() or not rows_of(data):
            wrong.append(f"{data.relative_to(folder)} is missing or has no rows.")
    return wrong


def main() -> int:
    """Print the complaints about the folder named on the command line; 1 if there are any."""
    folder = Path(sys.argv[1])
    missing = [name for name in TABLES if not (folder / name).is_file()]
    wrong = [f"{name} is missing." for name in missing] or check_tables(folder) + check_figures(folder)
    for complaint in wrong:
        print(f"{folder}: {complaint}", file=sys.stderr)
    leftovers = [
        path.name for path in folder.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"
    ]
    if leftovers:
        print(f"{folder}: temporary files were left: {', '.join(leftovers)}", file=sys.stderr)
    return 1 if wrong or leftovers else 0


if __name__ == "__main__":
    sys.exit(main())
