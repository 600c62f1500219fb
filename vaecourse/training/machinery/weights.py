"""Files of tensors: written whole or not at all, checked bit by bit when read, and never a pickle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from vaecourse.files import kind, write_whole


def save_checkpoint(model: nn.Module, path: str | Path, **notes) -> None:
    """Write a model's parameters and some notes, as safetensors; the file appears whole or not at all.

    Args:
        model: whose state is written; shared tensors are written once.
        path: the file.
        notes: anything JSON can hold, such as ``num_epochs=20``.

    Raises:
        OSError: the file cannot be written; one that was there before is intact.
    """
    write(Path(path), dict(model.state_dict()), notes)


def load_checkpoint(model: nn.Module, path: str | Path) -> dict:
    """Read parameters written by :func:`save_checkpoint` into a model of the same architecture.

    Args:
        model: changed only if everything fits.
        path: the file.

    Returns:
        The notes.

    Raises:
        ValueError: the file is no checkpoint, is damaged, or belongs to another architecture.
    """
    stored, notes = read(Path(path))
    if difference := mismatch(dict(model.state_dict()), stored):
        raise ValueError(f"{path} holds another architecture: it differs at {difference}")
    model.load_state_dict(stored)
    return notes


def mismatch(own: dict[str, Tensor], stored: dict[str, Tensor]) -> str:
    """Up to three names at which two states differ in shape, or at which only one of them has a tensor; else empty."""
    shapes = {name: value.shape for name, value in own.items()}, {name: value.shape for name, value in stored.items()}
    names = [name for name in [*own, *(stored.keys() - own.keys())] if shapes[0].get(name) != shapes[1].get(name)]
    for name, first in shared(own).items():  # one tensor cannot take two values
        if name in stored and first in stored and not stored[name].equal(stored[first]):
            names.append(name)
    return ", ".join(names[:3])


def write(path: Path, tensors: dict[str, Tensor], notes: dict[str, Any]) -> None:
    """Write named tensors and notes (anything JSON can hold) into one file.

    Raises:
        OSError: the file cannot be written; one that was there before is intact.
    """
    same = shared(tensors)
    stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items() if name not in same}
    text = json.dumps({"notes": notes, "shared": same}, default=_number)
    write_whole(path, save(stored, metadata={"text": text, "sha256": _digest(stored, text)}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write` wrote.

    Raises:
        ValueError: there is no such file, it is of another kind, or a bit of it has changed.
    """
    try:
        if (found := kind(path)) != "a file":  # to open a FIFO would be to wait for it
            raise OSError("there is no such file" if found is None else f"it is {found}")
        content = path.read_bytes()  # once, or what is replaced in between would be half the old and half the new one
        stored, metadata = load(content), _metadata(content)
    except (SafetensorError, OSError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as a checkpoint: {error}") from error
    if metadata.get("sha256") != _digest(stored, metadata.get("text", "")):
        raise ValueError(f"{path} is damaged or was not written by vaecourse: its checksum is wrong")
    try:
        content = json.loads(metadata["text"])
        notes = content["notes"]
        if not isinstance(notes, dict):
            raise TypeError(f"its notes are of type {type(notes).__name__}")
        return stored | {name: stored[first] for name, first in content["shared"].items()}, notes
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} was not written by vaecourse: its content is of another form ({error!r})") from error


def _metadata(content: bytes) -> dict[str, str]:
    """The texts in the head of a safetensors file, which begins with the length of its head."""
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]).get("__metadata__") or {}


def _number(value: Any) -> bool | int | float:
    """For JSON, the number that an array or a tensor without dimensions holds."""
    if getattr(value, "ndim", None) == 0:
        return value.item()
    raise TypeError(f"notes must be such as JSON can hold, and have a {type(value).__name__}")


def shared(tensors: dict[str, Tensor]) -> dict[str, str]:
    """Names of tensors that are the memory of an earlier one, with its name."""
    first, shared = {}, {}
    for name, value in tensors.items():
        memory = value.data_ptr(), value.dtype, value.shape, value.stride()
        if value.numel() and memory in first:
            shared[name] = first[memory]
        first.setdefault(memory, name)
    return shared


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    """SHA-256 of names, types, shapes, values and notes: safetensors itself would read a flipped bit as a number."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name].contiguous()
        digest.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
