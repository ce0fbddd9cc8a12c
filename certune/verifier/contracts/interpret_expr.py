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

    def lit(self, e: tree.Lit) -> Any:
        return e.value

    def var(self, e: tree.Var) -> Any:
        return self.env[e.name]

    def entry(self, e: tree.Old) -> Any:
        return self.old[e.name]

    def binary(self, e: tree.Bin) -> int:
        a, b = self.value(e.left), self.value(e.right)
        if e.op in ("//", "%"):
            if b == 0:
                self.broken("division", e.at)
            return self.fitting(a // b if e.op == "//" else a % b, e, "overflow")
        made = a + b if e.op == "+" else a - b if e.op == "-" else a * b
        return self.fitting(made, e, "overflow")

    def bits(self, e: tree.Bit) -> int:
        assert isinstance(e.type, WordT)
        a, b = self.value(e.left), self.value(e.right)
        if e.op in ("<<", ">>"):
            if not 0 <= b < e.type.bits:
                self.broken("shift", e.at)
            return self.fitting(a << b if e.op == "<<" else a >> b, e, "overflow")
        result: int = a & b if e.op == "&" else a | b if e.op == "|" else a ^ b
        return result

    def negative(self, e: tree.Neg) -> int:
        return self.fitting(-self.value(e.item), e, "overflow")

    def invert(self, e: tree.Inv) -> int:
        result: int = ~self.value(e.item)
        return result

    def convert(self, e: tree.Convert) -> int:
        return self.fitting(self.value(e.item), e, "conversion")

    def wrapped(self, e: tree.Wrap) -> int:
        return wrapped(self.value(e.item), e.type)

    def wrapped_shl(self, e: tree.WrapShl) -> int:
        assert isinstance(e.type, WordT)
        a, count = self.value(e.item), self.value(e.count)
        if not 0 <= count < e.type.bits:
            self.broken("shift", e.at)
        return wrapped(a << count, e.type)

    def compare(self, e: tree.Cmp) -> bool:
        a, b = self.value(e.left), self.value(e.right)
        return bool(
            a < b if e.op == "<" else a <= b if e.op == "<=" else (a == b) == (e.op == "==")
        )

    def same(self, e: tree.Same) -> bool:
        return bool((self.value(e.left) == self.value(e.right)) != e.negated)

    def conjunction(self, e: tree.And) -> bool:
        return all(self.value(i) for i in e.items)

    def disjunction(self, e: tree.Or) -> bool:
        return any(self.value(i) for i in e.items)

    def negation(self, e: tree.Not) -> bool:
        return not self.value(e.item)

    def implication(self, e: tree.Implies) -> bool:
        left, right = self.value(e.left), self.value(e.right)
        return bool(not left or right)

    def choice(self, e: tree.Choice) -> Any:
        return self.value(e.yes if self.value(e.test) else e.no)

    def is_none(self, e: tree.IsNone) -> bool:
        return self.value(e.item) is None

    def some(self, e: tree.Some) -> Any:
        return self.value(e.item)

    def unwrap(self, e: tree.Unwrap) -> Any:
        inner = self.value(e.item)
        if inner is None:
            self.broken("none", e.at)
        return inner

    def length(self, e: tree.Len) -> int:
        return len(self.value(e.item))

    def index(self, e: tree.Index) -> Any:
        item, place = self.value(e.item), self.value(e.index)
        if not 0 <= place < len(item):
            self.broken("index", e.at)
        return item[place]

    def sliced(self, e: tree.Slice) -> Any:
        item, low, high = self.value(e.item), self.value(e.low), self.value(e.high)
        if not 0 <= low <= high <= len(item):
            self.broken("slice", e.at)
        return item[low:high]

    def field(self, e: tree.Field) -> Any:
        return self.value(e.item).fields[e.name]

    def item(self, e: tree.Item) -> Any:
        return self.value(e.item)[e.index]

    def built(self, e: tree.Build) -> Any:
        items = [self.value(i) for i in e.items]
        if isinstance(e.type, RecordT):
            names = [name for name, _ in e.type.fields]
            return Record(e.type.name, dict(zip(names, items, strict=True)))
        return items if str(e.type).startswith("list") else tuple(items)

    def repeated(self, e: tree.Repeat) -> Any:
        item, count = self.value(e.item), self.value(e.count)
        if count > _LONGEST:
            raise Stuck("a very long list")
        return [item] * count

    def concatenated(self, e: tree.Concat) -> Any:
        made = self.value(e.left) + self.value(e.right)
        if len(made) > _LONGEST:
            raise Stuck("a very long list")
        return made

    def copied(self, e: tree.Copy) -> Any:
        item = self.value(e.item)
        return item.copy()

    def extreme(self, e: tree.Extreme) -> int:
        items = [self.value(i) for i in e.items]
        return min(items) if e.op == "min" else max(items)

    def absolute(self, e: tree.Abs) -> int:
        return abs(self.value(e.item))

    def contains(self, e: tree.Contains) -> bool:
        item, key = self.value(e.item), self.value(e.key)
        return key in item

    def lookup(self, e: tree.Lookup) -> Any:
        item, key = self.value(e.item), self.value(e.key)
        if e.default is not None:
            default = self.value(e.default)
            return item.get(key, default)
        if key not in item:
            self.broken("key", e.at)
        return item[key]

    def empty(self, e: tree.Empty) -> Any:
        return {} if str(e.type).startswith("dict") else set()

    def permuted(self, e: tree.Permutation) -> bool:
        return Counter(self.value(e.left)) == Counter(self.value(e.right))

    def called(self, e: tree.Call) -> Any:
        return self.call(e)

    def call(self, e: tree.Call) -> Any:
        """A call; statements know how."""
        raise NotImplementedError

    def each(self, binder: tree.Binder) -> Iterator[None]:
        """The binder's variable takes its values that pass the conditions, one after the other."""
        if binder.keys is not None:
            values: Any = sorted(self.value(binder.keys))
        else:
            assert binder.low is not None and binder.high is not None
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

    def quantified(self, e: tree.Quantifier) -> bool:
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

    def summed(self, e: tree.Sum) -> int:
        total = 0
        for _ in self.each(e.binder):
            total += self.value(e.body)
        return self.fitting(total, e, "overflow")

    def listed(self, e: tree.Comprehension) -> Any:
        return [self.value(e.body) for _ in self.each(e.binder)]


def wrapped(number: int, kind: Type) -> int:
    """The member of the fixed-width type that the number equals modulo 2**bits."""
    assert isinstance(kind, WordT)
    return ((number - kind.low) & ((1 << kind.bits) - 1)) + kind.low


_EVALUATE: dict[type[tree.Expr], Callable[[Expressions, Any], Any]] = {
    tree.Lit: Expressions.lit,
    tree.Var: Expressions.var,
    tree.Old: Expressions.entry,
    tree.Bin: Expressions.binary,
    tree.Bit: Expressions.bits,
    tree.Neg: Expressions.negative,
    tree.Inv: Expressions.invert,
    tree.Convert: Expressions.convert,
    tree.Wrap: Expressions.wrapped,
    tree.WrapShl: Expressions.wrapped_shl,
    tree.Cmp: Expressions.compare,
    tree.Same: Expressions.same,
    tree.And: Expressions.conjunction,
    tree.Or: Expressions.disjunction,
    tree.Not: Expressions.negation,
    tree.Implies: Expressions.implication,
    tree.Choice: Expressions.choice,
    tree.IsNone: Expressions.is_none,
    tree.Some: Expressions.some,
    tree.Unwrap: Expressions.unwrap,
    tree.Len: Expressions.length,
    tree.Index: Expressions.index,
    tree.Slice: Expressions.sliced,
    tree.Field: Expressions.field,
    tree.Item: Expressions.item,
    tree.Build: Expressions.built,
    tree.Repeat: Expressions.repeated,
    tree.Concat: Expressions.concatenated,
    tree.Copy: Expressions.copied,
    tree.Extreme: Expressions.extreme,
    tree.Abs: Expressions.absolute,
    tree.Contains: Expressions.contains,
    tree.Lookup: Expressions.lookup,
    tree.Empty: Expressions.empty,
    tree.Quantifier: Expressions.quantified,
    tree.Sum: Expressions.summed,
    tree.Comprehension: Expressions.listed,
    tree.Permutation: Expressions.permuted,
    tree.Call: Expressions.called,
}
