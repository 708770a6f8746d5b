# SPDX-License-Identifier: MIT
"""Malformed dataset files: a typed error with file and line, or counted; never a half file."""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import random
import re
import sys
from pathlib import Path

import pytest

from heam_sim.datasets import ReadOptions, convert_dataset, read_dataset
from heam_sim.errors import ConfigError, DatasetError, HeamSimError
from heam_sim.trace import LookupTrace


def load_corpus() -> object:
    """Import the script beside this file; it is no package."""
    path = Path(__file__).with_name("malformed.py")
    spec = importlib.util.spec_from_file_location("malformed", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["malformed"] = module
    spec.loader.exec_module(module)
    return module


corpus = load_corpus()
CASES = {case.name: case for case in corpus.cases()}  # type: ignore[attr-defined]
OLD = LookupTrace.from_arrays([[1, 2, 3]])


@pytest.fixture(scope="module")
def pyarrow_for_csv() -> bool:
    return importlib.util.find_spec("pyarrow") is not None


@pytest.mark.parametrize("name", CASES)
def test_malformed(name: str, pyarrow_for_csv: bool, tmp_path: Path) -> None:
    case = CASES[name]
    if case.dataset == "csv" and not pyarrow_for_csv:
        pytest.skip("CSV with a column map needs pyarrow (extra datasets), which is not installed")
    source = tmp_path / "in" / corpus.file_name(case)  # type: ignore[attr-defined]
    source.parent.mkdir()
    source.write_bytes(case.content)
    output = tmp_path / "out" / "trace.h5"
    output.parent.mkdir()
    OLD.save(output)
    before = output.read_bytes()

    with pytest.raises((DatasetError, ConfigError)) as caught:
        convert_dataset(case.dataset, source, output, ReadOptions(**case.options))
    message = str(caught.value)
    assert message.startswith(str(source))
    assert "\n" not in message
    assert len(message) < 600
    if case.line:
        assert re.match(rf"(:{case.line}: |: row {case.line}: )", message[len(str(source)) :]), message
    assert output.read_bytes() == before
    assert [item.name for item in output.parent.iterdir()] == ["trace.h5"]

    lenient = ReadOptions(**case.options, on_error="skip")
    try:
        report = convert_dataset(case.dataset, source, output, lenient)
    except HeamSimError as error:
        assert case.skipped is None, error
        assert output.read_bytes() == before
    else:
        assert report.skipped >= 1
        assert report.messages[0].startswith(str(source))
        if case.skipped is not None:
            assert report.skipped == case.skipped
        if case.kept is not None:
            assert report.rows == case.kept
        trace = LookupTrace.load(output)
        assert trace == read_dataset(case.dataset, source, lenient)
        assert trace.provenance["skipped"] == report.skipped
    assert [item.name for item in output.parent.iterdir()] == ["trace.h5"]


@pytest.mark.parametrize("form", corpus.formats(), ids=lambda form: form.dataset)  # type: ignore[attr-defined]
def test_random_damage(form: object, pyarrow_for_csv: bool, tmp_path: Path) -> None:
    """Whatever bytes are changed, taken out or put in: a trace or a typed error."""
    if form.dataset == "csv" and not pyarrow_for_csv:  # type: ignore[attr-defined]
        pytest.skip("CSV with a column map needs pyarrow (extra datasets), which is not installed")
    rng = random.Random(form.dataset)  # type: ignore[attr-defined]
    plain = corpus.joined(form.lines)  # type: ignore[attr-defined]
    path = tmp_path / "damaged"
    for number in range(60):
        content = bytearray(plain if number % 3 else gzip.compress(plain, mtime=0))
        for _ in range(rng.choice([1, 1, 2, 20])):
            place = rng.randrange(len(content))
            length = rng.choice([0, 1, 1, 5])
            content[place : place + length] = rng.randbytes(rng.choice([0, 1, 1, 5]))
        path.write_bytes(bytes(content))
        for on_error in ("raise", "skip"):
            options = ReadOptions(**form.options, on_error=on_error)  # type: ignore[attr-defined]
            with contextlib.suppress(HeamSimError):
                assert read_dataset(form.dataset, path, options).samples > 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("form", corpus.formats(), ids=lambda form: form.dataset)  # type: ignore[attr-defined]
def test_what_is_no_fault(form: object, pyarrow_for_csv: bool, tmp_path: Path) -> None:
    """Line ends may be mixed, and the last one may be missing."""
    if form.dataset == "csv" and not pyarrow_for_csv:  # type: ignore[attr-defined]
        pytest.skip("CSV with a column map needs pyarrow (extra datasets), which is not installed")
    lines = form.lines  # type: ignore[attr-defined]
    options = ReadOptions(**form.options)  # type: ignore[attr-defined]
    traces = []
    for number, content in enumerate(
        (
            "\n".join(lines) + "\n",
            "\n".join(lines),
            "\r\n".join(lines),
            "".join(line + ("\r\n" if place % 3 else "\n") for place, line in enumerate(lines)),
        )
    ):
        path = tmp_path / f"{number}.txt"
        path.write_bytes(content.encode())
        traces.append(read_dataset(form.dataset, path, options))  # type: ignore[attr-defined]
    assert traces == [traces[0]] * 4
    assert traces[0].provenance["rows"] == corpus.ROWS  # type: ignore[attr-defined]
