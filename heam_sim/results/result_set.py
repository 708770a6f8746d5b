# SPDX-License-Identifier: MIT
"""The results of a study."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heam_sim.errors import ConfigError, DatasetError
from heam_sim.html import html_table
from heam_sim.results.atomic import write_atomically
from heam_sim.results.drawing import plot_results, report_results
from heam_sim.results.export import RESULT_ENDINGS, check_ending, json_text, write_table
from heam_sim.results.plain import plain
from heam_sim.results.result import Result
from heam_sim.results.store import read_results, write_results
from heam_sim.results.units import field_units

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["ResultSet", "read_frame"]


class ResultSet:
    """A list of results with tables and files.

    Parameters
    ----------
    results
        The results, in order.
    provenance
        What produced the set, e.g. the command line; JSON-able.
    """

    def __init__(
        self, results: Iterable[Result] = (), *, provenance: Mapping[str, Any] | None = None
    ) -> None:
        self._results: list[Result] = []
        self.provenance: dict[str, Any] = plain(dict(provenance or {}), where="provenance")
        self.extend(results)

    def append(self, result: Result) -> None:
        """Add one result at the end."""
        if not isinstance(result, Result):
            raise ConfigError(f"cannot append {type(result).__name__} to a ResultSet; give a Result.")
        self._results.append(result)

    def extend(self, results: Iterable[Result]) -> None:
        """Add results at the end."""
        for result in results:
            self.append(result)

    def __len__(self) -> int:
        return len(self._results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self._results)

    def __getitem__(self, index: int) -> Result:
        return self._results[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ResultSet):
            return NotImplemented
        return self._results == other._results and self.provenance == other.provenance

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        systems = ", ".join(dict.fromkeys(result.system for result in self))
        return f"<ResultSet of {len(self)} results: {systems}>"

    def _repr_html_(self) -> str:
        """The columns that a reader looks for first; all are in :meth:`to_frame`."""
        heads = (
            "",
            "system",
            "embedding",
            "vector",
            "scope",
            "ns per sample",
            "nJ per sample",
            "time went to",
        )
        rows = [
            (
                str(number),
                one.system,
                one.embedding,
                f"{one.vector_bytes} B",
                one.scope,
                f"{one.time_per_sample_ns:,.1f}",
                f"{one.energy_per_sample_pJ / 1000:,.1f}",
                one.bound_by,
            )
            for number, one in enumerate(self)
        ]
        return html_table(f"{len(self)} results", rows, heads)

    def to_frame(self) -> pd.DataFrame:
        """One row per result (see :meth:`Result.to_frame`), in order."""
        import pandas as pd

        return pd.DataFrame([result._row() for result in self])

    def save(self, path: str | Path) -> None:
        """Write everything to HDF5: to a temporary name, then renamed.

        Parameters
        ----------
        path
            The file to make or replace.

        Raises
        ------
        heam_sim.errors.OutputError
            The file cannot be written; nothing is left behind.
        """
        write_results(Path(path), self._results, self.provenance)

    @classmethod
    def load(cls, path: str | Path) -> ResultSet:
        """Read a file written by :meth:`save`; equal to what was saved.

        Parameters
        ----------
        path
            The file.

        Returns
        -------
        ResultSet
            In the same order.

        Raises
        ------
        heam_sim.errors.DatasetError
            The file is missing, foreign, truncated, damaged or of another major format version.
        """
        results, provenance = read_results(Path(path))
        return cls(results, provenance=provenance)

    def write(self, path: str | Path) -> None:
        """Write the results in the form that the name's ending says, atomically.

        Parameters
        ----------
        path
            ``.h5`` as :meth:`save`; ``.csv``, ``.parquet`` and ``.tex`` hold :meth:`to_frame`; ``.json``
            everything: ``{"provenance": ..., "units": ..., "results": [Result.to_dict(), ...]}``.

        Raises
        ------
        heam_sim.errors.ConfigError
            Another ending, or Parquet without pyarrow.
        heam_sim.errors.OutputError
            The file cannot be written; nothing is left behind.
        """
        file = Path(path)
        ending = check_ending(file, RESULT_ENDINGS)
        if ending in (".h5", ".hdf5"):
            self.save(file)
        elif ending == ".json":
            text = json_text(self.to_dict()) + "\n"
            write_atomically(file, lambda part: part.write_text(text, encoding="utf-8"))
        else:
            write_table(file, self.to_frame())

    def to_dict(self) -> dict[str, Any]:
        """Everything in plain Python objects (see :meth:`write`)."""
        results = [result.to_dict() for result in self]
        return {"provenance": self.provenance, "units": field_units(), "results": results}

    def plot(self, figure: str = "speedup", **options: Any) -> Figure:
        """Draw a figure from the results; parameters and errors as in :meth:`Result.plot`."""
        return plot_results(self, figure, **options)

    def report(self, path: str | Path, *, title: str | None = None) -> None:
        """Write one self-contained HTML page; see :func:`heam_sim.report.write_report`."""
        report_results(self, path, title=title)


def read_frame(path: str | Path) -> pd.DataFrame:
    """Read the table of a study from ``results.h5`` or from a CSV written by :meth:`ResultSet.write`.

    Parameters
    ----------
    path
        A file whose name ends in ``.csv``, or else an HDF5 file.

    Returns
    -------
    pandas.DataFrame
        A row per result; units end the columns' names.

    Raises
    ------
    heam_sim.errors.DatasetError
        The file is missing or cannot be read as such a table.
    """
    import pandas as pd

    path = Path(path)
    if path.suffix.lower() != ".csv":
        return ResultSet.load(path).to_frame()
    try:
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(f"{path}: not a readable results table ({reason}); give a summary.csv.") from None
    for column in ("bound", "notes"):  # text that may be empty, which CSV cannot tell from a missing number
        if column in frame.columns:
            frame[column] = frame[column].fillna("").astype(str)
    return frame
