# SPDX-License-Identifier: MIT
"""Delimited text of Avazu, MovieLens, Taobao and Amazon's ratings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from heam_sim.datasets.delimited import Field, Layout
from heam_sim.datasets.opened import History, Opened, opened_text
from heam_sim.datasets.options import Faults, ReadOptions
from heam_sim.datasets.textblocks import line_blocks
from heam_sim.errors import DatasetError

__all__ = [
    "AVAZU_CARDINALITIES",
    "AVAZU_COLUMNS",
    "AVAZU_FILES",
    "MOVIELENS_FILES",
    "TAOBAO_FILES",
    "named_columns",
    "open_amazon_ratings",
    "open_avazu",
    "open_movielens",
    "open_taobao",
    "start_of",
]

_FIRST_BYTES = 1 << 16

AVAZU_FILES = ("train*",)
AVAZU_COLUMNS = (
    *("C1", "banner_pos", "site_id", "site_domain", "site_category", "app_id", "app_domain", "app_category"),
    *("device_id", "device_ip", "device_model", "device_type", "device_conn_type"),
    *(f"C{column}" for column in range(14, 22)),
)
# Distinct values in the 40,428,967 rows of the challenge's training file.
AVAZU_CARDINALITIES = (
    *(7, 7, 4737, 7745, 26, 8552, 559, 36, 2686408, 6729486, 8251, 5, 4),
    *(2626, 8, 9, 435, 4, 68, 172, 60),
)
MOVIELENS_FILES = ("ratings.csv*", "ratings.dat*", "u.data*", "*.inter*")
TAOBAO_FILES = ("UserBehavior*",)

_MOVIELENS_NAMES = {
    "user": ("userid", "user_id", "user"),
    "item": ("movieid", "item_id", "itemid", "item", "movie_id"),
    "time": ("timestamp",),
}
_AMAZON_NAMES = {
    "user": ("user_id", "reviewerid", "userid", "user"),
    "item": ("parent_asin", "asin", "item_id", "itemid", "item"),
    "time": ("timestamp", "unixreviewtime"),
}


def start_of(source: Path, options: ReadOptions) -> str:
    """Return the first line of a file, without its end.

    Raises
    ------
    DatasetError
        If the file is empty, cannot be read, or begins with a byte order mark that is not to be skipped.
    """
    for block in line_blocks(source, _FIRST_BYTES, Faults(skip=options.on_error == "skip")):
        line = block.text[: block.text.find(b"\n")].rstrip(b"\r")
        return line.decode("utf-8", "backslashreplace")
    raise DatasetError(f"{source}: the file is empty; give the dataset's file.")


def named_columns(source: Path, names: Sequence[str]) -> dict[str, int]:
    """Return the places of a header's columns by their names.

    Raises
    ------
    DatasetError
        If a name stands there twice.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DatasetError(f"{source}:1: the header names {twice[0]!r} twice; rename one of the columns.")
    return {name: place for place, name in enumerate(names)}


def open_avazu(files: list[Path], options: ReadOptions) -> Opened:
    """Return the 21 categorical columns of Avazu files (id, click and hour are none of them)."""
    header = start_of(files[0], options)
    names = tuple(header.split(","))
    places = named_columns(files[0], names)
    missing = [name for name in AVAZU_COLUMNS if name not in places]
    if missing:
        raise DatasetError(
            f"{files[0]}:1: the header lacks {missing[0]!r}; give Avazu's train file with its header "
            "(id,click,hour,C1,banner_pos,...)."
        )
    layout = Layout(
        delimiter=",",
        names=names,
        fields=tuple(Field(name, places[name], "text") for name in AVAZU_COLUMNS),
        header=header,
        what="values separated by commas, as the header names them",
    )
    return opened_text(files, layout)


