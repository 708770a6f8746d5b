# SPDX-License-Identifier: MIT
"""Datasets as lookup traces: readers of published formats, and generators of the same shape."""

from __future__ import annotations

from heam_sim.datasets.convert import ConvertReport, convert_dataset, read_dataset
from heam_sim.datasets.distributions import HotSet, Pareto, StackDistance, Zipf, parse_distribution
from heam_sim.datasets.fitted import generate_fitted
from heam_sim.datasets.generators import generate, generate_file, generate_tables
from heam_sim.datasets.meta_like import generate_meta_like
from heam_sim.datasets.multi_hot import expand_multi_hot
from heam_sim.datasets.options import ReadOptions
from heam_sim.datasets.recipe import generate_from_recipe
from heam_sim.datasets.registered import register_dataset
from heam_sim.datasets.registry import DatasetInfo, dataset_info, known_datasets
from heam_sim.datasets.shapes import Shape, custom_shape, known_shapes, shape_info

__all__ = [
    "ConvertReport",
    "DatasetInfo",
    "HotSet",
    "Pareto",
    "ReadOptions",
    "Shape",
    "StackDistance",
    "Zipf",
    "convert_dataset",
    "custom_shape",
    "dataset_info",
    "expand_multi_hot",
    "generate",
    "generate_file",
    "generate_fitted",
    "generate_from_recipe",
    "generate_meta_like",
    "generate_tables",
    "known_datasets",
    "known_shapes",
    "parse_distribution",
    "read_dataset",
    "register_dataset",
    "shape_info",
]
