# SPDX-License-Identifier: MIT
"""One look for all figures: sizes, fonts, colours and hatches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import matplotlib as mpl

__all__ = [
    "ONE_COLUMN_IN",
    "TWO_COLUMNS_IN",
    "Look",
    "component_looks",
    "figure_style",
    "ordered_systems",
    "system_lines",
    "system_looks",
]

ONE_COLUMN_IN = 3.5
TWO_COLUMNS_IN = 7.16
SMALLEST_PT = 7.0

# Okabe and Ito's palette, safe for the common kinds of colour blindness.
ORANGE, SKY, GREEN = "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, LIGHT_GREY = "#949494", "#C8C8C8"


@dataclass(frozen=True)
class Look:
    """Face colour and hatch of one system or component.

    Parameters
    ----------
    colour
        Hexadecimal RGB.
    hatch
        Matplotlib hatch; tells neighbours apart in print without colour.
    """

    colour: str
    hatch: str = ""


# The order of the bars, from plain memory to memory that computes.
_SYSTEMS: Mapping[str, Look] = MappingProxyType(
    {
        "host-dimm": Look(GREY),
        "host-hbm-dimm": Look(SKY, "////"),
        "tensordimm": Look(YELLOW, "...."),
        "recnmp": Look(ORANGE, "\\\\\\\\"),
        "trim-r": Look(LIGHT_GREY, "||||"),
        "trim-g": Look(PURPLE, "xxxx"),
        "trim-b": Look("#FFFFFF", "----"),
        "space": Look(GREEN, "...."),
        "heam": Look(BLUE),
        "proactivepim": Look(VERMILION, "////"),
    }
)
_MARKERS = "osv^DXP*<>h"
_DARK = {"#FFFFFF": "#000000", LIGHT_GREY: "#4D4D4D", YELLOW: "#B8A500"}
_SPARE = tuple(
    Look(colour, hatch) for hatch in ("oo", "++", "**") for colour in (GREEN, PURPLE, VERMILION, YELLOW, SKY)
)

# Dark for what computes; of two with similar lightness one is hatched, so that print without colour will do.
_COMPONENTS: Mapping[str, Look] = MappingProxyType(
    {
        "activation": Look(BLUE),
        "cell": Look(SKY),
        "on_die_movement": Look(SKY, "////"),
        "tsv": Look(GREEN),
        "crossbar": Look(GREEN, "||||"),
        "dram_bus": Look(GREEN, "\\\\\\\\"),
        "io": Look(ORANGE, "xxxx"),
        "refresh": Look(GREY, "...."),
        "background": Look(LIGHT_GREY),
        "alu": Look(VERMILION, "++++"),
        "lut": Look(PURPLE, "----"),
        "instruction": Look(YELLOW, "...."),
        "host": Look("#FFFFFF"),
    }
)


def ordered_systems(names: Iterable[str]) -> list[str]:
    """Distinct names, the known systems in their fixed order, others after them as they come."""
    seen = list(dict.fromkeys(names))
    return [name for name in _SYSTEMS if name in seen] + [name for name in seen if name not in _SYSTEMS]


def system_looks(names: Iterable[str]) -> dict[str, Look]:
    """Look of each system: a known one always the same, others from the spare ones in order."""
    ordered = ordered_systems(names)
    others = [name for name in ordered if name not in _SYSTEMS]
    spare = {name: _SPARE[i % len(_SPARE)] for i, name in enumerate(others)}
    return {name: _SYSTEMS.get(name) or spare[name] for name in ordered}


def system_lines(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and dashes of each system's curve; faces too light for a line are drawn dark.

    Keyword arguments of :meth:`matplotlib.axes.Axes.plot`.
    """
    found = {}
    for number, (name, look) in enumerate(system_looks(names).items()):
        colour = _DARK.get(look.colour, look.colour)
        found[name] = {
            "color": colour,
            "marker": _MARKERS[number % len(_MARKERS)],
            "linestyle": ("-", "--", ":")[number // 4 % 3],
            "linewidth": 1.0,
            "markersize": 3.5,
        }
    return found


def component_looks() -> dict[str, Look]:
    """Look of each energy component, in stacking order."""
    return dict(_COMPONENTS)


@contextmanager
def figure_style() -> Iterator[None]:
    """Matplotlib settings of all figures, for the duration of a ``with`` block.

    Text is at least 7 pt; fonts are embedded as TrueType, as journals ask.

    Yields
    ------
    None
        The settings hold inside the block.
    """
    settings = {
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 8.0,
        "axes.titlesize": 8.0,
        "axes.labelsize": 8.0,
        "xtick.labelsize": SMALLEST_PT,
        "ytick.labelsize": SMALLEST_PT,
        "legend.fontsize": SMALLEST_PT,
        "figure.titlesize": 8.0,
        "pdf.fonttype": 42,
        "ps.fonttype": 42,
        "axes.linewidth": 0.6,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "grid.color": "#DDDDDD",
        "grid.linewidth": 0.5,
        "hatch.linewidth": 0.4,
        "patch.linewidth": 0.4,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "legend.frameon": False,
        "savefig.dpi": 300,
    }
    with mpl.rc_context(settings):  # type: ignore[arg-type]  # the stub lists keys as literals
        yield
