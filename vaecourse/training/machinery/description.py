"""What a function, an object or a module is: a text that is the same in every process, and another if its inside is.

Functions are described by their code, the values that it encloses, its defaults and the globals that it reads; objects
by their class and attributes. Where the code stands (file, line, indentation in another function) does not count, nor
does what an installed package holds: that goes by its name and version. Not followed are attributes of modules
(`config.beta`), and objects in global variables beyond their class. A list that a function fills as it goes counts as
it is when the training begins.
"""

from __future__ import annotations

import copyreg
import functools
import random
import sys
import types
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vaecourse.training.machinery.code_checksum import checksum, code_checksum, global_names

_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, type(...))
_PLAIN += (torch.dtype, torch.device, torch.Size, torch.layout)
_STREAMS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)  # never where they were
_BUILT_IN = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, np.ufunc)
_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
_OF_EVERY_MODULE = frozenset(vars(nn.Module()))
_LONGEST = 4000  # characters; of a longer description the beginning and a checksum are kept


def describe(value: Any, trained: dict[int, str] | None = None) -> bool | int | float | str | None:
    """A value by its content: numbers and texts as they are, all else as a text.

    Args:
        value: what is described, such as a bound, a schedule, a class of optimisers.
        trained: names of the tensors whose values do not count, by ``id``.

    Raises:
        ValueError: it holds something of which there is no description; the message says what and where.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return _cut(_Description(trained or {})(value))


def describe_modules(module: nn.Module, trained: dict[int, str], strict: bool = False) -> dict[str, str]:
    """Each submodule's class and attributes by its name; its tensors are not among them.

    Args:
        module: "" is its own name.
        trained: as for :func:`describe`.
        strict: whether to refuse what has no description, rather than take its class for it.

    Raises:
        ValueError: as :func:`describe`, if strict.
    """
    description = _Description(trained, "strict" if strict else "lenient")
    return {name: _cut(description.of_module(part)) for name, part in module.named_modules()}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... with SHA-256 {checksum(text)}"


class _Description:
    """One walk through a value.

    Args:
        trained: names of the tensors whose values do not count, by ``id``.
        mode: "strict" refuses what has no description, "lenient" takes its class for it, and "shallow" takes the class
            of every object for it.
    """

    def __init__(self, trained: dict[int, str], mode: str = "strict"):
        self.trained = trained
        self.mode = mode
        self.trail: list[str] = []  # the names that lead from the value to the part under way
        self.met: dict[tuple[int, str], tuple[int, Any]] = {}  # numbered as met; kept, or an id came again

    def __call__(self, value: Any) -> str:
        if type(value) in _PLAIN:
            return repr(value)
        if isinstance(value, PurePath):
            return repr(str(value))
        if type(value) is tuple:
            return f"({', '.join(map(self, value))})"
        if isinstance(value, frozenset | set):
            return f"{{{', '.join(sorted(map(self._alone, value)))}}}"
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
            content = value.tolist() if value.size <= 8 else f"with SHA-256 {checksum(value.tobytes(), 16)}"
            return f"array {value.dtype} {list(value.shape)} {content}"
        if isinstance(value, types.ModuleType):
            return f"module {value.__name__}"
        if name := _published(value):
            return name
        place = id(value), self.mode  # what was met where its class says enough is yet to be described elsewhere
        if place in self.met:
            return f"#{self.met[place][0]}"
        self.met[place] = len(self.met), value
        return self._with_inside(value)

    def _with_inside(self, value: Any) -> str:
        if type(value) is list:
            return f"[{', '.join(map(self, value))}]"
        if type(value) is dict:
            entries = sorted(((self._alone(key), key) for key in value), key=lambda entry: entry[0])
            return f"{{{', '.join(f'{text}: {self._inside(text, value[key])}' for text, key in entries)}}}"
        if isinstance(value, functools.partial):
            parts = [self(part) for part in value.args] + self._named(value.keywords)
            return f"{self(value.func)}({', '.join(parts)})"
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.MethodType):
            return f"{self(value.__self__)}.{self(value.__func__)}"
        if isinstance(value, _BUILT_IN):
            owner = getattr(value, "__self__", getattr(value, "__objclass__", None))
            if isinstance(owner, type | types.ModuleType):
                return f"{owner.__name__}.{value.__name__}"
            return f"{type(value).__module__ if owner is None else self(owner)}.{value.__name__}"
        if isinstance(value, weakref.ReferenceType):
            return "a reference"
        if isinstance(value, _STREAMS):
            return self._unknown(value)
        if isinstance(value, nn.Module):
            return self._whole_module(value)
        if callable(value) and hasattr(value, "__wrapped__"):  # functools.lru_cache and its kin
            return f"{type(value).__name__}({self(value.__wrapped__)})"
        return self._object(value)

    # ------------------------------------------------------------------------------------------------- parts by name

    def _named(self, values: dict[str, Any]) -> list[str]:
        return [f"{name}={self._inside(name, values[name])}" for name in sorted(values)]

    def _inside(self, name: str, value: Any) -> str:
        self.trail.append(name)
        text = self(value)
        self.trail.pop()
        return text

    def _alone(self, value: Any) -> str:
        """A member of what has no order of its own: nothing of the walk so far shall be seen in its text."""
        met, self.met = self.met, {}
        text = self(value)
        self.met = met
        return text

    @contextmanager
    def _in_mode(self, mode: str) -> Iterator[None]:
        before, self.mode = self.mode, mode
        try:
            yield
        finally:
            self.mode = before

    def _unknown(self, value: Any) -> str:
        if self.mode == "strict":
            place = "".join(f"{name} of its " for name in reversed(self.trail[1:])) + (self.trail or ["value"])[0]
            kind = type(value)
            raise ValueError(
                f"its {place} is a {kind.__module__}.{kind.__qualname__}, of which there is no description"
            )
        return f"a {type(value).__qualname__}"

    # ---------------------------------------------------------------------------------------------------- one kind each

    def _tensor(self, value: Tensor) -> str:
        if id(value) in self.trained:
            return f"the tensor {self.trained[id(value)]}"
        kind = f"tensor {str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
        try:
            value = value.detach().cpu().contiguous()
            if value.numel() <= 8:
                return f"{kind} {value.tolist()}"
            content = value.reshape(-1).view(torch.uint8).numpy()
        except (RuntimeError, TypeError, NotImplementedError):  # sparse, on no device, ...
            return self._unknown(value)
        return f"{kind} with SHA-256 {checksum(content.tobytes(), 16)}"

    def _function(self, function: types.FunctionType) -> str:
        code = function.__code__
        positional = code.co_varnames[: code.co_argcount]
        defaults = function.__defaults__ or ()
        values = dict(zip(positional[len(positional) - len(defaults) :], defaults)) | (function.__kwdefaults__ or {})
        for name, cell in zip(code.co_freevars, function.__closure__ or ()):
            if cell != types.CellType():  # one that is empty is yet to be filled
                values[name] = cell.cell_contents
        values |= {name: value for name, value in vars(function).items() if not name.startswith("__")}
        parts = [f"code {code_checksum(code, function.__doc__)}", *self._named(values)]
        with self._in_mode("shallow"):
            known = function.__globals__
            parts += [f"global {text}" for text in self._named({n: known[n] for n in global_names(code) if n in known})]
        return f"{function.__name__}({', '.join(parts)})"

    def _class(self, kind: type) -> str:
        """Its name, and a checksum of the methods and plain attributes of itself and its bases."""
        parts = []
        with self._in_mode("shallow"):
            for base in kind.__mro__:
                parts.append(_published(base) or base.__name__)
                if _published(base):
                    continue
                for name, member in sorted(vars(base).items()):
                    for part in _functions(member):
                        parts.append(f"{name}: {self(part)}")
                    if not _functions(member) and not name.startswith("__"):
                        parts.append(f"{name}: {self(member)}")
        return f"{kind.__name__}[{checksum('; '.join(parts), 12)}]"

    def _object(self, value: Any) -> str:
        kind = self(type(value))
        if self.mode == "shallow":
            return f"a {kind}"
        try:
            make, arguments, *rest = value.__reduce_ex__(2)  # what pickle would keep of it
        except Exception:  # it may be code of anyone's that says there is nothing to keep
            return self._unknown(value)
        state, items, entries = (*rest, None, None, None)[:3]
        parts = [] if make in (copyreg.__newobj__, copyreg.__newobj_ex__) else [self(make)]
        parts += [self(part) for part in arguments if part is not type(value)]
        slots: Any = None
        if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):
            state, slots = state
        for attributes in (state, slots):
            if isinstance(attributes, dict) and all(isinstance(name, str) for name in attributes):
                parts += self._named(attributes)
            elif attributes is not None:
                parts.append(self(attributes))
        parts += [self(part) for part in items or ()]
        parts += [f"{self(key)}: {self(part)}" for key, part in entries or ()]
        return f"{kind}({', '.join(parts)})"

    def of_module(self, module: nn.Module) -> str:
        """A module without its tensors and submodules: its class, its own attributes, its hooks."""
        own = {name: value for name, value in vars(module).items() if name not in _OF_EVERY_MODULE}
        own |= {name: list(vars(module)[name].values()) for name in _HOOKS if vars(module).get(name)}
        own |= {name: module.get_buffer(name) for name in module._non_persistent_buffers_set}  # no file has those
        return f"{self(type(module))}({', '.join(self._named(own))})"

    def _whole_module(self, module: nn.Module) -> str:
        """A module that is part of something: with the values of its tensors, unless they are trained."""
        parts = [f"{name or 'module'}: {self.of_module(part)}" for name, part in module.named_modules()]
        tensors = [*module.named_parameters(), *module.named_buffers()]
        return "; ".join(parts + [f"{name}: {self._tensor(value)}" for name, value in tensors])


def _published(value: Any) -> str | None:
    """The name of a function or class that torch, vaecourse, Python or an installed package holds; else None."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not (isinstance(module, str) and isinstance(name, str) and isinstance(value, type | types.FunctionType)):
        return None
    package = module.partition(".")[0]
    found: Any = sys.modules.get(module)
    version = ""
    if package not in ("vaecourse", "torch") and package not in sys.stdlib_module_names:
        root = sys.modules.get(package)
        if not {"site-packages", "dist-packages"} & set(Path(getattr(root, "__file__", None) or "").parts):
            return None
        version = f" {getattr(root, '__version__', '')}".rstrip()
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}.{name}{version}" if found is value else None


def _functions(member: Any) -> list[types.FunctionType]:
    """The functions in a member of a class: a method, what a decorator has made of it, those of a property."""
    if isinstance(member, types.FunctionType):
        return [member]
    parts = [getattr(member, name, None) for name in ("__func__", "fget", "fset", "func")]
    return [part for part in parts if isinstance(part, types.FunctionType)]
