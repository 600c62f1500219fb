"""How long a method is: the lines of code that it needs, written out one statement a line."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

PACKAGE = "vaecourse"
# What every method on a model stands on: the slots, their distributions and networks, a draw and its noise.
SHARED = (
    "model",
    "distributions",
    "priors",
    "likelihoods",
    "posteriors",
    "networks",
    "objectives",
    "randomness",
    "data",
)


def num_lines(method: Callable, shared: tuple[str, ...] = SHARED) -> int:
    """The lines of a function and of all that it calls for, without comments, docstrings and blank lines.

    Counted are the function, and the functions and classes of its own module and of the course's package that its
    source names, those that these name, and so on; each once, as Python writes it out again (one statement a line), so
    that layout does not count. Not counted are libraries, and the rooms of the package that every method shares. It is
    a measure of what there is to read and get wrong, and a rough one.

    Args:
        method: a function, a class, a bound method or a ``functools.partial`` of one.
        shared: the rooms of the package that are not counted.

    Raises:
        ValueError: method has no source, as what is built in or made by ``exec`` has not.

    Example:
        >>> from vaecourse.objectives import elbo
        >>> num_lines(elbo, shared=()) >= 2
        True
    """
    first = _unwrapped(method)
    if not isinstance(first, FunctionType | type):
        raise ValueError(f"method must be a function or a class with a source, and is {method!r}")
    found, waiting, home = {}, [first, *_arguments(method)], first.__module__
    while waiting:
        each = waiting.pop()
        if each in found:
            continue
        try:
            found[each] = _length(each)
        except (OSError, TypeError, SyntaxError) as error:
            if each is first:
                raise ValueError(f"method must have a source that can be read, and {each.__name__} has none") from error
            found[each] = 0
            continue
        waiting += [name for name in _names(each) if _counts(name, home, shared)]
    return sum(found.values())


def _length(each: FunctionType | type) -> int:
    source = textwrap.dedent(inspect.getsource(each))
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a lambda within an expression
        return 1
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return sum(bool(line.strip()) for line in ast.unparse(tree).splitlines())


def _names(each: FunctionType | type) -> Iterator[Any]:
    """What the source of a function or class names that is a function or a class."""
    functions = [each] if isinstance(each, FunctionType) else [_unwrapped(part) for part in vars(each).values()]
    if isinstance(each, type):
        yield from each.__bases__
    for function in functions:
        if not isinstance(function, FunctionType):
            continue
        scope = {**vars(builtins), **function.__globals__, **inspect.getclosurevars(function).nonlocals}
        names = {name for code in _codes(function.__code__) for name in code.co_names + code.co_freevars}
        values = [scope[name] for name in names if name in scope]
        modules = [value for value in values if isinstance(value, ModuleType) and _in_package(value.__name__)]
        values += [getattr(module, name) for module in modules for name in names if hasattr(module, name)]
        for value in [*values, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]:
            yield _unwrapped(value)
            yield from _arguments(value)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _counts(value: Any, home: str, shared: tuple[str, ...]) -> bool:
    if not isinstance(value, FunctionType | type):
        return False
    module = value.__module__ or ""
    if not _in_package(module):
        return module == home
    return module.split(".")[1:2] == [] or module.split(".")[1] not in shared


def _in_package(module: str) -> bool:
    return module.split(".")[0] == PACKAGE


def _unwrapped(value: Any) -> Any:
    """The function behind partials, methods, properties and decorators."""
    while True:
        if isinstance(value, partial):
            value = value.func
        elif isinstance(value, MethodType | classmethod | staticmethod):
            value = value.__func__
        elif isinstance(value, property):
            value = value.fget
        elif hasattr(value, "__wrapped__"):
            value = value.__wrapped__
        else:
            return value


def _arguments(value: Any) -> list[Any]:
    """The functions and classes that a partial holds."""
    if not isinstance(value, partial):
        return []
    held = [_unwrapped(part) for part in (*value.args, *value.keywords.values())]
    return [part for part in held if isinstance(part, FunctionType | type)]
