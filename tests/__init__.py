# SPDX-License-Identifier: MIT
"""Tests of heam_sim; a package so that helpers import as ``tests.reference`` whatever else is installed."""
