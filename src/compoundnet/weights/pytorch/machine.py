"""A machine for pickles that makes plain values only: nothing is imported, called or sized by what a pickle claims.

The instructions are those that PyTorch and Python write in protocols 2 to 5 (Python's pickletools describes them).
A name of a class or function stays a name; what is to be called goes to ``call``, which answers with a value.
"""

import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any

from compoundnet.weights.errors import DamagedError

from .stored import Global, Opaque

MAX_STEPS = 500_000  # L2 with its average takes 200,000
MAX_BYTES = 32 << 20  # of a pickle without its tensors; that of L2 is 0.4 MB
SPARE = 10 << 20  # bytes that the values of a pickle may take beyond its own; L2's with average and optimizer take 7 MB
_STEP, _MARK = 8, 40  # bytes of a place on the stack, and of a mark
_SMALL = 256  # True and False are numbers, too
_LONG_TEXT = 1 << 16  # longer texts stay in the file: no name of a tensor is as long
_LONG_NUMBER = 16  # bytes
_STOP = ord(".")
_NOTHING = object()  # where nothing was remembered

Call = Callable[[str, object], object]


class Machine:
    """One run over ``data`` from ``at``: ``call`` answers calls by name, ``keep`` what lies outside the pickle.

    An instruction of one byte makes a list of 72, so the bytes of all that is made are counted, and
    never given back: they may come to ``spare`` more than the pickle has.
    """

    def __init__(
        self, data: bytes | bytearray, at: int, call: Call, keep: Callable[[object], object], spare: int = SPARE
    ) -> None:
        self.data, self.at, self.call, self.keep = data, at, call, keep
        self.end = min(len(data), at + MAX_BYTES)
        self.left = spare + self.end - at
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: list[object] = []

    def run(self) -> object:
        """The value of the pickle; ``at`` is behind it then. Raises DamagedError, or whatever ``call`` raises."""
        for _ in range(MAX_STEPS):
            if self.at >= self.end:
                raise DamagedError("its pickle ends too early, or is far too long")
            code = self.data[self.at]
            self.at += 1
            if code == _STOP:
                return self.pop()
            step = _STEPS.get(code)
            if step is None:
                raise DamagedError(f"its pickle has an instruction {code:#04x} that PyTorch does not write")
            self.spend(_STEP)
            step(self)
        raise DamagedError(f"its pickle has more than {MAX_STEPS:,} steps")

    def spend(self, count: int) -> None:
        """Count bytes that were made. Raises DamagedError beyond what there is room for."""
        self.left -= count
        if self.left < 0:
            raise DamagedError("its pickle makes far more values than those of a network")

    def take(self, count: int) -> bytes:
        """The next bytes of the pickle."""
        start, self.at = self.at, self.at + count
        if self.at > self.end:
            raise DamagedError("its pickle ends too early, or is far too long")
        return bytes(self.data[start : self.at])

    def number(self, form: str) -> Any:
        """The next number, in ``struct``'s notation."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """The next line of text."""
        found = self.data.find(b"\n", self.at, min(self.end, self.at + _LONG_TEXT))
        if found < 0:
            raise DamagedError("its pickle has a name without an end")
        text = self.take(found + 1 - self.at)[:-1]
        return _decoded(text)

    def counted(self, form: str) -> bytes | Opaque:
        """As many bytes as the number before them says; a long stretch is passed over."""
        count = self.number(form)
        if count > self.end - self.at:
            raise DamagedError("its pickle claims more bytes than it has")
        if count > _LONG_TEXT:
            self.at += count
            return Opaque("a long text")
        return self.take(count)

    def push(self, value: object) -> None:
        """Put a value that was made on the stack; Python has small numbers, and what is neither, already."""
        if value is not None and not (isinstance(value, int) and 0 <= value <= _SMALL):
            self.spend(sys.getsizeof(value))
        self.stack.append(value)

    def grow(self, target: Any, values: Any) -> None:
        """Fill a list or a dict that was made before."""
        before = sys.getsizeof(target)
        target.extend(values) if isinstance(target, list) else target.update(values)
        self.spend(sys.getsizeof(target) - before)

    def pop(self) -> Any:
        """The last value since the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise DamagedError("its pickle takes a value that is not there")
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        """The values since the last mark, which goes."""
        if not self.marks:
            raise DamagedError("its pickle takes a mark that is not there")
        start = self.marks.pop()
        found = self.stack[start:]
        del self.stack[start:]
        return found

    def top(self, kind: type) -> Any:
        """The last value, which stays; a list or a dict."""
        value = self.pop()
        self.stack.append(value)
        if not isinstance(value, kind):
            raise DamagedError(f"its pickle fills a {type(value).__name__}, which is no {kind.__name__}")
        return value


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise DamagedError("its pickle has a text that is none") from None


def _text(machine: Machine, form: str) -> None:
    found = machine.counted(form)
    machine.push(found if isinstance(found, Opaque) else _decoded(found))


def _integer(machine: Machine, form: str) -> None:
    count = machine.number(form)
    if not 0 <= count <= _LONG_NUMBER:
        raise DamagedError(f"its pickle has a number of {count} bytes")
    machine.push(int.from_bytes(machine.take(count), "little", signed=True))


def _tuple(machine: Machine, count: int) -> None:
    values = [machine.pop() for _ in range(count)]
    machine.push(tuple(reversed(values)))


def _fill(machine: Machine, pairs: list[Any]) -> None:
    target = machine.top(dict)
    if len(pairs) % 2:
        raise DamagedError("its pickle has a key without a value")
    machine.grow(target, ((_key(key), value) for key, value in zip(pairs[::2], pairs[1::2], strict=True)))


