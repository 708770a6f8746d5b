# SPDX-License-Identifier: MIT
"""What pyproject.toml cannot say: the cffi extension and the tag of its stable-ABI wheel."""

from __future__ import annotations

from setuptools import setup

setup(
    cffi_modules=["heam_sim/_core/build_ffi.py:ffibuilder"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
