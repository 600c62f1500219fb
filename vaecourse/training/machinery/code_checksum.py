"""What the code of a function does, as a checksum that is the same wherever the code stands."""

from __future__ import annotations

import dis
import hashlib
import sys
import types
from typing import Any

_SIGNATURE = 0x04 | 0x08 | 0x20 | 0x80 | 0x200  # flags of code that say *args, **kwargs, generator, coroutine


def checksum(content: str | bytes, length: int = 64) -> str:
    """The first digits of the SHA-256 of a text or of bytes."""
    content = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(content).hexdigest()[:length]


def code_checksum(code: types.CodeType, documentation: str | None = None) -> str:
    """A checksum of what code does: neither of where it stands nor of what it says of itself."""
    constants = list(code.co_consts)
    if constants and documentation is not None and constants[0] == documentation:
        constants[0] = None
    in_class = "__qualname__" in code.co_names  # whose body also writes down its place
    kept = [_constant(part) for part in constants if not (in_class and part in (code.co_firstlineno, code.co_qualname))]
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    numbers = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _SIGNATURE
    return checksum(f"{code.co_code.hex()} {code.co_exceptiontable.hex()} {names} {numbers} {kept}", 12)


def _constant(value: Any) -> str:
    if isinstance(value, types.CodeType):
        first = value.co_consts[0] if value.co_consts else None
        # Up to Python 3.13 the first constant of every function is its documentation or None.
        documented = value.co_flags & 0x4000000 if sys.version_info >= (3, 14) else not value.co_name.startswith("<")
        return code_checksum(value, first if documented and isinstance(first, str) else None)
    if isinstance(value, tuple):
        return f"({', '.join(map(_constant, value))})"
    if isinstance(value, frozenset):  # whose order is another one in every process
        return f"{{{', '.join(sorted(map(_constant, value)))}}}"
    return repr(value)


def global_names(code: types.CodeType) -> set[str]:
    """The names that code and the functions within it look up outside of functions, but for the place (`__name__`)."""
    steps = (step for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    names = {step.argval for step in steps if not step.argval.startswith("__")}
    return names.union(*(global_names(part) for part in code.co_consts if isinstance(part, types.CodeType)))
