# SPDX-License-Identifier: MIT
"""Embedding schemes from their short names, for command lines and configuration files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from heam_sim.embedding.product_quantization import PQ
from heam_sim.embedding.schemes import QR, Full, Hashing, Partitions
from heam_sim.embedding.tables import EmbeddingScheme
from heam_sim.embedding.tensor_train import TT
from heam_sim.errors import ConfigError, unknown_name

__all__ = ["EMBEDDING_FORMS", "parse_embedding"]

#: The text form of every scheme, by its first word.
EMBEDDING_FORMS = {
    "full": "full",
    "hash": "hash:RATIO|ROWS",
    "qr": "qr:COLLISIONS[:multiply|add|concatenate[:THRESHOLD]][:pool-first]",
    "partitions": "partitions:K[:multiply|add[:RADIX[:THRESHOLD]]][:pool-first]",
    "tt": "tt:RANK[:auto|N1xN2xN3[:THRESHOLD]]",
    "pq": "pq:SUBSPACES[:CENTROIDS]",
}


def parse_embedding(text: str) -> EmbeddingScheme:
    """Read an embedding scheme in one of the forms of :data:`EMBEDDING_FORMS`.

    What is left out has the defaults of the classes; ``pool-first`` stands last. ``hash:0.25`` keeps a
    quarter of the rows of every table, ``hash:1000`` 1000 rows. ``parse_embedding(scheme.label) == scheme``.

    Parameters
    ----------
    text
        E.g. ``"qr:4:add"``.

    Returns
    -------
    EmbeddingScheme
        As the constructors make it.

    Raises
    ------
    ConfigError
        If the name is unknown or a number is none.
    """
    if not isinstance(text, str):
        raise ConfigError(f"embedding must be a text such as 'full' or 'qr:4:add', not {text!r}.")
    name, *options = text.strip().lower().split(":")
    if name not in EMBEDDING_FORMS:
        raise unknown_name("embedding", text, (*EMBEDDING_FORMS, "qr:4", "qr:4:add", "tt:16", "hash:0.25"))
    read, fewest, most = _READERS[name]
    if name in _POOLED and options[-1:] == [_POOL_FIRST]:
        most += 1
    if not fewest <= len(options) <= most:
        raise ConfigError(f"embedding {text!r} is incomplete or too long; write {EMBEDDING_FORMS[name]!r}.")
    return read(text, options)


def _full(text: str, options: Sequence[str]) -> EmbeddingScheme:
    return Full()


def _hash(text: str, options: Sequence[str]) -> EmbeddingScheme:
    if options[0].isascii() and options[0].isdigit():
        return Hashing(size=_number(text, "size", options[0]))
    try:
        ratio = float(options[0])
    except ValueError:
        raise ConfigError(
            f"embedding {text!r}: write a share such as 0.25 or a number of rows, not {options[0]!r}."
        ) from None
    return Hashing(ratio=ratio)


def _qr(text: str, options: Sequence[str]) -> EmbeddingScheme:
    options, pool_first = _order(options)
    if not options:
        raise ConfigError(f"embedding {text!r} has no number of collisions; write {EMBEDDING_FORMS['qr']!r}.")
    collisions = _number(text, "collisions", options[0])
    compose = _compose(text, options, ("multiply", "add", "concatenate"))
    threshold = _number(text, "threshold", options[2]) if len(options) > 2 else 0
    return QR(collisions, compose, threshold, pool_first)  # type: ignore[arg-type]  # checked, and again by QR


def _partitions(text: str, options: Sequence[str]) -> EmbeddingScheme:
    options, pool_first = _order(options)
    if not options:
        raise ConfigError(
            f"embedding {text!r} has no number of partitions; write {EMBEDDING_FORMS['partitions']!r}."
        )
    parts = _number(text, "parts", options[0])
    compose = _compose(text, options, ("multiply", "add"))
    radix = _number(text, "radix", options[2]) if len(options) > 2 else 0
    threshold = _number(text, "threshold", options[3]) if len(options) > 3 else 0
    return Partitions(parts, compose, radix, threshold, pool_first)  # type: ignore[arg-type]  # as above


def _tt(text: str, options: Sequence[str]) -> EmbeddingScheme:
    rank = _number(text, "rank", options[0])
    shape = None
    if len(options) > 1 and options[1] != "auto":
        factors = [_number(text, "shape", factor) for factor in options[1].split("x")]
        shape = tuple(factors)
    threshold = _number(text, "threshold", options[2]) if len(options) > 2 else 0
    return TT(rank, shape, threshold)  # type: ignore[arg-type]  # TT wants three factors and says so


def _pq(text: str, options: Sequence[str]) -> EmbeddingScheme:
    numbers = [
        _number(text, name, value) for name, value in zip(("subspaces", "centroids"), options, strict=False)
    ]
    return PQ(*numbers)


_READERS: dict[str, tuple[Callable[[str, Sequence[str]], EmbeddingScheme], int, int]] = {
    "full": (_full, 0, 0),
    "hash": (_hash, 1, 1),
    "qr": (_qr, 1, 3),
    "partitions": (_partitions, 1, 4),
    "tt": (_tt, 1, 3),
    "pq": (_pq, 1, 2),
}


#: Schemes that may be pooled before they are composed, and how a text says so.
_POOLED, _POOL_FIRST = ("qr", "partitions"), "pool-first"


def _order(options: Sequence[str]) -> tuple[Sequence[str], bool]:
    """What stands before a last ``pool-first``, and whether it is there."""
    pool_first = options[-1:] == [_POOL_FIRST]
    return (options[:-1], True) if pool_first else (options, False)


def _compose(text: str, options: Sequence[str], choices: Sequence[str]) -> str:
    compose = options[1] if len(options) > 1 else "multiply"
    if compose not in choices:
        raise unknown_name("composition", compose, choices, where=f"embedding {text!r}")
    return compose


def _number(text: str, name: str, digits: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise ConfigError(f"embedding {text!r}: {name} must be a whole number, not {digits!r}.")
    return int(digits)
