"""The pickle of a dict of tensors, followed here: Python's own unpickler obeys too much of it.

Even one that finds no classes sets attributes of what it did find, takes gigabytes for a few bytes,
and recurses into what a key is made of. `torch.save` needs the few instructions below.
"""

import math
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from twotower.common.bounded import shown

STORAGES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
    "torch BoolStorage": np.dtype("?"),
}
TENSOR, HOOKS = "torch._utils _rebuild_tensor_v2", "collections OrderedDict"
NAMES = {TENSOR, HOOKS, *STORAGES}
"""What the pickle of a dict of tensors may name."""
VALUES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"), lambda value: value),
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_DICT": lambda _: {},
}
"""What instructions make of their argument alone."""
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
"""Instructions that make a tuple of so many values."""
MOST_AXES, MOST = 8, 2**40
"""Axes of a tensor, and numbers in it or between two of them."""
OTHER = "it is no dict of tensors"


class _Name(str):
    """One of NAMES."""

    __slots__ = ()


class TensorPickle:
    """Follows a pickle, one instruction after the other."""

    def __init__(self, record: Callable[[str], bytearray]) -> None:
        """Begin.

        Args:
            record: gives the content of the storage with a key.
        """
        self._record = record
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def read(self, content: bytes) -> dict[str, NDArray[Any]]:
        """The tensors.

        Raises:
            ValueError: if the content is anything but a pickle of a dict of tensors.
            KeyError, IndexError: likewise.
        """
        for code, argument, _ in pickletools.genops(content):
            if not (self._keeps(code.name, argument) or self._makes(code.name)):
                what = argument if code.name == "GLOBAL" else code.name
                msg = f"it names {shown(what)}, which is no weight"
                raise ValueError(msg)
        [found] = self._stack
        if type(found) is not dict:
            raise ValueError(OTHER)
        return found

    def _keeps(self, code: str, argument: Any) -> bool:
        """Follow an instruction that puts on the stack what is there already; False: it is none."""
        if code in VALUES:
            self._stack.append(VALUES[code](argument))
        elif code == "GLOBAL" and argument in NAMES:
            self._stack.append(_Name(argument))
        elif code in {"BINPUT", "LONG_BINPUT"}:
            self._memo[argument] = self._stack[-1]
        elif code in {"BINGET", "LONG_BINGET"}:
            self._stack.append(self._memo[argument])
        elif code == "MARK":
            self._marks.append(len(self._stack))
        else:
            return code in {"PROTO", "STOP"}
        return True

    def _makes(self, code: str) -> bool:
        """Follow an instruction that makes something of values; False: it is none."""
        stack = self._stack
        if code in TUPLES:
            stack.append(tuple([stack.pop() for _ in range(TUPLES[code])][::-1]))
        elif code == "TUPLE":
            stack.append(tuple(self._marked()))
        elif code == "BINPERSID":
            stack.append(self._storage(stack.pop()))
        elif code == "REDUCE":
            arguments, called = stack.pop(), stack.pop()
            stack.append(_made(called, arguments))
        elif code in {"SETITEM", "SETITEMS"}:
            values = self._marked() if code == "SETITEMS" else [stack.pop(-2), stack.pop()]
            _fill(stack[-1], values)
        else:
            return False
        return True

    def _marked(self) -> list[Any]:
        """What has been put on the stack since the last mark."""
        place = self._marks.pop()
        values = self._stack[place:]
        del self._stack[place:]
        return values

    def _storage(self, named: Any) -> NDArray[Any]:
        """The numbers of a storage."""
        match named:
            case (_, _Name() as kind, str() as key, _, _) if kind in STORAGES:
                return np.frombuffer(self._record(key), STORAGES[kind])
        raise ValueError(OTHER)


def _fill(target: Any, values: list[Any]) -> None:
    """Put tensors into a dict, by their names."""
    named = dict(zip(values[::2], values[1::2], strict=True)) if _are_named(values) else None
    if named is None or type(target) is not dict:
        raise ValueError(OTHER)
    target.update(named)


def _are_named(values: list[Any]) -> bool:
    """Whether names and tensors take turns."""
    return all(type(key) is str for key in values[::2]) and all(
        isinstance(each, np.ndarray) for each in values[1::2]
    )


def _made(called: Any, arguments: Any) -> Any:
    """What one of NAMES makes of its arguments."""
    if type(called) is _Name and type(arguments) is tuple:
        if called == HOOKS and not arguments:
            return None
        if called == TENSOR and len(arguments) >= 4:
            return _tensor(*arguments[:4])
    raise ValueError(OTHER)


def _tensor(storage: Any, offset: Any, shape: Any, steps: Any) -> NDArray[Any]:
    """A tensor as a view of its storage, which has every element once."""
    if not (isinstance(storage, np.ndarray) and storage.ndim == 1 and _fit(shape, steps)):
        raise ValueError(OTHER)
    numbers = (offset, *shape, *steps)
    if not all(type(one) is int and 0 <= one <= MOST for one in numbers):
        msg = "a tensor leads out of its storage"
        raise ValueError(msg)
    count: int = math.prod(shape)
    last = offset + sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
    if offset > len(storage) or (count and last >= len(storage)):
        msg = "a tensor leads out of its storage"
        raise ValueError(msg)
    if count > len(storage):
        msg = "it has tensors that share their values"
        raise ValueError(msg)
    width = storage.itemsize
    return as_strided(storage[offset:], shape, [step * width for step in steps])


def _fit(shape: Any, steps: Any) -> bool:
    return type(shape) is type(steps) is tuple and len(shape) == len(steps) <= MOST_AXES
