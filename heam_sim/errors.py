# SPDX-License-Identifier: MIT
"""Every error that heam_sim raises on purpose.

All derive from :class:`HeamSimError`, so one ``except`` clause is enough. Each message is one sentence that
says what is wrong, where (file, line, row or keyword) and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CapacityError",
    "CeilingError",
    "CheckError",
    "ClusterError",
    "ConfigError",
    "CoreError",
    "DatasetError",
    "HeamSimError",
    "OutputError",
    "SpecError",
    "TraceError",
    "unknown_name",
]


class HeamSimError(Exception):
    """Base class of all deliberate errors of heam_sim."""


class ConfigError(HeamSimError, ValueError):
    """A keyword, option, name or value is not what it can be."""


class SpecError(ConfigError):
    """A memory standard, preset or power file is incomplete or contradictory."""


class DatasetError(HeamSimError, ValueError):
    """A dataset file is missing, foreign or malformed (file and line are named)."""


class TraceError(HeamSimError, ValueError):
    """A lookup trace, in memory or in a file, is malformed."""


class CapacityError(HeamSimError, ValueError):
    """A model does not fit into its memory."""


class CheckError(HeamSimError):
    """The protocol or the functional check found a violation."""


class CeilingError(CheckError):
    """A run came out faster than a closed-form ceiling allows."""


class OutputError(HeamSimError, OSError):
    """A result cannot be written."""


class ClusterError(HeamSimError, RuntimeError):
    """A cluster cannot be reached, has no workers, or has workers with another version of heam_sim."""


class CoreError(HeamSimError, RuntimeError):
    """The C core refused a call (a bug or a misuse of the low-level interface)."""


def unknown_name(kind: str, name: object, known: Iterable[object], *, where: str = "") -> ConfigError:
    """Build the error for an unknown name, with the nearest known one.

    Parameters
    ----------
    kind
        What was looked up, e.g. ``"system"``.
    name
        What was asked for.
    known
        All names that exist.
    where
        File or keyword, prepended to the message when given.

    Returns
    -------
    ConfigError
        Ready to be raised.
    """
    names = sorted(str(item) for item in known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}."
    prefix = f"{where}: " if where else ""
    return ConfigError(f"{prefix}unknown {kind} {name!r}; {hint}")
