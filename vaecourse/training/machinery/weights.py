"""Files of tensors: written whole or not at all, checked bit by bit when read, and never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn


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
    for name, first in _shared(own).items():  # one tensor cannot take two values
        if name in stored and first in stored and not stored[name].equal(stored[first]):
            names.append(name)
    return ", ".join(names[:3])


def write(path: Path, tensors: dict[str, Tensor], notes: dict[str, Any]) -> None:
    """Write named tensors and notes (anything JSON can hold) into one file.

    Raises:
        OSError: the file cannot be written; one that was there before is intact.
    """
    shared = _shared(tensors)
    stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items() if name not in shared}
    text = json.dumps({"notes": notes, "shared": shared})
    content = save(stored, metadata={"text": text, "sha256": _digest(stored, text)})
    temporary = path.with_name(f".{path.name}.part")  # one name: what a killed process leaves, the next one replaces
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        before = "the one before is intact" if path.is_file() else "there was none before"
        raise OSError(error.errno, f"cannot be written ({error.strerror}); {before}", str(path)) from error
    finally:
        if temporary.is_file():
            temporary.unlink()


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write` wrote.

    Raises:
        ValueError: there is no such file, it is of another kind, or a bit of it has changed.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            stored = {name: file.get_tensor(name) for name in file.keys()}
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} cannot be read as a checkpoint: {error}") from error
    if metadata.get("sha256") != _digest(stored, metadata.get("text", "")):
        raise ValueError(f"{path} is damaged or was not written by vaecourse: its checksum is wrong")
    content = json.loads(metadata["text"])
    return stored | {name: stored[first] for name, first in content["shared"].items()}, content["notes"]


def _shared(tensors: dict[str, Tensor]) -> dict[str, str]:
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
