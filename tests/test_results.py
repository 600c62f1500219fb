"""Results that are stored: of every seed file the chapter is the one it came from, and all assertions held."""

import json
from pathlib import Path

import pytest

from vaecourse.publish.chapters import Chapter
from vaecourse.publish.stamp import code_stamp
from vaecourse.results import at_tier, searched

ROOT = Path(__file__).parent.parent
SEEDS = sorted((ROOT / "results").glob("*.seeds.json"))
REPORTS = sorted(path for tier in ("laptop", "paper") for path in (ROOT / "results").glob(f"*.{tier}.json"))


def stored(path):
    return json.loads(path.read_text(encoding="utf-8"))


def stamp_of(name):
    return code_stamp(Chapter(ROOT / "chapters" / f"{name}.ipynb").read())


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_results_over_seeds_are_of_the_chapter_as_it_stands(path):
    content = stored(path)
    name = content["chapter"]
    assert content["code"] == stamp_of(name), f"{path.name} is stale: run `vaecourse seeds {name}`"
    assert len(content["seeds"]) >= 5 and not content["failures"]


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.stem)
def test_results_of_long_runs_say_what_they_are_of(path):
    """They take up to half an hour each, so that a stale one is named and not failed."""
    content = stored(path)
    name = content["chapter"]
    assert path.name == f"{name}.{content['tier']}.json" and content["records"] and content["versions"]["torch"]
    if content.get("code") != stamp_of(name):
        pytest.skip(
            f"{path.name} is stale: run `vaecourse report {name} --tier {content['tier']}` and store its metrics.json"
        )


def test_search_is_read_and_one_that_is_not_stored_is_named():
    priors = searched("13a_priors")
    assert [len(tried) >= 3 for of_prior in priors.values() for tried in of_prior.values()] == [True] * 15
    with pytest.raises(ValueError, match="chapter = 'nowhere' has no search"):
        searched("nowhere")


def test_records_of_a_larger_tier():
    path = ROOT / "results" / "16b_autoregressive_flows.laptop.json"
    assert at_tier("16b_autoregressive_flows", "excess_one") == stored(path)["records"]["excess_one"]["value"]
    for arguments in (("16b_autoregressive_flows", "nothing"), ("16b_autoregressive_flows", "excess_one", "paper")):
        with pytest.raises(ValueError, match=f"name = '{arguments[1]}' is not stored for 16b_autoregressive_flows"):
            at_tier(*arguments)
