# SPDX-License-Identifier: MIT
"""Embedding schemes: which subtable rows a lookup reads; and the ground truth of pooling."""

from __future__ import annotations

from heam_sim.embedding.parse import EMBEDDING_FORMS, parse_embedding
from heam_sim.embedding.product_quantization import PQ
from heam_sim.embedding.schemes import QR, Full, Hashing, Partitions
from heam_sim.embedding.tables import (
    EmbeddingScheme,
    Operand,
    Subtable,
    check_vector_bytes,
    composes_sums,
    rows_meet,
    sum_bytes,
)
from heam_sim.embedding.tensor_train import TT

__all__ = [
    "EMBEDDING_FORMS",
    "PQ",
    "QR",
    "TT",
    "EmbeddingScheme",
    "Full",
    "Hashing",
    "Operand",
    "Partitions",
    "Subtable",
    "check_vector_bytes",
    "composes_sums",
    "parse_embedding",
    "rows_meet",
    "sum_bytes",
]
