"""A claim code as people write it: an alphabet without look-alikes, and a check symbol (A15)."""

from typing import Final

from storecredit.errors import CodeMistyped

SYMBOLS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The 32 symbols, by value: Crockford's, without I, L, O and U."""
RANDOM_SYMBOLS: Final = 19
"""The symbols that are drawn: 95 random bits, where 80 are asked for (A15)."""
RANDOM_BYTES: Final = 12
"""How many random bytes a code is made of; the last bit of them is not used."""
LENGTH: Final = RANDOM_SYMBOLS + 1

_GROUP: Final = 4
_LOOK_ALIKES: Final = str.maketrans("ILO", "110")
_BETWEEN: Final = " -\u2010\u2011\u2012\u2013\u2014\t\n\r\u00a0"
"""What people and mail programs put between the groups."""
_SHOWN: Final = str.maketrans("", "", _BETWEEN)
_FIELD: Final = 0b100101
"""The polynomial x^5 + x^2 + 1, by which the 32 symbols are a field; x generates it."""


def make_code(random: bytes) -> str:
    """
    Return the code that *random* makes, in five groups of four.

    Args:
        random: Twelve bytes from a source that nobody can guess.

    Raises:
        ValueError: Another number of bytes.
    """
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a code is made of {RANDOM_BYTES} random bytes, not of {len(random)}")
    number = int.from_bytes(random) >> 1
    values = [number >> 5 * place & 31 for place in range(RANDOM_SYMBOLS)]
    symbols = "".join(SYMBOLS[value] for value in [*values, _check(values)])
    return "-".join(symbols[at : at + _GROUP] for at in range(0, LENGTH, _GROUP))


def read_code(text: object) -> str:
    """
    Return the twenty symbols that somebody means by *text*.

    Case, spaces and dashes do not count; I and L are read as 1, O as 0. Of mistakes, every single
    wrong symbol and every two symbols in each other's place are noticed.

    Raises:
        CodeMistyped: It is no text, has another length, a symbol that is none, or does not check.
    """
    if not isinstance(text, str):
        raise CodeMistyped("it is no text")
    # Capitals first: some letters of other alphabets become two, or ASCII.
    if not text.translate(_SHOWN).isascii():
        raise CodeMistyped("it has a symbol that no code has")
    symbols = text.translate(_SHOWN).upper().translate(_LOOK_ALIKES)
    if len(symbols) != LENGTH:
        raise CodeMistyped(f"it has {len(symbols)} symbols, and a code has {LENGTH}")
    if not set(symbols) <= set(SYMBOLS):
        raise CodeMistyped("it has a symbol that no code has")
    *values, check = (SYMBOLS.index(symbol) for symbol in symbols)
    if _check(values) != check:
        raise CodeMistyped("a symbol is wrong, or two have changed places")
    return symbols


def _check(values: list[int]) -> int:
    """
    Return the value of the symbol that makes the code sum to nothing, each weighted by its place.

    The weights are powers of a generator of the field of 32 elements, and so all different and
    none is nothing: one wrong symbol changes the sum, and so do two that change places (Reed and
    Solomon 1960, with one check symbol).
    """
    found = 0
    for value in reversed([0, *values]):
        found = _times_x(found) ^ value
    # The check symbol stands last and has the weight one; the others have x, x^2, ...
    return found


def _times_x(value: int) -> int:
    value <<= 1
    return value ^ _FIELD if value & 32 else value
