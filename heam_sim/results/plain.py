# SPDX-License-Identifier: MIT
"""Values that survive JSON unchanged."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from heam_sim.errors import ConfigError

__all__ = ["plain"]


def plain(value: object, *, where: str) -> Any:
    """Copy a value into plain Python objects that JSON gives back unchanged.

    Parameters
    ----------
    value
        Nested mappings with text keys, sequences, arrays, numbers, text, booleans or ``None``.
        Sequences and arrays become lists, NumPy scalars Python numbers.
    where
        Name of the field, for the error message.

    Raises
    ------
    heam_sim.errors.ConfigError
        Something in it is of another type.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), where=where)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ConfigError(f"{where}: key {key!r} is not text; use text keys.")
        return {key: plain(item, where=f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item, where=f"{where}[{i}]") for i, item in enumerate(value)]
    raise ConfigError(f"{where}: {type(value).__name__} cannot be stored; convert it to text or numbers.")