def open_movielens(files: list[Path], options: ReadOptions) -> Opened:
    """Return users and items of MovieLens ratings, whichever of its forms the file has."""
    first = start_of(files[0], options)
    if "::" in first:
        names: tuple[str, ...] = ("UserID", "MovieID", "Rating", "Timestamp")
        return _opened_ratings(files, "::", names, (0, 1, 3), "integer", "UserID::MovieID::Rating::Timestamp")
    delimiter = "\t" if "\t" in first else ","
    if re.fullmatch(r"[0-9]+\t[0-9]+\t[0-9.]+\t[0-9]+", first):
        names = ("user", "item", "rating", "timestamp")
        return _opened_ratings(files, delimiter, names, (0, 1, 3), "integer", "user, item, rating, timestamp")
    return _opened_by_header(files, first, delimiter, _MOVIELENS_NAMES, "integer", "a MovieLens ratings file")


def open_amazon_ratings(files: list[Path], options: ReadOptions) -> Opened:
    """Return users and items of Amazon's ratings as CSV: with a header, or user and item in either order."""
    first = start_of(files[0], options)
    fields = first.split(",")
    if any(name.lower() in _AMAZON_NAMES["item"] for name in fields):
        return _opened_by_header(files, first, ",", _AMAZON_NAMES, "text", "an Amazon ratings file")
    # Users' names begin with A; items are 10 characters, books' numbers among them.
    users = [bool(re.fullmatch(r"A[0-9A-Z]{9,31}", field)) for field in fields[:2]]
    if len(fields) != 4 or users not in ([True, False], [False, True]):
        raise DatasetError(
            f"{files[0]}:1: is no line of user, item, rating and time ({_brief(first)}); give an Amazon "
            "ratings file, or read it as 'csv' and name the columns."
        )
    user = 0 if users[0] else 1
    names = ("user", "item", "rating", "time") if user == 0 else ("item", "user", "rating", "time")
    return _opened_ratings(files, ",", names, (user, 1 - user, 3), "text", ", ".join(names))


def open_taobao(files: list[Path], options: ReadOptions) -> Opened:
    """Return users, items and categories of Taobao's UserBehavior."""
    del options  # all of them are the pipeline's
    layout = Layout(
        delimiter=",",
        names=("user", "item", "category", "behaviour", "time"),
        fields=(
            Field("user", 0, "integer"),
            Field("item", 1, "integer"),
            Field("category", 2, "integer"),
            Field("time", 4, "time"),
        ),
        choices={3: ("pv", "buy", "cart", "fav")},
        what="user, item, category, behaviour and time, separated by commas",
    )
    return opened_text(files, layout, history=History(user=0, time=3))


def _opened_by_header(
    files: list[Path], header: str, delimiter: str, known: dict[str, tuple[str, ...]], kind: str, what: str
) -> Opened:
    names = tuple(name.split(":")[0] for name in header.split(delimiter))  # RecBole writes name:type
    places = {name.lower(): place for name, place in named_columns(files[0], names).items()}
    chosen = []
    for role, spellings in known.items():
        place = next((places[name] for name in spellings if name in places), None)
        if place is None:
            raise DatasetError(
                f"{files[0]}:1: names no {role} ({_brief(header)}); give {what} with a column "
                f"{' or '.join(spellings)}."
            )
        chosen.append(place)
    user, item, time = chosen
    return _opened_ratings(
        files, delimiter, names, (user, item, time), kind, f"the columns {', '.join(names)}", header
    )


def _opened_ratings(
    files: list[Path],
    delimiter: str,
    names: tuple[str, ...],
    places: tuple[int, int, int],
    kind: str,
    what: str,
    header: str = "",
) -> Opened:
    user, item, time = places
    layout = Layout(
        delimiter=delimiter,
        names=names,
        fields=(Field("user", user, kind), Field("item", item, kind), Field("time", time, "time")),
        header=header,
        what=what,
    )
    return opened_text(files, layout, history=History(user=0, time=2), note={"item": names[item]})


def _brief(line: str) -> str:
    return repr(line[:60]) + ("..." if len(line) > 60 else "")
