"""A circular log: appending overwrites the oldest entry once it is full and nothing else."""

from dataclasses import dataclass

from certune.contracts import ensure, modifies, old, require, spec


@dataclass
class Log:
    entries: list[int]
    written: int


@spec
def valid(log: Log) -> bool:
    return len(log.entries) > 0 and log.written >= 0


@require(lambda log: valid(log))
@modifies("log")
@ensure(lambda log: valid(log) and log.written == old(log).written + 1)
@ensure(lambda log: len(log.entries) == len(old(log).entries))
@ensure(lambda log, x, result: 0 <= result < len(log.entries) and log.entries[result] == x)
@ensure(lambda log, result: result == old(log).written % len(log.entries))
@ensure(
    lambda log, result: all(
        log.entries[i] == old(log).entries[i] for i in range(len(log.entries)) if i != result
    )
)
def append(log: Log, x: int) -> int:
    place = log.written % len(log.entries)
    log.entries[place] = x
    log.written += 1
    return place
