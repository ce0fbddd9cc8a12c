"""A walk of two page table levels: the address found, or -1 where no page is mapped."""

from certune.contracts import ensure, require


@require(lambda directory: len(directory) == 1024)
@require(lambda directory, tables: all(-1 <= d < len(tables) for d in directory))
@require(lambda tables: all(len(tables[i]) == 1024 for i in range(len(tables))))
@require(
    lambda tables: all(
        tables[i][j] >= -1 for i in range(len(tables)) for j in range(len(tables[i]))
    )
)
@require(lambda address: 0 <= address < 4294967296)
@ensure(lambda result: result >= -1)
@ensure(lambda directory, address, result: directory[address // 4194304] != -1 or result == -1)
@ensure(
    lambda directory, tables, address, result: (
        directory[address // 4194304] == -1
        or result
        == (
            -1
            if tables[directory[address // 4194304]][address // 4096 % 1024] == -1
            else tables[directory[address // 4194304]][address // 4096 % 1024] * 4096
            + address % 4096
        )
    )
)
def walk(directory: list[int], tables: list[list[int]], address: int) -> int:
    upper = address // 4194304
    assert 0 <= upper < 1024
    table = directory[upper]
    if table == -1:
        return -1
    frame = tables[table][address // 4096 % 1024]
    if frame == -1:
        return -1
    return frame * 4096 + address % 4096
