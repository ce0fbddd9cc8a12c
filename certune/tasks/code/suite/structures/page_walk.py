"""A walk of two page table levels of eight entries: the address found, or -1 where none is mapped."""

from certune.contracts import ensure, require


@require(lambda directory: len(directory) == 8)
@require(lambda directory, tables: all(-1 <= d < len(tables) for d in directory))
@require(lambda tables: all(len(tables[i]) == 8 for i in range(len(tables))))
@require(lambda tables: all(tables[i][j] >= -1 for i in range(len(tables)) for j in range(8)))
@require(lambda address: 0 <= address < 262144)
@ensure(lambda result: result >= -1)
@ensure(lambda directory, address, result: directory[address // 32768] != -1 or result == -1)
@ensure(
    lambda directory, tables, address, result: (
        directory[address // 32768] == -1
        or tables[directory[address // 32768]][address // 4096 % 8] != -1
        or result == -1
    )
)
@ensure(
    lambda directory, tables, address, result: (
        directory[address // 32768] == -1
        or tables[directory[address // 32768]][address // 4096 % 8] == -1
        or result
        == tables[directory[address // 32768]][address // 4096 % 8] * 4096 + address % 4096
    )
)
def walk(directory: list[int], tables: list[list[int]], address: int) -> int:
    upper = address // 32768
    assert 0 <= upper < 8
    table = directory[upper]
    if table == -1:
        return -1
    frame = tables[table][address // 4096 % 8]
    if frame == -1:
        return -1
    return frame * 4096 + address % 4096
