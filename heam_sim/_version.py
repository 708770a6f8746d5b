# SPDX-License-Identifier: MIT
"""The one place where the version stands."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
