# SPDX-License-Identifier: MIT
"""Short fields as 64-bit words, decoded many at a time.

A word holds up to eight characters, the first in the lowest byte; arithmetic on it works on all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["DIGITS", "decimal_values", "field_words", "hex_values", "kept", "mixed", "padded", "word"]

DIGITS = 8

Words = NDArray[np.uint64]
Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]


def _every(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)


_HIGH, _FOLD, _ZEROS, _LOW = _every(0x80), _every(0x20), _every(0x30), _every(0x0F)
_ONES, _BEFORE_A, _ABOVE_9, _ABOVE_F, _ABOVE_0 = map(_every, (0x01, 0x60, 0x76, 0x79, 0x7F))
_KEEP = np.array([(1 << (8 * count)) - 1 for count in range(DIGITS + 1)], dtype=np.uint64)
_NINE, _SIX = np.uint64(9), np.uint64(6)
_INT64_DIGITS = 19


def padded(block: bytes) -> NDArray[np.uint8]:
    """Return the bytes with eight zeros behind them, so that every position starts a word."""
    return np.frombuffer(block + b"\0" * DIGITS, dtype=np.uint8)


def field_words(text: NDArray[np.uint8], starts: Positions) -> Words:
    """Return the eight characters from every start on.

    Parameters
    ----------
    text
        Bytes, as :func:`padded` gives them.
    starts
        Any shape.
    """
    windows: Words = np.ndarray(len(text) - DIGITS + 1, dtype="<u8", buffer=text.data, strides=(1,))
    return windows[starts].astype(np.uint64, copy=False)


def word(text: bytes) -> int:
    """Return the first eight bytes of a text as a word."""
    return int.from_bytes(text[:DIGITS], "little")


def kept(words: Words, lengths: Positions) -> Words:
    """Return the words with zeros behind their fields, of which the first eight characters count."""
    return words & _KEEP[np.clip(lengths, 0, DIGITS)]


def _right(words: Words, lengths: Positions, filler: np.uint64) -> Words:
    """Move fields of less than eight characters to the high end and put `filler` in front of them."""
    missing = np.maximum(DIGITS - lengths, 0)
    if not missing.any():
        return words
    # A shift by 64 is not defined: empty fields are shifted by 56 and their one character is masked.
    shift = (np.minimum(missing, DIGITS - 1) * 8).astype(np.uint64)
    front = _KEEP[np.minimum(missing, DIGITS)]
    return ((words << shift) & ~front) | (filler & front)


def hex_values(words: Words, lengths: Positions) -> tuple[Words, Mask | None]:
    """Return the values of fields of up to eight hex digits (0 for an empty one), and which are none.

    Parameters
    ----------
    words, lengths
        Characters and their number, the same shape; what lies behind a field does not matter. The words are
        overwritten; they are contiguous.

    Returns
    -------
    tuple
        Values, and the mask of wrong fields or ``None`` if there is none.
    """
    odd = np.flatnonzero(lengths != DIGITS)
    if len(odd):
        flat = words.reshape(-1)
        flat[odd] = _right(flat[odd], lengths.reshape(-1)[odd], _ZEROS)
    strange = _not_hex(words)
    wrong = None
    if strange.any() or int(lengths.max(initial=0)) > DIGITS:
        wrong = (strange != 0) | (lengths > DIGITS)
    letters = words >> _SIX
    letters &= _ONES
    letters *= _NINE
    words &= _LOW
    words += letters
    for bits, mask in ((4, 0x00FF00FF00FF00FF), (8, 0x0000FFFF0000FFFF), (16, 0x00000000FFFFFFFF)):
        np.right_shift(words, np.uint64(2 * bits), out=letters)
        words <<= np.uint64(bits)
        words |= letters
        words &= np.uint64(mask)
    return words, wrong


def _not_hex(words: Words) -> Words:
    """Return words that are 0 where all eight characters are hex digits."""
    folded = words | _FOLD
    # Added to a byte below 128, these constants carry into the top bit exactly above the last legal value.
    letter = folded ^ _BEFORE_A
    strange = letter + _ABOVE_F
    letter += _ABOVE_0
    np.invert(letter, out=letter)
    strange |= letter
    folded ^= _ZEROS
    folded += _ABOVE_9
    strange &= folded
    strange |= words
    # Bytes with neither bit 5 nor bit 6 are control characters, some of which would fold onto digits.
    np.left_shift(words, np.uint64(1), out=folded)
    np.left_shift(words, np.uint64(2), out=letter)
    folded |= letter
    np.invert(folded, out=folded)
    strange |= folded
    strange &= _HIGH
    return strange


def decimal_values(
    text: NDArray[np.uint8], starts: Positions, lengths: Positions
) -> tuple[Words, Mask, Mask]:
    """Return the values of decimal fields, which are not digits alone, and which exceed 63 bits.

    An empty field is not a number. Zeros in front are allowed.
    """
    values, wrong = _eight_digits(text, starts, lengths)
    beyond = np.zeros(lengths.shape, dtype=np.bool_)
    wrong |= lengths == 0
    long = np.flatnonzero(lengths > DIGITS)
    if len(long):
        front = lengths[long] - DIGITS
        low, low_wrong = _eight_digits(text, starts[long] + front, lengths[long] - front)
        high, high_wrong = _eight_digits(text, starts[long], np.minimum(front, DIGITS))
        values[long] = high * np.uint64(10**DIGITS) + low
        wrong[long] = low_wrong | high_wrong
    for place in np.flatnonzero(lengths > 2 * DIGITS).tolist():  # no published file has such numbers
        digits = text[starts[place] : starts[place] + lengths[place]].tobytes()
        wrong[place] = not digits.isdigit()
        number = 0 if wrong[place] else int(digits.lstrip(b"0")[: _INT64_DIGITS + 1] or b"0")
        beyond[place] = number > np.iinfo(np.int64).max
        values[place] = 0 if beyond[place] else number
    return values, wrong, beyond


def _eight_digits(text: NDArray[np.uint8], starts: Positions, lengths: Positions) -> tuple[Words, Mask]:
    digits = _right(field_words(text, starts), lengths, _ZEROS) ^ _ZEROS
    wrong = ((digits | (digits + _ABOVE_9)) & _HIGH) != 0
    for factor, bits, mask in (
        (10, 8, 0x00FF00FF00FF00FF),
        (100, 16, 0x0000FFFF0000FFFF),
        (10000, 32, 0x00000000FFFFFFFF),
    ):
        digits = (digits * np.uint64(factor) + (digits >> np.uint64(bits))) & np.uint64(mask)
    return digits, wrong


def mixed(keys: Words) -> Words:
    """Scatter 64-bit keys one to one over all 64-bit values (the finaliser of splitmix64)."""
    words = keys + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
