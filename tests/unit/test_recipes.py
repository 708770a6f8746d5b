# SPDX-License-Identifier: MIT
"""The recipes in traces/ give the traces that they promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from heam_sim.datasets import generate_from_recipe
from heam_sim.errors import ConfigError
from heam_sim.experiments import study_design
from heam_sim.trace import LookupTrace


@pytest.mark.parametrize("name", ["criteo-kaggle", "criteo-kaggle-multi-hot"])
def test_shipped_recipes_keep_their_hash(root: Path, name: str) -> None:
    trace = generate_from_recipe(root / "traces" / f"{name}.toml")
    pooling = 20 if "multi" in name else 1
    assert trace.lookups == trace.samples * trace.tables * pooling
    # They are traces of the study.
    source = study_design().traces["pooling-20" if "multi" in name else "one-hot"]
    assert trace.content_hash == source.load(root).content_hash


def test_the_stored_sample_is_the_beginning_of_the_recipe(root: Path) -> None:
    stored = LookupTrace.load(root / "traces" / "criteo-kaggle-500.h5")
    whole = generate_from_recipe(root / "traces" / "criteo-kaggle.toml")
    for mine, theirs in zip(stored.indices, whole.samples_slice(0, 500).indices, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dataset = ", "cannot be read"),
        ('dataset = "criteo-kaggle"\nsamples = 3\nseed = 1\n', "source"),
        ('dataset = "criteo-kaggle"\nsamples = 3\nseed = 1\nsource = "x"\nsede = 2\n', "seed"),
        ('dataset = "custom"\nsamples = 3\nseed = 1\nsource = "x"\n', "cardinalities belong to"),
        (
            'dataset = "rm1"\ncardinalities = [3]\nsamples = 3\nseed = 1\nsource = "x"\n',
            "cardinalities belong",
        ),
        (
            'dataset = "custom"\ncardinalities = 3\nsamples = 3\nseed = 1\nsource = "x"\n',
            "one number per table",
        ),
        ('dataset = "custom"\ncardinalities = []\nsamples = 3\nseed = 1\nsource = "x"\n', "no table"),
        ('dataset = "criteo"\nsamples = 3\nseed = 1\nsource = "x"\n', "criteo-kaggle"),
        ('dataset = "criteo-kaggle"\nsamples = 3\nseed = 1\nsource = "x"\ncontent_hash = "00"\n', "hash"),
    ],
)
def test_bad_recipes_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        generate_from_recipe(path)
    with pytest.raises(ConfigError, match="missing"):
        generate_from_recipe(tmp_path / "missing.toml")
