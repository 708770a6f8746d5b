# SPDX-License-Identifier: MIT
"""What is installed is the whole package; its compiled part shows nothing of its inside (see .ci/ship)."""

from __future__ import annotations

import fnmatch
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from heam_sim._core import _heam

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "heam_sim"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BUILT = (".py", ".pyc", ".so")
#: Extras for working on heam_sim, and torch, which is larger than all the rest.
NOT_IN_ALL = {"all", "browser", "dev", "docs", "test", "torch"}


def test_every_file_of_the_package_is_installed() -> None:
    data = PROJECT["tool"]["setuptools"]["package-data"]
    top, below = data["heam_sim"], [pattern.removeprefix("**/") for pattern in data["*"]]
    files = [file for file in PACKAGE.rglob("*") if file.is_file() and file.suffix not in BUILT]
    assert len(files) > 30
    left = [
        file
        for file in files
        if not any(fnmatch.fnmatch(file.name, pattern) for pattern in below)
        and not (file.parent == PACKAGE and file.name in top)
    ]
    assert left == []


def test_every_file_of_the_tree_is_in_the_sdist() -> None:
    """Each file in the root is named, each folder grafted."""
    lines = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    words = [word for line in lines if line.startswith(("include ", "graft ")) for word in line.split()[1:]]
    ignored = [*(ROOT / ".gitignore").read_text(encoding="utf-8").split(), ".git", ".gitignore"]
    patterns = [pattern.strip("/") for pattern in ignored]
    known = {*words, "heam_sim", "MANIFEST.in", "pyproject.toml", "setup.py", "PKG-INFO", "setup.cfg"}
    names = {path.name for path in ROOT.iterdir()}
    assert {name for name in names if not any(fnmatch.fnmatch(name, one) for one in patterns)} <= known


def test_extras() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    listed = {name for entry in extras["all"] for name in entry.partition("[")[2].rstrip("]").split(",")}
    assert listed == set(extras) - NOT_IN_ALL


def test_what_is_pinned_is_what_is_needed() -> None:
    """constraints.txt has every library that pyproject.toml names for use, in one exact version."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(
        line.lower().replace("_", "-").split("==") for line in lines if line and not line.startswith("#")
    )
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    wanted = [*PROJECT["build-system"]["requires"], *project["dependencies"]]
    wanted += [entry for name in set(extras) - NOT_IN_ALL for entry in extras[name]]
    for entry in wanted:
        name, _, least = entry.partition(">=")
        assert tuple(map(int, pins[name].split("."))) >= tuple(map(int, least.split("."))), entry


def test_the_core_exports_nothing_but_its_init_function() -> None:
    if shutil.which("nm") is None:
        pytest.skip("nm (binutils) is not installed")
    command = ["nm", "-D", "--defined-only", "-P", _heam.__file__]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in text.splitlines()] == ["PyInit__heam"]
