# SPDX-License-Identifier: MIT
"""Address maps: from a number to channel, bank, row and column, and back."""

from __future__ import annotations

from heam_sim.address.address_map import AddressMap, Piece, Xor, divided, narrow, split_at
from heam_sim.address.notation import NAMED_MAPS, parse_map

__all__ = ["NAMED_MAPS", "AddressMap", "Piece", "Xor", "divided", "narrow", "parse_map", "split_at"]
