"""Problems for devices: a product of matrices in several sizes, and programs for it."""

from dataclasses import dataclass

from certune.sandbox.measuring import Buffer, Program, mismatch


@dataclass(frozen=True)
class Product:
    """``out = a @ b + c`` in float32, with c read and overwritten."""

    n: int

    @property
    def buffers(self):
        shape = (self.n, self.n)
        return (
            Buffer("a", "float32", shape, "in"),
            Buffer("b", "float32", shape, "in"),
            Buffer("c", "float32", shape, "inout"),
        )

    def fill(self, rng, inputs):
        for array in inputs.values():
            array[...] = rng.integers(-4, 5, array.shape)

    def check(self, inputs, outputs):
        expected = inputs["a"] @ inputs["b"] + inputs["c"]
        return mismatch("c", expected, outputs["c"])


SIZES = (Product(16), Product(40), Product(64))

RIGHT = Program("python", b"import torch\ndef run(a, b, c):\n    c += a @ b\n")
SLOW = Program(
    "python",
    b"import torch\ndef run(a, b, c):\n    for _ in range(60):\n        d = a @ b\n    c += d\n",
)
WRONG = {
    "nothing": b"def run(a, b, c):\n    pass\n",
    "one size only": b"def run(a, b, c):\n    c += a @ b if c.shape[0] < 50 else 0\n",
    "stale": (
        b"kept = {}\ndef run(a, b, c):\n    n = c.shape[0]\n"
        b"    if n not in kept:\n        kept[n] = a @ b\n    c += kept[n]\n"
    ),
    "lower precision": b"def run(a, b, c):\n    c += ((a * 1.001) @ b)\n",
    "not a number": b"def run(a, b, c):\n    c += a @ b\n    c[3, 3] = float('nan')\n",
    "another size": (
        b"last = []\ndef run(a, b, c):\n    last.append(c)\n    c += a @ b\n"
        b"    for other in last:\n        if other.shape != c.shape:\n            other += 1\n"
    ),
}
