# SPDX-License-Identifier: MIT
"""Tables as files: CSV, Parquet, JSON and LaTeX, chosen by the name's ending."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heam_sim.errors import ConfigError, unknown_name
from heam_sim.results.atomic import write_atomically
from heam_sim.results.units import unit_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "RESULT_ENDINGS",
    "TABLE_ENDINGS",
    "check_ending",
    "finite",
    "heading",
    "json_text",
    "latex_table",
    "records",
    "write_table",
]

_LATEX = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "µ": r"\textmu{}",
}
_DIGITS = 4


def finite(value: Any) -> Any:
    """Copy nested values for JSON, which has no NaN and no infinities: these become ``None``."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    if hasattr(value, "item"):  # a NumPy scalar
        return finite(value.item())
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    return str(value)


def json_text(value: Any) -> str:
    """Return a value as JSON text, one line per entry; NaN and infinities are null."""
    return json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table as one mapping per row, ready for JSON."""
    found: list[dict[str, Any]] = finite(frame.to_dict("records"))
    return found


def latex_table(frame: pd.DataFrame) -> str:
    """Return a table as a LaTeX ``tabular`` with booktabs' rules.

    Numbers stand right and have four significant digits, text is escaped, and units that end a column's
    name stand in brackets behind it.

    Parameters
    ----------
    frame
        The table; a column's name ends in its unit.

    Returns
    -------
    str
        Lines from ``\\begin{tabular}`` to ``\\end{tabular}``.
    """
    numeric = [frame[name].dtype.kind in "iuf" for name in frame.columns]
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{''.join('r' if right else 'l' for right in numeric)}}}",
        "\\toprule",
        " & ".join(_escaped(heading(str(name))) for name in frame.columns) + r" \\",
        "\\midrule",
    ]
    for row in frame.itertuples(index=False):
        lines.append(" & ".join(_cell(value) for value in row) + r" \\")
    return "\n".join((*lines, "\\bottomrule", "\\end{tabular}", ""))


def heading(name: str) -> str:
    """Return a column's name in words, its unit in brackets behind it: ``time_ns`` is ``time (ns)``."""
    unit = unit_of(name)
    stem = name
    if unit == "1/s":
        stem, unit = name.removesuffix("_second"), "s"  # "lookups per (s)" would be no English
        return f"{stem.replace('_', ' ')} {unit}"
    if unit:
        ending = "_bytes" if unit == "B" else f"_{unit}"
        stem = name.removesuffix(ending)
    return stem.replace("_", " ") + (f" ({unit})" if unit else "")


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in text)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):  # NumPy's too
        if math.isnan(value):
            return "--"
        if math.isinf(value):
            return r"$\infty$" if value > 0 else r"$-\infty$"
        text = f"{value:.{_DIGITS}g}"
        mantissa, e, exponent = text.partition("e")
        return rf"${mantissa} \cdot 10^{{{int(exponent)}}}$" if e else text
    return _escaped(str(value))


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    try:
        import pyarrow  # noqa: F401  # pandas alone would say this in many lines
    except ImportError:
        raise ConfigError(
            "Parquet needs pyarrow: run `pip install 'heam-sim[datasets]'`, or write .csv."
        ) from None
    frame = frame.copy()
    for name in frame.columns:
        if frame[name].dtype.kind == "O":
            # A column of Parquet has one type; what holds numbers and text becomes text.
            frame[name] = [None if value is None else str(value) for value in frame[name]]
    frame.to_parquet(path, engine="pyarrow", index=False)


_WRITERS: Mapping[str, Callable[[Any, Path], object]] = {
    ".csv": lambda frame, part: frame.to_csv(part, index=False, lineterminator="\n"),
    ".parquet": _write_parquet,
    ".json": lambda frame, part: part.write_text(json_text(records(frame)) + "\n", encoding="utf-8"),
    ".tex": lambda frame, part: part.write_text(latex_table(frame), encoding="utf-8"),
}
TABLE_ENDINGS = tuple(_WRITERS)
RESULT_ENDINGS = (".h5", ".hdf5", *TABLE_ENDINGS)


def check_ending(path: str | Path, endings: Sequence[str] = TABLE_ENDINGS) -> str:
    """Return the ending of a file's name, in lower case; a long run asks before it starts.

    Raises
    ------
    heam_sim.errors.ConfigError
        It is none of `endings`.
    """
    file = Path(path)
    ending = file.suffix.lower()
    if ending not in endings:
        raise unknown_name("ending", file.suffix, endings, where=str(file))
    return ending


def write_table(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table, atomically, in the form that the name's ending says.

    Parameters
    ----------
    path
        Ends in ``.csv``, ``.parquet``, ``.json`` (a list of rows) or ``.tex`` (:func:`latex_table`).
    frame
        The table; its index is not written.

    Raises
    ------
    heam_sim.errors.ConfigError
        Another ending, or Parquet without pyarrow.
    heam_sim.errors.OutputError
        The file cannot be written; nothing is left behind.
    """
    writer = _WRITERS[check_ending(path)]
    write_atomically(Path(path), lambda part: writer(frame, part))
