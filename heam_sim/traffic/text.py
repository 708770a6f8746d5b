# SPDX-License-Identifier: MIT
"""Request streams as text: blocks of lines that are all alike are read as arrays, others line by line."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from heam_sim.errors import DatasetError

__all__ = ["read_text"]

_BLOCK_BYTES = 1 << 20
_LONGEST_LINE = 1 << 16
_LD_ST = {"LD": 0, "ST": 1}
_DRAMSIM = {
    "READ": 0, "read": 0, "P_MEM_RD": 0, "P_FETCH": 0, "WRITE": 1, "write": 1, "P_MEM_WR": 1, "BOFF": 1,
}  # fmt: skip
_DECIMAL = re.compile(r"[0-9]+")
_HEXADECIMAL = re.compile(r"[0-9a-fA-F]+")
_PREFIXED = re.compile(r"0[xX][0-9a-fA-F]+")
_Pair = tuple[NDArray[np.uint64], NDArray[np.uint8]]

# Value of a digit by its character; 16 and more: no digit.
_DIGITS = np.full(256, 255, np.uint8)
for _value, _characters in enumerate(
    ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "aA", "bB", "cC", "dD", "eE", "fF")
):
    _DIGITS[[ord(character) for character in _characters]] = _value


def read_text(file: Path) -> Iterator[_Pair]:
    """Yield addresses and write flags of a text file, plain or gzipped, some thousands of lines at a time.

    Parameters
    ----------
    file
        A request per line; blank lines do not count.

    Yields
    ------
    tuple of uint64 and uint8 arrays of one length

    Raises
    ------
    DatasetError
        The file cannot be read or decompressed to its end, or a line is no request; names file and line.
    """
    try:
        with file.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            stream = gzip.GzipFile(fileobj=plain) if packed else plain
            yield from _blocks(file, stream)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{file}: cannot be read to its end ({error}).") from None


def _blocks(file: Path, stream: IO[bytes] | gzip.GzipFile) -> Iterator[_Pair]:
    rest, line, seen = b"", 1, False
    while True:
        block = stream.read(_BLOCK_BYTES)
        text = rest + block
        # Whole lines only; the last one may lack its end.
        cut = text.rfind(b"\n") + 1 if block else len(text)
        text, rest = text[:cut], text[cut:]
        if len(rest) > _LONGEST_LINE:
            line += text.count(b"\n")
            raise DatasetError(
                f"{file}:{line}: is longer than {_LONGEST_LINE} bytes; this is no request file."
            )
        if text.strip():
            seen = True
            alike = _alike(np.frombuffer(text, np.uint8))
            yield alike if alike is not None else _one_by_one(file, text, line)
        line += text.count(b"\n")
        if not block:
            break
    if not seen:
        raise DatasetError(f"{file}: is empty; it needs a request per line.")


def _one_by_one(file: Path, text: bytes, first: int) -> _Pair:
    """Parse a block line by line: what is odd about it is found here."""
    address: list[int] = []
    is_write: list[int] = []
    for number, line in enumerate(text.split(b"\n"), first):
        words = [word.decode("ascii", errors="replace") for word in line.split()]
        if words:
            value, flag = _request(f"{file}:{number}", words)
            address.append(value)
            is_write.append(flag)
    return np.array(address, np.uint64), np.array(is_write, np.uint8)


def _request(where: str, words: list[str]) -> tuple[int, int]:
    if len(words) == 2 and words[0] in _LD_ST:
        return _number(where, words[1], _DECIMAL, 10), _LD_ST[words[0]]
    if len(words) == 3 and words[1] in _DRAMSIM and not words[0].endswith(":"):
        if _DECIMAL.fullmatch(words[2]) is None:
            raise DatasetError(f"{where}: {words[2][:40]!a} is no cycle; write decimal digits.")
        return _number(where, words[0], _HEXADECIMAL, 16), _DRAMSIM[words[1]]
    if len(words) == 3 and words[0].endswith(":") and words[1] in ("read", "write"):  # DRAMSys
        return _number(where, words[2], _DECIMAL, 10), _DRAMSIM[words[1]]
    raise DatasetError(
        f"{where}: {' '.join(words)[:40]!a} is neither 'LD address', 'ST address', "
        "'address READ|WRITE cycle' nor 'cycle: read|write address'."
    )


def _number(where: str, text: str, bare: re.Pattern[str], base: int) -> int:
    prefixed = _PREFIXED.fullmatch(text) is not None
    if not prefixed and bare.fullmatch(text) is None:
        digits = "decimal" if base == 10 else "hexadecimal"
        raise DatasetError(f"{where}: {text[:40]!a} is no address; write {digits} or 0x... digits.")
    # As many digits as that are beyond the limit in either base, and slow to convert.
    value = int(text, 16 if prefixed else base) if len(text) <= 64 else 1 << 64
    if value >= 1 << 63:
        raise DatasetError(f"{where}: address {text[:40]} lies outside 0 to 2^63 - 1.")
    return value


def _alike(text: NDArray[np.uint8]) -> _Pair | None:
    """Read a block in which every line has the same form, or return None."""
    blank = (text == ord(" ")) | ((text >= ord("\t")) & (text <= ord("\r")))
    edge = np.flatnonzero(np.diff(blank, prepend=True, append=True))
    start, end = edge[::2], edge[1::2]
    lines = int(np.count_nonzero(text == ord("\n"))) + int(text[-1] != ord("\n"))
    words = start.size // lines
    if words not in (2, 3) or start.size != words * lines:
        return None
    # The last word of a line ends where its line does, so that no word has slipped into a neighbour.
    last, following = end[words - 1 :: words], start[words::words]
    breaks = np.flatnonzero(text == ord("\n"))
    if not ((breaks[: lines - 1] >= last[:-1]) & (breaks[: lines - 1] < following)).all():
        return None
    kinds, column, base = (_LD_ST, 0, 10) if words == 2 else (_DRAMSIM, 1, 16)
    is_write = _flags(text, start[column::words], end[column::words], kinds)
    if is_write is None or (words == 3 and _values(text, start[2::3], end[2::3], 10) is None):
        return None
    address = _addresses(text, start[1 - column :: words], end[1 - column :: words], base)
    return None if address is None else (address, is_write)


def _flags(
    text: NDArray[np.uint8], start: NDArray[np.intp], end: NDArray[np.intp], kinds: dict[str, int]
) -> NDArray[np.uint8] | None:
    """Return whether each word means a write, or None if one means nothing."""
    left = text[start]
    length = end - start
    found = np.full(start.size, 255, np.uint8)
    for word, flag in kinds.items():
        same = np.flatnonzero((left == ord(word[0])) & (length == len(word)))
        for offset, character in enumerate(word[1:], 1):
            same = same[text[start[same] + offset] == ord(character)]
        found[same] = flag
    return None if (found == 255).any() else found


def _addresses(
    text: NDArray[np.uint8], start: NDArray[np.intp], end: NDArray[np.intp], base: int
) -> NDArray[np.uint64] | None:
    """Convert words of bare digits in `base`, or of hexadecimal ones behind 0x."""
    second = text[np.minimum(start + 1, text.size - 1)]
    prefixed = (text[start] == ord("0")) & ((second == ord("x")) | (second == ord("X"))) & (end - start > 2)
    start = start + 2 * prefixed
    if base == 16 or prefixed.all():
        return _values(text, start, end, 16)
    if not prefixed.any():
        return _values(text, start, end, base)
    out = np.empty(start.size, np.uint64)
    for which, its_base in ((prefixed, 16), (~prefixed, base)):
        values = _values(text, start[which], end[which], its_base)
        if values is None:
            return None
        out[which] = values
    return out


def _values(
    text: NDArray[np.uint8], start: NDArray[np.intp], end: NDArray[np.intp], base: int
) -> NDArray[np.uint64] | None:
    """Convert words of digits; None if a word holds anything else, or so many that 63 bits may not do."""
    length = end - start
    most = int(length.max())
    if most > (15 if base == 16 else 18):
        return None
    out = np.zeros(start.size, np.uint64)
    for place in range(most):
        inside = place < length
        digit = _DIGITS[text[np.minimum(start + place, text.size - 1)]]
        if (digit[inside] >= base).any():
            return None
        out = np.where(inside, out * np.uint64(base) + digit, out)
    return out
