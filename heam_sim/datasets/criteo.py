# SPDX-License-Identifier: MIT
"""The Criteo click logs: Kaggle display advertising challenge, and Terabyte.

Tab-separated text without a header: label, 13 integers, 26 categorical values of up to 8 hex digits. Every
categorical column becomes a one-hot table; the empty value is a value like the others.
"""

from __future__ import annotations

from pathlib import Path

from heam_sim.datasets.delimited import Field, Layout
from heam_sim.datasets.opened import Opened, opened_text
from heam_sim.datasets.options import ReadOptions

__all__ = [
    "COLUMNS",
    "KAGGLE_CARDINALITIES",
    "KAGGLE_FILES",
    "TERABYTE_CARDINALITIES",
    "TERABYTE_FILES",
    "open_criteo",
]

COLUMNS = tuple(f"C{column}" for column in range(1, 27))
# Distinct values of C1..C26 in train.txt (45,840,617 rows), the empty value included; published with DLRM.
KAGGLE_CARDINALITIES = (
    *(1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194),
    *(27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572),
)
KAGGLE_FILES = ("train.txt*", "train*")
# Distinct values in day_0 to day_23, as published with DLRM.
TERABYTE_CARDINALITIES = (
    *(45833188, 36746, 17245, 7413, 20243, 3, 7114, 1441, 62, 29275261, 1572176, 345138, 10),
    *(2209, 11267, 128, 4, 974, 14, 48937457, 11316796, 40094537, 452104, 12606, 104, 35),
)
TERABYTE_FILES = ("day_*",)

_NUMERIC = 14  # label and 13 integers
_LAYOUT = Layout(
    delimiter="\t",
    names=("the label", *(f"I{column}" for column in range(1, 14)), *COLUMNS),
    fields=tuple(Field(name, _NUMERIC + place, "hex") for place, name in enumerate(COLUMNS)),
    fewest=_NUMERIC + 1,
    plain=range(_NUMERIC),
    what="label, 13 integers, 26 categorical values, separated by tabs",
)


def open_criteo(files: list[Path], options: ReadOptions) -> Opened:
    """Return the 26 columns of Criteo files.

    A row that lost only trailing empty fields (15 to 39 fields) reads the missing ones as empty values.
    """
    del options  # all of them are the pipeline's
    return opened_text(files, _LAYOUT)
