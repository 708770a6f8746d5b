# SPDX-License-Identifier: MIT
"""The hash behind numbers that are made up: values of rows, codes of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["GOLDEN", "MIX_1", "MIX_2", "mix64"]

# Odd 64-bit constants: the golden ratio's, and the two of the splitmix64 finaliser (Steele et al., OOPSLA
# 2014).
GOLDEN = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB


def mix64(values: NDArray[np.uint64]) -> NDArray[Any]:
    """Scatter 64-bit numbers one to one."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(MIX_1)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(MIX_2)
    return values ^ (values >> np.uint64(31))
