# SPDX-License-Identifier: MIT
"""Datasets as lookup traces: readers of published formats, and generators of the same shape."""

from __future__ import annotations

from heam_sim.datasets.convert import ConvertReport, convert_dataset, read_dataset
from heam_sim.datasets.generators import generate
from heam_sim.datasets.multi_hot import expand_multi_hot
from heam_sim.datasets.options import ReadOptions
from heam_sim.datasets.recipe import generate_from_recipe
from heam_sim.datasets.registry import DatasetInfo, dataset_info, known_datasets

__all__ = [
    "ConvertReport",
    "DatasetInfo",
    "ReadOptions",
    "convert_dataset",
    "dataset_info",
    "expand_multi_hot",
    "generate",
    "generate_from_recipe",
    "known_datasets",
    "read_dataset",
]
