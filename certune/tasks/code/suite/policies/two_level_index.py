"""The transposed place of a message in a two-level all-to-all; going back gives the first again."""

from certune.contracts import ensure, require


@require(
    lambda nodes, local, node, gpu: (
        nodes > 0 and local > 0 and 0 <= node < nodes and 0 <= gpu < local
    )
)
@ensure(lambda nodes, local, result: 0 <= result < nodes * local)
@ensure(lambda nodes, node, result: result % nodes == node)
@ensure(lambda nodes, gpu, result: result // nodes == gpu)
def transposed(nodes: int, local: int, node: int, gpu: int) -> int:
    assert gpu * nodes <= (local - 1) * nodes
    return gpu * nodes + node
