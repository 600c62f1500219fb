"""What a check of an exercise accepts, and what it says."""

import math

import pytest
import torch

from vaecourse.checks import check, inputs, refusal

RIGHT = torch.tensor([1.0, -2.0, 3e4], dtype=torch.float64)


def said(answer, *arguments, **settings):
    with pytest.raises(AssertionError) as error:
        check(answer, *arguments, **settings)
    return str(error.value)


@pytest.mark.parametrize("answer", [RIGHT, RIGHT.float(), RIGHT.clone().requires_grad_(), RIGHT * (1 + 1e-9)])
def test_right_answers_pass_in_either_precision(answer):
    check(answer, RIGHT)


def test_half_the_digits_of_the_dtype_must_agree():
    """1e-6 is rounding in float32 (whose half is 3e-4), and a mistake in float64 (1.5e-8)."""
    check((RIGHT * (1 + 1e-6)).float(), RIGHT)
    assert "is 30000" in said(RIGHT * (1 + 1e-6), RIGHT)
    assert said((RIGHT * (1 + 1e-3)).float(), RIGHT)


@pytest.mark.parametrize(
    "answer, fragment",
    [
        (None, "kl is None: is a return missing?"),
        ("nine", "kl is of type str, where a tensor of shape (3,) is wanted"),
        (RIGHT[:2], "kl has shape (2,), where (3,) is wanted: one per datum"),
        (RIGHT / 0, "kl is NaN or infinite in 3 of 3 entries"),
        (-RIGHT, "kl has the right size and the wrong sign"),
        (RIGHT + torch.tensor([0, 0.5, 0]), "kl is -1.5 at index 1, where -2 is right"),
    ],
)
def test_each_fault_has_its_sentence(answer, fragment):
    assert fragment in said(answer, RIGHT, name="kl", shape="one per datum")


def test_numbers_and_infinities():
    check(0.25, 0.25)
    check(float("-inf"), -math.inf)
    check(3, 3.0)
    check(True, True)
    assert "is 0.5, where 0.25 is right" in said(0.5, 0.25)
    assert "NaN or infinite" in said(math.inf, 1.0)
    assert "is 1 at index" not in said(1.0, -math.inf)


def test_mistakes_come_first_whatever_their_shape():
    mistakes = {"averaged over the data": RIGHT.mean(), "half of it": RIGHT / 2}
    assert said(RIGHT.mean(), RIGHT, mistakes) == "averaged over the data"
    assert said(RIGHT.float() / 2, RIGHT, mistakes) == "half of it"


def test_a_mistake_that_happens_to_be_right_is_no_mistake():
    check(RIGHT, RIGHT, {"forgot the constant": RIGHT + 0.0})


def test_noise_is_allowed_where_it_is_announced():
    check(RIGHT + 0.1, RIGHT, within=0.2)
    check(RIGHT + 0.1, RIGHT, within=torch.tensor([0.2, 0.2, 0.2]))
    assert said(RIGHT + 0.3, RIGHT, within=0.2)
    assert said(RIGHT + 0.1, RIGHT, within=torch.tensor([0.2, 0.05, 0.2]))


def test_inputs_are_the_exercises_own(monkeypatch):
    first = torch.rand(3, generator=inputs("8.1"))
    torch.rand(5)
    assert torch.equal(first, torch.rand(3, generator=inputs("8.1")))
    assert not torch.equal(first, torch.rand(3, generator=inputs("8.2")))
    monkeypatch.setenv("VAECOURSE_CHECK_SEED", "1")
    assert not torch.equal(first, torch.rand(3, generator=inputs("8.1")))


def test_a_readers_test_may_refuse_in_any_way():
    def raising(x):
        torch.testing.assert_close(x, torch.zeros(1))

    def with_another_error(x):
        if x:
            raise RuntimeError("no gradient\nmore")

    assert refusal(raising, torch.ones(1)).startswith("AssertionError") and refusal(raising, torch.zeros(1)) is None
    assert refusal(with_another_error, 1) == "RuntimeError: no gradient" and refusal(with_another_error, 0) is None
    assert refusal(lambda x: x > 0, -1) == "it returned False" and refusal(lambda x: x > 0, 1) is None
    assert refusal(lambda: torch.tensor(False)) and refusal(lambda: torch.tensor(True)) is None


def test_a_stub_is_not_a_refusal():
    def stub():
        raise NotImplementedError("Exercise 1.1")

    with pytest.raises(NotImplementedError):
        refusal(stub)
