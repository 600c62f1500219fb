"""Checks of exercises: an answer is held against the right one, and each mistake that is known has its own sentence."""

import os
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

Answer = Tensor | float | int | bool


def inputs(exercise: str) -> torch.Generator:
    """The random generator from which the check of an exercise draws its inputs.

    Its seed is the exercise's own, so that a check neither depends on what ran before nor disturbs what follows. The
    environment variable ``VAECOURSE_CHECK_SEED`` (default 0) chooses other inputs: a teacher can hold the same answer
    against numbers that its author has not seen.

    Args:
        exercise: its number, such as ``"8.1"``.

    Example:
        >>> torch.equal(torch.rand(3, generator=inputs("8.1")), torch.rand(3, generator=inputs("8.1")))
        True
    """
    seed = os.environ.get("VAECOURSE_CHECK_SEED", "0")
    return torch.Generator().manual_seed(zlib.crc32(f"{exercise} {seed}".encode()))


def check(
    answer: Any,
    right: Answer,
    mistakes: Mapping[str, Answer] | None = None,
    *,
    name: str = "your answer",
    shape: str = "",
    within: Answer | None = None,
) -> None:
    """Accept an answer, or say in one sentence what is wrong with it.

    Half of the digits of the answer's dtype must agree, relative to the largest entry: an answer computed in float32
    is as good as one in float64.

    Args:
        answer: what a reader's function returned.
        right: the right answer, a tensor or a number.
        mistakes: sentence to the answer that this mistake gives, of any shape; one that happens to equal the right
            answer on these inputs is passed over.
        name: what the answer is called in the sentences.
        shape: what to add where the shape is wrong, such as "one number per datum: sum over the latents".
        within: the largest difference that is accepted, in place of half the digits: several standard errors of an
            answer that holds noise.

    Raises:
        AssertionError: with the sentence.
    """
    assert answer is not None, f"{name} is None: is a return missing?"
    assert isinstance(answer, (Tensor, float, int)), (
        f"{name} is of type {type(answer).__name__}, where {_described(right)} is wanted"
    )
    for sentence, mistaken in (mistakes or {}).items():
        if not _agree(mistaken, right, within) and _agree(answer, mistaken, within):
            raise AssertionError(sentence)
    given, wanted = torch.as_tensor(answer).detach(), torch.as_tensor(right).detach()
    assert given.shape == wanted.shape, (
        f"{name} has shape {tuple(given.shape)}, where {tuple(wanted.shape)} is wanted{': ' * bool(shape)}{shape}"
    )
    wild = ~torch.isfinite(given) & torch.isfinite(wanted)
    assert not wild.any(), f"{name} is NaN or infinite in {int(wild.sum())} of {given.numel()} entries"
    if not _agree(given, wanted, within):
        assert _agree(-wanted, wanted, within) or not _agree(given, -wanted, within), (
            f"{name} has the right size and the wrong sign"
        )
        given, wanted = given.cpu().double(), wanted.cpu().double()
        worst = (given - wanted).abs().nan_to_num(0).argmax()  # the same infinity twice is no difference
        index = tuple(int(k) for k in torch.unravel_index(worst, given.shape))
        where = f" at index {index if len(index) > 1 else index[0]}" if index else ""
        raise AssertionError(
            f"{name} is {given.flatten()[worst]:.6g}{where}, where {wanted.flatten()[worst]:.6g} is right"
        )


def refusal(test: Callable[..., Any], *subject: Any) -> str | None:
    """Why a reader's test refuses its subject, or None where it passes it.

    A test refuses by raising whatever it likes (an AssertionError, ``torch.autograd.gradcheck``'s own error), or by
    returning False.

    Args:
        test: what the reader wrote.
        subject: what it is called with.
    """
    try:
        verdict = test(*subject)
    except NotImplementedError:
        raise  # the stub: nothing has been written yet
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    refused = verdict is not None and not bool(verdict)
    return "it returned False" if refused else None


def _agree(one: Answer, other: Answer, within: Answer | None) -> bool:
    """Whether two answers have the same shape, and the same entries up to half the digits or ``within``."""
    one, other = torch.as_tensor(one).detach().cpu(), torch.as_tensor(other).detach().cpu()
    if one.shape != other.shape:
        return False
    if within is None:
        floats = [x.dtype for x in (one, other) if x.is_floating_point()] or [torch.float64]
        digits = max(torch.finfo(dtype).eps for dtype in floats) ** 0.5
        finite = other.double()[torch.isfinite(other)]
        within = digits * max(finite.abs().max().item() if finite.numel() else 0.0, 1e-300)
    one, other = one.double(), other.double()
    close = (one - other).abs() <= torch.as_tensor(within).detach().cpu().double()
    return bool((close | (one == other) | (one.isnan() & other.isnan())).all())


def _described(right: Answer) -> str:
    """What is wanted, in words."""
    tensor = torch.as_tensor(right)
    return f"a tensor of shape {tuple(tensor.shape)}" if tensor.dim() else "a number"
