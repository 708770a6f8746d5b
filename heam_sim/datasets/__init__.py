# SPDX-License-Identifier: MIT
"""Datasets as lookup traces: readers of published formats, and generators of the same shape."""

from __future__ import annotations

from heam_sim.datasets.convert import ConvertReport, convert_dataset, read_dataset
from heam_sim.datasets.distributions import HotSet, Pareto, StackDistance, Zipf, parse_distribution
from heam_sim.datasets.edge_lists import read_graph
from heam_sim.datasets.fitted import generate_fitted
from heam_sim.datasets.generators import generate, generate_file, generate_tables
from heam_sim.datasets.graph import Graph
from heam_sim.datasets.meta_like import generate_meta_like
from heam_sim.datasets.multi_hot import expand_multi_hot
from heam_sim.datasets.neighbours import neighbour_trace
from heam_sim.datasets.options import ReadOptions
from heam_sim.datasets.recipe import generate_from_recipe
from heam_sim.datasets.registered import register_dataset
from heam_sim.datasets.registry import DatasetInfo, dataset_info, known_datasets
from heam_sim.datasets.rmat import rmat_edges, rmat_graph
from heam_sim.datasets.scan import list_sizes, scan_trace
from heam_sim.datasets.shapes import Shape, custom_shape, known_shapes, shape_info
from heam_sim.datasets.workloads import WORKLOADS, check_workload, graph, workload

__all__ = [
    "WORKLOADS",
    "ConvertReport",
    "DatasetInfo",
    "Graph",
    "HotSet",
    "Pareto",
    "ReadOptions",
    "Shape",
    "StackDistance",
    "Zipf",
    "check_workload",
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
    "graph",
    "known_datasets",
    "known_shapes",
    "list_sizes",
    "neighbour_trace",
    "parse_distribution",
    "read_dataset",
    "read_graph",
    "register_dataset",
    "rmat_edges",
    "rmat_graph",
    "scan_trace",
    "shape_info",
    "workload",
]
