"""Decorators and statements that carry a contract, and their checking at run time."""

from __future__ import annotations

import copy
import functools
import inspect
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_ENABLED = os.environ.get("CERTUNE_CHECK", "") not in ("", "0")
_CONTRACT = "__certune_contract__"
_IMMUTABLE = (int, float, str, bytes, bool, type(None))


class ContractError(AssertionError):
    """A contract or an annotation does not hold in this run."""


@dataclass
class Contract:
    """What the decorators of one function say, in source order."""

    function: Callable[..., Any]
    requires: list[Callable[..., bool]] = field(default_factory=list)
    ensures: list[Callable[..., bool]] = field(default_factory=list)
    modifies: tuple[str, ...] = ()


class _Calls(threading.local):
    """The checked calls that are running in this thread, innermost last."""

    def __init__(self) -> None:
        self.entries: list[dict[int, tuple[Any, Any]]] = []
        self.checking = 1 if _ENABLED else 0


_calls = _Calls()


def _names_old(code: CodeType) -> bool:
    return "old" in code.co_names or any(
        _names_old(c) for c in code.co_consts if isinstance(c, CodeType)
    )


def _entry(arguments: Mapping[str, Any]) -> dict[int, tuple[Any, Any]]:
    """By identity: each mutable argument (kept alive) and its copy."""
    return {
        id(value): (value, copy.deepcopy(value))
        for value in arguments.values()
        if not isinstance(value, _IMMUTABLE)
    }


def _holds(condition: Callable[..., bool], known: Mapping[str, Any]) -> bool:
    names = inspect.signature(condition).parameters
    return bool(condition(**{name: known[name] for name in names}))


def _described(condition: Callable[..., bool]) -> str:
    code = condition.__code__
    return f"{os.path.basename(code.co_filename)}:{code.co_firstlineno}"


def _call_checked(contract: Contract, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    function = contract.function
    bound = inspect.signature(function).bind(*args, **kwargs)
    known = dict(bound.arguments)
    entry = _entry(known)
    for condition in contract.requires:
        if not _holds(condition, known):
            raise ContractError(
                f"{function.__name__}: precondition at {_described(condition)} does not hold "
                f"for {known!r}"
            )
    before = {name: entry[id(v)][1] for name, v in known.items() if id(v) in entry}
    _calls.entries.append(entry)
    _calls.checking += 1
    try:
        result = function(*args, **kwargs)
        allowed = {path.partition(".")[0] for path in contract.modifies}
        for name, value in before.items():
            if name not in allowed and known[name] != value:
                raise ContractError(f"{function.__name__} changed {name}, which modifies omits")
        for condition in contract.ensures:
            if not _holds(condition, {**known, "result": result}):
                raise ContractError(
                    f"{function.__name__}: postcondition at {_described(condition)} does not "
                    f"hold for { ({**known, **before})!r}, result {result!r}"
                )
    finally:
        _calls.entries.pop()
        _calls.checking -= 1
    return result


def _remembering(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, its arguments remembered for `old` in its body; nothing is checked."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(function).bind(*args, **kwargs)
        _calls.entries.append(_entry(bound.arguments))
        try:
            return function(*args, **kwargs)
        finally:
            _calls.entries.pop()

    return wrapper


def _attached(function: F) -> tuple[F, Contract]:
    """`function`, wrapped as far as needed, and the contract that hangs on it."""
    known = getattr(function, _CONTRACT, None)
    if known is not None:
        return function, known
    contract = Contract(function)
    wrapped: Callable[..., Any] = function
    if _ENABLED:
        wrapped = _checking(contract)
    elif isinstance(getattr(function, "__code__", None), CodeType) and _names_old(
        function.__code__
    ):
        wrapped = _remembering(function)
    setattr(wrapped, _CONTRACT, contract)
    return cast(F, wrapped), contract


def _checking(contract: Contract) -> Callable[..., Any]:
    @functools.wraps(contract.function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return _call_checked(contract, args, kwargs)

    return wrapper


def require(condition: Callable[..., bool]) -> Callable[[F], F]:
    """The caller sees to it that `condition` holds; its parameters are among the function's."""

    def decorate(function: F) -> F:
        function, contract = _attached(function)
        contract.requires.insert(0, condition)
        return function

    return decorate


def ensure(condition: Callable[..., bool]) -> Callable[[F], F]:
    """The function sees to it that `condition` holds when it returns.

    Its parameters are among the function's and ``result``. A mutable parameter stands for its
    value at the end, ``old(xs)`` for that at the start.
    """

    def decorate(function: F) -> F:
        function, contract = _attached(function)
        contract.ensures.insert(0, condition)
        return function

    return decorate


def modifies(*paths: str) -> Callable[[F], F]:
    """The mutable parameters (``"xs"``, ``"ring.head"``) that the function may change."""

    def decorate(function: F) -> F:
        function, contract = _attached(function)
        contract.modifies += paths
        return function

    return decorate


def spec(function: F) -> F:
    """A pure function that contracts and annotations may call."""
    return function


def lemma(function: F) -> F:
    """A function that is there for its proof: calling it makes its postcondition known."""
    return function


def partial(function: F) -> F:
    """No proof that the function ends is asked for; its report says so."""
    return function


def checked(function: F) -> F:
    """`function` with its contract and annotations checked, whether or not others' are."""
    return cast(F, _checking(getattr(function, _CONTRACT, None) or Contract(function)))


def ghost(value: T) -> T:
    """`value`, for a variable that only annotations read."""
    return value


def invariant(condition: bool | Callable[[], bool]) -> None:
    """At the start of a loop's body: holds whenever the loop's condition is evaluated."""
    if _calls.checking and not (condition() if callable(condition) else condition):
        raise ContractError("an invariant does not hold")


def decreases(*measures: int | bool) -> None:
    """At the start of a loop's or a function's body: what gets smaller, in lexical order.

    At run time nothing is checked; the verifier shows that each is at least 0 where it counts
    and that the tuple decreases.
    """


def old(value: T) -> T:
    """The value that a mutable parameter had when the function was called."""
    if _calls.entries:
        known = _calls.entries[-1].get(id(value))
        if known is not None:
            return cast(T, known[1])
    return value
