# SPDX-License-Identifier: MIT
"""Embedding schemes: which subtable rows a lookup reads; and the ground truth of pooling."""

from __future__ import annotations

from heam_sim.embedding.parse import parse_embedding
from heam_sim.embedding.schemes import QR, EmbeddingScheme, Full, Operand, Subtable, check_vector_bytes

__all__ = ["QR", "EmbeddingScheme", "Full", "Operand", "Subtable", "check_vector_bytes", "parse_embedding"]
