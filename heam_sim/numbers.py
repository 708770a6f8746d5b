# SPDX-License-Identifier: MIT
"""Numbers that users give: what is accepted, and what is said of the rest, the same everywhere."""

from __future__ import annotations

import contextlib
import math
import operator

import numpy as np

from heam_sim.errors import ConfigError, HeamSimError

__all__ = ["real_number", "whole_number"]


def whole_number(
    name: str,
    value: object,
    *,
    minimum: int,
    maximum: int | None = None,
    error: type[HeamSimError] = ConfigError,
) -> int:
    """Return `value` as an int, or complain about `name`.

    Parameters
    ----------
    name
        What the message names: a keyword, or a place and a key.
    value
        Anything; Python and numpy integers are accepted, booleans and floats are not.
    minimum, maximum
        Inclusive bounds; ``None`` leaves the upper end open.
    error
        What is raised.

    Raises
    ------
    HeamSimError
        Of the type `error`, if the value is no whole number or out of bounds.
    """
    if maximum is not None:
        wanted = f"from {minimum} to {maximum}"
    else:
        wanted = "that is not negative" if minimum == 0 else f"of at least {minimum}"
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]  # that it may fail is the point
    except TypeError:
        raise error(f"{name} must be a whole number {wanted}, not {value!r}.") from None
    if number < minimum or (maximum is not None and number > maximum):
        raise error(f"{name} must be a whole number {wanted}, not {number}.")
    return number


def real_number(
    name: str,
    value: object,
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
    error: type[HeamSimError] = ConfigError,
) -> float:
    """Return `value` as a finite float, or complain about `name`.

    Parameters
    ----------
    name
        What the message names: a keyword, or a place and a key.
    value
        Anything; Python and numpy integers and floats are accepted, booleans are not.
    minimum, above
        Lower bound, with or without the bound itself; at most one of them.
    maximum, below
        Upper bound, likewise.
    error
        What is raised.

    Raises
    ------
    HeamSimError
        Of the type `error`, if the value is no number, not finite or out of bounds.
    """
    number = math.nan
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # of a whole number that no float is near
            number = float(value)
    inside = (
        math.isfinite(number)
        and (minimum is None or number >= minimum)
        and (above is None or number > above)
        and (maximum is None or number <= maximum)
        and (below is None or number < below)
    )
    if not inside:
        wanted = _wanted(minimum, above, maximum, below)
        raise error(f"{name} must be a {wanted}, not {value!r}.")
    return number


def _wanted(minimum: float | None, above: float | None, maximum: float | None, below: float | None) -> str:
    """The bounds in words."""
    if minimum is not None:
        low = f"from {minimum:g}"
    else:
        low = "" if above is None else f"above {above:g}"
    if maximum is not None:
        high = f"to {maximum:g}" if minimum is not None else f"up to {maximum:g}"
    else:
        high = "" if below is None else f"below {below:g}"
    if low and high:
        return f"number {low} {'' if minimum is not None and maximum is not None else 'and '}{high}"
    if minimum == 0:
        low = "that is not negative"
    elif minimum is not None:
        low = f"of at least {minimum:g}"
    return f"finite number {low}{high}".rstrip()
