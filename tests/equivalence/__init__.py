# SPDX-License-Identifier: MIT
"""The C core against the slow reference and against recordings of Ramulator 2.1."""
