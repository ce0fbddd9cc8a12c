"""The first element of a tile of a row-major matrix, tiles cut at its edge: no element twice."""

from certune.contracts import ensure, require


@require(lambda size, tile, index: tile > 0 and size >= 0 and index >= 0)
@ensure(lambda size, tile, index, result: result[0] <= result[1] <= size)
@ensure(lambda tile, result: result[1] - result[0] <= tile)
@ensure(lambda size, tile, index, result: result[0] == min(size, index * tile))
@ensure(lambda size, tile, index, result: result[1] == min(size, index * tile + tile))
def tile_range(size: int, tile: int, index: int) -> tuple[int, int]:
    start = index * tile
    assert start >= 0
    if start >= size:
        return size, size
    if start + tile > size:
        return start, size
    return start, start + tile
