"""The partner in recursive doubling: an exchange is mutual and stays inside of the group."""

from certune.contracts import ensure, require, u32


@require(lambda bit: bit == 1 or bit == 2 or bit == 4 or bit == 8 or bit == 16 or bit == 32)
@require(lambda rank: rank < 64)
@ensure(lambda rank, bit, result: result != rank and result < 64)
@ensure(lambda rank, bit, result: result ^ bit == rank)
@ensure(lambda rank, bit, result: abs(result - rank) == bit)
def partner(rank: u32, bit: u32) -> u32:
    return rank ^ bit
