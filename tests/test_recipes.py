"""The recipes of CONTRIBUTING.md, followed to the letter: their code is run from the page."""

import re
import textwrap
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

import bijectors
import cases
import numpy as np
import pytest
import test_data
import test_data_parsers
import test_devices
import test_distributions
import test_estimators
import test_flows
import test_mcmc
import test_mcmc_checks
import test_priors
import torch
from loopback import described, idx

from vaecourse import data, estimators, priors
from vaecourse.data import parsers
from vaecourse.data.registry import read_entries, registry
from vaecourse.flows import bijector
from vaecourse.mcmc import geweke, langevin

PAGE = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")


def scope_of(module, **more) -> dict:
    """The names of a file, in which the code of a recipe is run as if it stood there."""
    return {**vars(module), **more}


def blocks(section: str, language: str) -> list[str]:
    """The code blocks of a section of the page, in one language."""
    text = re.search(rf"^## {section}\n(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)[1]
    return [
        textwrap.dedent(code) for code in re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    ]


@pytest.fixture
def runes(monkeypatch):
    """Steps 1 and 2: the entry and its parser, as if they stood in their files."""
    (entry,) = read_entries(*blocks("Add a data set in four steps", "toml")).values()
    scope = dict(vars(parsers))
    parser, _ = blocks("Add a data set in four steps", "python")
    exec(parser, scope)
    monkeypatch.setitem(registry(), "runes", entry)
    monkeypatch.setitem(parsers.PARSERS, "runes", scope["runes"])
    return entry


def test_the_data_set_of_the_recipe_has_a_sound_entry(runes):
    test_data.test_an_entry_is_sound("runes")
    test_data.test_every_set_has_a_parser_and_every_parser_a_set()


def test_the_test_of_the_recipe_passes_and_can_fail(runes, tmp_path, monkeypatch):
    _, code = blocks("Add a data set in four steps", "python")
    scope = dict(vars(test_data_parsers))
    exec(code, scope)
    scope["test_runes_are_rows_from_the_top"](tmp_path)
    whole = parsers.PARSERS["runes"]

    def by_columns(files):
        x, y = whole(files)["train"]
        return {"train": parsers.Arrays(x.reshape(-1, 16, 16).transpose(0, 2, 1).reshape(-1, 256), y)}

    monkeypatch.setitem(parsers.PARSERS, "runes", by_columns)
    with pytest.raises(AssertionError):
        scope["test_runes_are_rows_from_the_top"](tmp_path)


def test_the_data_set_of_the_recipe_is_downloaded_and_loaded(runes, empty_cache, served, monkeypatch):
    """From made-up files of the stated shape, whose checksums take the place of the page's."""
    images = np.random.default_rng(0).integers(0, 256, (1000, 16, 16))
    contents = dict(zip(runes.files, (idx(images), idx(np.arange(1000) % 24))))
    monkeypatch.setitem(registry(), "runes", replace(runes, files=described(contents, with_content=False)))
    served("runes", contents, "good")
    sizes = {split: len(data.load("runes", split)) for split in ("train", "valid", "test")}
    assert sizes == runes.splits and sorted(path.name for path in (empty_cache / "runes").glob("*.gz")) == sorted(
        contents
    )
    part = data.load("runes", "valid")
    assert part.protocol == "integer" and part.with_labels().batch().y.shape == (100, 24)
    assert (part.y.bincount(minlength=24) - 100 / 24).abs().max() <= 2


# ------------------------------------------------------------------------------------------------ a prior


def test_the_prior_of_the_recipe(monkeypatch):
    prior, line, test = blocks("Add a prior in four steps", "python")
    scope = scope_of(priors)
    exec(prior, scope)
    (made,) = eval("{" + line + "}", scope | {"dim": 2}).values()
    monkeypatch.setitem(test_distributions.SLOTS, "StudentT", cases.Slot(made[0].double(), *made[1:]))
    test_distributions.test_density_sums_to_one("StudentT")
    test_distributions.test_samples_follow_the_density("StudentT")
    exec(test, scope := scope_of(test_priors, StudentT=scope["StudentT"]))
    scope["test_student_t_has_the_tails_of_its_degrees_of_freedom"]()


# ------------------------------------------------------------------------------------------------ a bijector


@pytest.mark.parametrize("trained", [False, True])
def test_the_bijector_of_the_recipe(trained):
    code, line = blocks("Add a bijector in three steps", "python")
    scope = scope_of(bijector, torch=torch)
    exec(code, scope)
    ((made, *context),) = eval("{" + line + "}", scope | {"dim": 2}).values()
    case = bijectors.Case(made.double(), *context)
    case = test_flows.perturbed(case) if trained else case
    for check in (
        test_flows.test_log_det_is_that_of_the_jacobian,
        test_flows.test_inverse_leads_back,
        test_flows.test_samples_and_batch_dimensions_are_mapped_one_by_one,
        test_flows.test_single_precision_agrees_with_double,
        test_flows.test_flow_integrates_to_one_and_scores_its_own_samples,
        test_flows.test_path_density_is_that_of_the_frozen_inverse,
    ):
        check(case)


# ------------------------------------------------------------------------------------------------ an estimator


def test_the_estimator_of_the_recipe(monkeypatch):
    code, test = blocks("Add an estimator in three steps", "python")
    scope = scope_of(import_module("vaecourse.estimators.pathwise"), torch=torch)
    exec(code, scope)
    monkeypatch.setitem(test_estimators.REPARAMETERISED, "antithetic", scope["antithetic"])
    monkeypatch.setitem(test_estimators.ESTIMATORS, "antithetic", scope["antithetic"])
    for check in (
        test_estimators.test_discrete_q_is_refused,
        test_estimators.test_no_samples_are_refused,
        test_estimators.test_posterior_is_called_once,
    ):
        check("antithetic")
    test_estimators.test_gradient_against_the_closed_form("antithetic", "diagonal")
    monkeypatch.setattr(estimators, "antithetic", scope["antithetic"], raising=False)
    monkeypatch.setitem(test_devices.ESTIMATORS, "antithetic", ("neural", {}))
    test_devices.test_estimator("antithetic")
    exec(test, scope := scope_of(test_estimators, antithetic=scope["antithetic"]))
    scope["test_opposite_noise_cancels_what_is_odd"]()


# ------------------------------------------------------------------------------------------------ a kernel


def test_the_kernel_of_the_recipe(monkeypatch):
    code, line = blocks("Add a kernel in three steps", "python")
    scope = scope_of(langevin, F=torch.nn.functional)
    exec(code, scope)
    ((name, make),) = eval("{" + line + "}", scope | {"dim": 2}).items()
    monkeypatch.setitem(test_mcmc.KERNELS, name, make)
    test_mcmc.test_moments_of_a_correlated_gaussian(name)
    test_mcmc.test_a_density_in_one_dimension_against_quadrature(name)
    test_mcmc.test_each_position_belongs_to_its_info(name)
    test_devices.test_kernel(scope["barker"])
    transition = test_mcmc_checks.curved(partial(scope["barker"], step_size=0.8))
    torch.manual_seed(0)
    assert geweke(*test_mcmc_checks.CURVED, transition, num_chains=5000).p_value > test_mcmc_checks.PASSES
