"""The interpreter's expressions: Python's own operations, with every obligation checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NoReturn

from certune.verifier.contracts import tree
from certune.verifier.contracts.data import Record
from certune.verifier.contracts.report import Place
from certune.verifier.contracts.stops import Broken, Stuck
from certune.verifier.contracts.types import RecordT, Type, WordT

_MOST_BITS = 4096
_LONGEST = 10_000


class Expressions:
    """Evaluates expressions in the current frame."""

    def __init__(self, module: tree.Module, steps: int) -> None:
        self.module = module
        self.left = steps
        self.env: dict[str, Any] = {}
        self.old: dict[str, Any] = {}
        self.quiet = False

    @contextmanager
    def frame(self, env: dict[str, Any], old: dict[str, Any]) -> Iterator[None]:
        """Within: other variables."""
        before = self.env, self.old
        self.env, self.old = env, old
        try:
            yield
        finally:
            self.env, self.old = before

    def tick(self) -> None:
        """Count a step."""
        self.left -= 1
        if self.left < 0:
            raise Stuck("too many steps")

    def broken(
        self, kind: str, at: Place, blames: Literal["program", "annotation"] = "program"
    ) -> NoReturn:
        """Something does not hold."""
        raise Broken(kind, at, "annotation" if self.quiet else blames)

    def value(self, e: tree.Expr) -> Any:
        """The value of an expression."""
        self.tick()
        return _EVALUATE[type(e)](self, e)

    def fitting(self, number: int, e: tree.Expr, kind: str) -> int:
        """The number, if it fits the expression's type."""
        if isinstance(e.type, WordT):
            if not e.type.low <= number <= e.type.high:
                self.broken(kind, e.at)
        elif number.bit_length() > _MOST_BITS:
            raise Stuck("a very large number")
        return number

    def _lit(self, e: tree.Lit) -> Any:
        return e.value

    def _var(self, e: tree.Var) -> Any:
        return self.env[e.name]

    def _entry(self, e: tree.Old) -> Any:
        return self.old[e.name]

    def _binary(self, e: tree.Bin) -> int:
        a, b = self.value(e.left), self.value(e.right)
        if e.op in ("//", "%"):
            if b == 0:
                self.broken("division", e.at)
            return self.fitting(a // b if e.op == "//" else a % b, e, "overflow")
        made = a + b if e.op == "+" else a - b if e.op == "-" else a * b
        return self.fitting(made, e, "overflow")

    def _bits(self, e: tree.Bit) -> int:
        assert isinstance(e.type, WordT)
        a, b = self.value(e.left), self.value(e.right)
        if e.op in ("<<", ">>"):
            if not 0 <= b < e.type.bits:
                self.broken("shift", e.at)
            return self.fitting(a << b if e.op == "<<" else a >> b, e, "overflow")
        result: int = a & b if e.op == "&" else a | b if e.op == "|" else a ^ b
        return result

    def _negative(self, e: tree.Neg) -> int:
        return self.fitting(-self.value(e.item), e, "overflow")

    def _invert(self, e: tree.Inv) -> int:
        result: int = ~self.value(e.item)
        return result

    def _convert(self, e: tree.Convert) -> int:
        return self.fitting(self.value(e.item), e, "conversion")

    def _wrapped(self, e: tree.Wrap) -> int:
        return wrapped(self.value(e.item), e.type)

    def _wrapped_shl(self, e: tree.WrapShl) -> int:
        assert isinstance(e.type, WordT)
        a, count = self.value(e.item), self.value(e.count)
        if not 0 <= count < e.type.bits:
            self.broken("shift", e.at)
        return wrapped(a << count, e.type)

    def _compare(self, e: tree.Cmp) -> bool:
        a, b = self.value(e.left), self.value(e.right)
        return bool(
            a < b if e.op == "<" else a <= b if e.op == "<=" else (a == b) == (e.op == "==")
        )

    def _same(self, e: tree.Same) -> bool:
        return bool((self.value(e.left) == self.value(e.right)) != e.negated)

    def _conjunction(self, e: tree.And) -> bool:
        return all(self.value(i) for i in e.items)

    def _disjunction(self, e: tree.Or) -> bool:
        return any(self.value(i) for i in e.items)

    def _negation(self, e: tree.Not) -> bool:
        return not self.value(e.item)

    def _implication(self, e: tree.Implies) -> bool:
        left, right = self.value(e.left), self.value(e.right)
        return bool(not left or right)

    def _choice(self, e: tree.Choice) -> Any:
        return self.value(e.yes if self.value(e.test) else e.no)

    def _is_none(self, e: tree.IsNone) -> bool:
        return self.value(e.item) is None

    def _some(self, e: tree.Some) -> Any:
        return self.value(e.item)

    def _unwrap(self, e: tree.Unwrap) -> Any:
        inner = self.value(e.item)
        if inner is None:
            self.broken("none", e.at)
        return inner

    def _length(self, e: tree.Len) -> int:
        return len(self.value(e.item))

    def _index(self, e: tree.Index) -> Any:
        item, place = self.value(e.item), self.value(e.index)
        if not 0 <= place < len(item):
            self.broken("index", e.at)
        return item[place]

    def _sliced(self, e: tree.Slice) -> Any:
        item, low, high = self.value(e.item), self.value(e.low), self.value(e.high)
        if not 0 <= low <= high <= len(item):
            self.broken("slice", e.at)
        return item[low:high]

    def _field(self, e: tree.Field) -> Any:
        return self.value(e.item).fields[e.name]

    def _item(self, e: tree.Item) -> Any:
        return self.value(e.item)[e.index]

    def _built(self, e: tree.Build) -> Any:
        items = [self.value(i) for i in e.items]
        if isinstance(e.type, RecordT):
            names = [name for name, _ in e.type.fields]
            return Record(e.type.name, dict(zip(names, items, strict=True)))
        return items if str(e.type).startswith("list") else tuple(items)

    def _repeated(self, e: tree.Repeat) -> Any:
        item, count = self.value(e.item), self.value(e.count)
        if count > _LONGEST:
            raise Stuck("a very long list")
        return [item] * count

    def _concatenated(self, e: tree.Concat) -> Any:
        made = self.value(e.left) + self.value(e.right)
        if len(made) > _LONGEST:
            raise Stuck("a very long list")
        return made

    def _copied(self, e: tree.Copy) -> Any:
        item = self.value(e.item)
        return item.copy()

    def _extreme(self, e: tree.Extreme) -> int:
        items = [self.value(i) for i in e.items]
        best: int = min(items) if e.op == "min" else max(items)
        return best

    def _absolute(self, e: tree.Abs) -> int:
        size: int = abs(self.value(e.item))
        return size

    def _contains(self, e: tree.Contains) -> bool:
        item, key = self.value(e.item), self.value(e.key)
        return key in item

    def _lookup(self, e: tree.Lookup) -> Any:
        item, key = self.value(e.item), self.value(e.key)
        if e.default is not None:
            default = self.value(e.default)
            return item.get(key, default)
        if key not in item:
            self.broken("key", e.at)
        return item[key]

    def _empty(self, e: tree.Empty) -> Any:
        return {} if str(e.type).startswith("dict") else set()

    def _permuted(self, e: tree.Permutation) -> bool:
        return Counter(self.value(e.left)) == Counter(self.value(e.right))

    def _called(self, e: tree.Call) -> Any:
        return self.call(e)

    def call(self, e: tree.Call) -> Any:
        """A call; statements know how."""
        raise NotImplementedError

    def each(self, binder: tree.Binder) -> Iterator[None]:
        """The binder's variable takes its values that pass the conditions, one after the other."""
        if binder.keys is not None:
            values: Any = sorted(self.value(binder.keys))
        else:
            assert binder.low is not None
            assert binder.high is not None
            for first in binder.before:
                self.value(first)
            values = range(self.value(binder.low), self.value(binder.high))
        outer = self.env
        self.env = dict(outer)
        try:
            for value in values:
                self.tick()
                self.env[binder.name] = value
                if all(self.value(c) for c in binder.conditions):
                    yield
        finally:
            self.env = outer

    def _quantified(self, e: tree.Quantifier) -> bool:
        wanted = e.op == "any"

        def found(binders: tuple[tree.Binder, ...]) -> bool:
            if not binders:
                return bool(self.value(e.body)) is wanted
            each = self.each(binders[0])
            try:
                return any(found(binders[1:]) for _ in each)
            finally:
                each.close()  # type: ignore[attr-defined]

        return found(e.binders) is wanted

    def _summed(self, e: tree.Sum) -> int:
        total = 0
        for _ in self.each(e.binder):
            total += self.value(e.body)
        return self.fitting(total, e, "overflow")

    def _listed(self, e: tree.Comprehension) -> Any:
        return [self.value(e.body) for _ in self.each(e.binder)]


def wrapped(number: int, kind: Type) -> int:
    """The member of the fixed-width type that the number equals modulo 2**bits."""
    assert isinstance(kind, WordT)
    return ((number - kind.low) & ((1 << kind.bits) - 1)) + kind.low


_EVALUATE: dict[type[tree.Expr], Callable[[Expressions, Any], Any]] = {
    tree.Lit: Expressions._lit,
    tree.Var: Expressions._var,
    tree.Old: Expressions._entry,
    tree.Bin: Expressions._binary,
    tree.Bit: Expressions._bits,
    tree.Neg: Expressions._negative,
    tree.Inv: Expressions._invert,
    tree.Convert: Expressions._convert,
    tree.Wrap: Expressions._wrapped,
    tree.WrapShl: Expressions._wrapped_shl,
    tree.Cmp: Expressions._compare,
    tree.Same: Expressions._same,
    tree.And: Expressions._conjunction,
    tree.Or: Expressions._disjunction,
    tree.Not: Expressions._negation,
    tree.Implies: Expressions._implication,
    tree.Choice: Expressions._choice,
    tree.IsNone: Expressions._is_none,
    tree.Some: Expressions._some,
    tree.Unwrap: Expressions._unwrap,
    tree.Len: Expressions._length,
    tree.Index: Expressions._index,
    tree.Slice: Expressions._sliced,
    tree.Field: Expressions._field,
    tree.Item: Expressions._item,
    tree.Build: Expressions._built,
    tree.Repeat: Expressions._repeated,
    tree.Concat: Expressions._concatenated,
    tree.Copy: Expressions._copied,
    tree.Extreme: Expressions._extreme,
    tree.Abs: Expressions._absolute,
    tree.Contains: Expressions._contains,
    tree.Lookup: Expressions._lookup,
    tree.Empty: Expressions._empty,
    tree.Quantifier: Expressions._quantified,
    tree.Sum: Expressions._summed,
    tree.Comprehension: Expressions._listed,
    tree.Permutation: Expressions._permuted,
    tree.Call: Expressions._called,
}
