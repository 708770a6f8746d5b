# SPDX-License-Identifier: MIT
"""What every call into the core needs: status codes, array checks, and the owner of a handle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heam_sim._core._heam import ffi, lib
from heam_sim._core.records import text
from heam_sim.errors import ConfigError, CoreError, SpecError

__all__ = ["Handle", "check_status", "checked_array", "pointer_to"]


def check_status(status: int, what: str, detail: int | None = None) -> None:
    if status == 0:
        return
    name = text(lib.heam_status_name(status))
    where = "" if detail is None else f" (at index {detail})"
    message = f"{what}: {text(lib.heam_status_text(status))}{where} [{name}]."
    if name == "HEAM_OUT_OF_MEMORY":
        raise MemoryError(message)
    if name.removeprefix("HEAM_BAD_") in (
        "CHANNEL",
        "REFRESH",
        "HOST",
        "STACK",
        "ARGUMENT",
        "ARRIVAL",
        "ENGINE",
    ):
        raise ConfigError(message)
    if name in ("HEAM_BAD_LEVELS", "HEAM_BAD_COMMAND", "HEAM_BAD_ROW"):
        raise SpecError(message)
    raise CoreError(message)


def checked_array(values: Any, dtype: np.dtype[Any], what: str) -> NDArray[Any]:
    """Accept a contiguous array of exactly this dtype; cffi would reinterpret others without a word."""
    if (
        not isinstance(values, np.ndarray)
        or values.dtype != dtype
        or values.ndim != 1
        or not values.flags.c_contiguous
        or not values.flags.aligned
    ):
        got = (
            f"{values.dtype} of {values.ndim} dimensions"
            if isinstance(values, np.ndarray)
            else type(values).__name__
        )
        raise ConfigError(
            f"{what}: needs a contiguous, aligned one-dimensional {dtype} array, not {got}; use "
            f"numpy.ascontiguousarray."
        )
    return values


def pointer_to(ctype: str, values: NDArray[Any]) -> Any:
    return ffi.from_buffer(ctype, values) if values.size else ffi.NULL


class Handle:
    """A C handle that only one thread may use at a time."""

    def __init__(self, pointer: Any, destroy: Any) -> None:
        self._pointer = ffi.gc(pointer, destroy)
        self._lock = threading.Lock()

    @contextmanager
    def exclusive(self) -> Iterator[Any]:
        if not self._lock.acquire(blocking=False):
            raise CoreError("another thread is using this handle; give every thread a handle of its own.")
        try:
            if self._pointer is None:
                raise CoreError("the handle is closed; create a new one.")
            yield self._pointer
        finally:
            self._lock.release()

    def held(self) -> Any:
        """Return the pointer for a call that copies what it needs; :class:`CoreError` if it is closed."""
        with self.exclusive() as pointer:
            return pointer

    def close(self) -> None:
        """Free the core's memory now; later calls raise :class:`CoreError`."""
        with self.exclusive() as pointer:
            ffi.release(pointer)
            self._pointer = None
