"""Fixed-width integers, as annotations; their values are plain `int`.

``x: u32`` promises 0 ≤ x < 2**32. Operators do not wrap: the verifier shows that no result
leaves the range. What shall wrap is written by name, ``u32.wrapping_add(a, b)``.
"""

from __future__ import annotations

from typing import ClassVar


class Word(int):
    """Base of the fixed-width types; calling one converts, and refuses what does not fit."""

    BITS: ClassVar[int]
    MIN: ClassVar[int]
    MAX: ClassVar[int]

    def __new__(cls, value: int) -> int:  # type: ignore[misc]  # values are plain integers
        """`value` itself.

        Raises:
            OverflowError: it is not within MIN … MAX.
        """
        if not cls.MIN <= value <= cls.MAX:
            raise OverflowError(f"{value} does not fit into {cls.__name__}")
        return int.__index__(value)

    @classmethod
    def wrap(cls, value: int) -> int:
        """The member of the type that equals `value` modulo 2**BITS."""
        return ((value - cls.MIN) & ((1 << cls.BITS) - 1)) + cls.MIN

    @classmethod
    def wrapping_add(cls, a: int, b: int) -> int:
        """``a + b`` modulo 2**BITS."""
        return cls.wrap(a + b)

    @classmethod
    def wrapping_sub(cls, a: int, b: int) -> int:
        """``a - b`` modulo 2**BITS."""
        return cls.wrap(a - b)

    @classmethod
    def wrapping_mul(cls, a: int, b: int) -> int:
        """``a * b`` modulo 2**BITS."""
        return cls.wrap(a * b)

    @classmethod
    def wrapping_neg(cls, a: int) -> int:
        """``-a`` modulo 2**BITS."""
        return cls.wrap(-a)

    @classmethod
    def wrapping_shl(cls, a: int, count: int) -> int:
        """``a << count`` modulo 2**BITS; 0 ≤ count < BITS."""
        if not 0 <= count < cls.BITS:
            raise OverflowError(f"shift by {count} of {cls.BITS} bits")
        return cls.wrap(a << count)


class u8(Word):  # noqa: N801 - named as systems languages name it
    """0 … 2**8 - 1."""

    BITS, MIN, MAX = 8, 0, 2**8 - 1


class u16(Word):  # noqa: N801
    """0 … 2**16 - 1."""

    BITS, MIN, MAX = 16, 0, 2**16 - 1


class u32(Word):  # noqa: N801
    """0 … 2**32 - 1."""

    BITS, MIN, MAX = 32, 0, 2**32 - 1


class u64(Word):  # noqa: N801
    """0 … 2**64 - 1."""

    BITS, MIN, MAX = 64, 0, 2**64 - 1


class i8(Word):  # noqa: N801
    """-2**7 … 2**7 - 1."""

    BITS, MIN, MAX = 8, -(2**7), 2**7 - 1


class i16(Word):  # noqa: N801
    """-2**15 … 2**15 - 1."""

    BITS, MIN, MAX = 16, -(2**15), 2**15 - 1


class i32(Word):  # noqa: N801
    """-2**31 … 2**31 - 1."""

    BITS, MIN, MAX = 32, -(2**31), 2**31 - 1


class i64(Word):  # noqa: N801
    """-2**63 … 2**63 - 1."""

    BITS, MIN, MAX = 64, -(2**63), 2**63 - 1