def _key(key: object) -> object:
    """A key as it is, if its hash is cheap and random; else one that nothing else equals."""
    plain = key is None or isinstance(key, str) or (isinstance(key, int) and -(1 << 31) <= key < 1 << 31)
    return key if plain else object()


def _extend(machine: Machine, values: list[Any]) -> None:
    machine.grow(machine.top(list), values)


def _remember(machine: Machine, index: int) -> None:
    value = machine.top(object)
    if index < len(machine.memo):
        machine.memo[index] = value
        return
    if index > len(machine.memo) + 1:  # Python 2 counts from 1
        raise DamagedError("its pickle remembers values in no order")
    machine.memo += [_NOTHING] * (index - len(machine.memo)) + [value]


def _recall(machine: Machine, index: int) -> None:
    if index >= len(machine.memo) or machine.memo[index] is _NOTHING:
        raise DamagedError("its pickle recalls a value that it has not seen")
    machine.stack.append(machine.memo[index])


def _call(machine: Machine, *, keywords: bool = False) -> None:
    if keywords:
        machine.pop()
    arguments, function = machine.pop(), machine.pop()
    if not isinstance(function, Global):
        raise DamagedError("its pickle calls what is no name")
    machine.push(machine.call(function.name, arguments))


def _called_since_mark(machine: Machine, name: str | None) -> None:
    """Protocol 0 and 1: the class is named in line, or lies first behind the mark."""
    found = machine.since_mark()
    function = Global(name) if name is not None else (found.pop(0) if found else None)
    machine.push(function)
    machine.push(tuple(found))
    _call(machine)


def _global(machine: Machine, module: object, attribute: object) -> None:
    if not (isinstance(module, str) and isinstance(attribute, str)):
        raise DamagedError("its pickle names a class by what is no text")
    name = f"{module}.{attribute}"
    machine.call(name, None)  # refused before anything is made of it
    machine.push(Global(name))


def _stack_global(machine: Machine) -> None:
    attribute, module = machine.pop(), machine.pop()
    _global(machine, module, attribute)


def _mark(machine: Machine) -> None:
    machine.spend(_MARK)
    machine.marks.append(len(machine.stack))


def _pop(machine: Machine) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.pop()


def _dict(machine: Machine) -> None:
    pairs = machine.since_mark()
    machine.push({})
    _fill(machine, pairs)


_INSTRUCTIONS: Mapping[bytes, Callable[[Machine], object]] = {
    # Texts, bytes and numbers.
    b"X": lambda m: _text(m, "<I"),
    b"\x8c": lambda m: _text(m, "<B"),
    b"\x8d": lambda m: _text(m, "<Q"),
    b"U": lambda m: _text(m, "<B"),  # a text of Python 2
    b"T": lambda m: _text(m, "<I"),
    b"C": lambda m: m.push(m.counted("<B")),
    b"B": lambda m: m.push(m.counted("<I")),
    b"\x8e": lambda m: m.push(m.counted("<Q")),
    b"\x96": lambda m: m.push(m.counted("<Q")),
    b"K": lambda m: m.push(m.number("<B")),
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"G": lambda m: m.push(m.number(">d")),
    b"\x8a": lambda m: _integer(m, "<B"),
    b"\x8b": lambda m: _integer(m, "<i"),
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    # Collections; a set is a list here.
    b"(": _mark,
    b")": lambda m: m.push(()),
    b"]": lambda m: m.push([]),
    b"}": lambda m: m.push({}),
    b"\x8f": lambda m: m.push([]),
    b"\x85": lambda m: _tuple(m, 1),
    b"\x86": lambda m: _tuple(m, 2),
    b"\x87": lambda m: _tuple(m, 3),
    b"t": lambda m: m.push(tuple(m.since_mark())),
    b"l": lambda m: m.push(m.since_mark()),
    b"\x91": lambda m: m.push(m.since_mark()),
    b"d": _dict,
    b"a": lambda m: _extend(m, [m.pop()]),
    b"e": lambda m: _extend(m, m.since_mark()),
    b"\x90": lambda m: _extend(m, m.since_mark()),
    b"s": lambda m: _fill(m, [m.pop(), m.pop()][::-1]),
    b"u": lambda m: _fill(m, m.since_mark()),
    # The stack and the memory.
    b"0": _pop,
    b"1": lambda m: m.since_mark(),
    b"2": lambda m: m.stack.append(m.top(object)),
    b"q": lambda m: _remember(m, m.number("<B")),
    b"r": lambda m: _remember(m, m.number("<I")),
    b"\x94": lambda m: _remember(m, len(m.memo)),
    b"h": lambda m: _recall(m, m.number("<B")),
    b"j": lambda m: _recall(m, m.number("<I")),
    # Names and calls.
    b"c": lambda m: _global(m, m.line(), m.line()),
    b"\x93": _stack_global,
    b"R": _call,
    b"\x81": _call,
    b"\x92": lambda m: _call(m, keywords=True),
    b"o": lambda m: _called_since_mark(m, None),
    b"i": lambda m: _called_since_mark(m, f"{m.line()}.{m.line()}"),
    b"b": lambda m: m.pop(),  # the attributes of an object; none is kept
    b"Q": lambda m: m.push(m.keep(m.pop())),
    # The protocol's number and frames say nothing that is needed.
    b"\x80": lambda m: m.take(1),
    b"\x95": lambda m: m.take(8),
}
_STEPS = {code[0]: step for code, step in _INSTRUCTIONS.items()}
