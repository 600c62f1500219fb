"""The command group `vaecourse data`: what it prints, and how it ends when something is wrong."""

import pytest
from click.testing import CliRunner
from loopback import flip

from vaecourse import data
from vaecourse.data.registry import registry
from vaecourse.publish.cli import app

IMAGES = "train-images-idx3-ubyte.gz"


def run(*arguments):
    """Exit code, standard output and standard error of `vaecourse data ...`."""
    result = CliRunner().invoke(app, ["data", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_list_names_every_set_and_its_state(small_mnist, small_faces, empty_cache):
    def states():
        code, out, _ = run("list")
        assert code == 0
        return {name: line.split("  ", 1)[1].strip() for name, line in zip(data.names(), out.splitlines())}

    assert [line.split()[0] for line in run("list")[1].splitlines()] == data.names()
    before = states()
    assert before["digits"].startswith("embedded") and before["cifar10"].split()[:4] == ["not", "here", "170.1", "MB"]
    assert all(registry()[name].licence in line for name, line in before.items())
    (empty_cache / "mnist").mkdir(parents=True)
    (empty_cache / "mnist" / IMAGES).write_bytes(small_mnist[IMAGES])
    (empty_cache / "frey_rawface.mat").write_bytes(small_faces)
    assert states()["mnist"].startswith("partly here") and states()["freyfaces"].startswith("unverified")
    (empty_cache / "mnist" / IMAGES).write_bytes(b"")
    assert states()["mnist"].startswith("damaged")


def test_get_fetches_and_names_the_files(small_mnist, served, empty_cache):
    served("mnist", small_mnist, "status:503", "good")
    code, out, _ = run("get", "mnist")
    assert code == 0 and out.splitlines() == [str(empty_cache / "mnist" / file) for file in small_mnist]
    assert run("get", "digits")[:2] == (0, "digits is embedded: there is nothing to fetch.\n")


def test_get_of_a_damaged_file_says_so_in_one_line(small_mnist, served, empty_cache):
    served("mnist", small_mnist, "good")
    run("get", "mnist")
    (empty_cache / "mnist" / IMAGES).write_bytes(flip(small_mnist[IMAGES], 777))
    code, _, err = run("get", "mnist")
    assert code == 0 and f"{empty_cache / 'mnist' / IMAGES} is damaged: it is fetched again\n" in err
    assert "UserWarning" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["get", "mnits"], 2, "name must be one of digits, patches, mnist"),
        (["get", "mnist"], 1, "mnist could not be downloaded"),
        (["get", "freyfaces"], 2, "needs your consent"),
        (["add", "digits", "--from", "."], 2, "digits is embedded"),
        (["add", "mnist", "--from", "."], 2, "lacks train-images"),
        (["verify", "mnits"], 2, "name must be one of"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    small_mnist, small_faces, served, tmp_path, monkeypatch, arguments, code, sentence
):
    monkeypatch.chdir(tmp_path)
    served("mnist", small_mnist, "status:404")
    found, out, err = run(*arguments)
    assert found == code and sentence in err and out == ""
    assert "Traceback" not in err and err.count("\n") == 1 and err.endswith(".\n")


def test_verify(small_mnist, served, empty_cache):
    assert run("verify") == (0, "No file of a data set has been downloaded yet: there is nothing to verify.\n", "")
    code, out, _ = run("verify", "mnist", "digits")
    assert code == 1 and out.count("missing    mnist: ") == 4 and "embedded   digits" in out
    served("mnist", small_mnist, "good")
    run("get", "mnist")
    assert run("verify")[0] == run("verify", "mnist")[0] == 0
    assert run("verify")[1].count("intact") == 4
    (empty_cache / "mnist" / IMAGES).write_bytes(flip(small_mnist[IMAGES], 777))
    code, out, _ = run("verify")
    assert code == 1 and f"damaged    {empty_cache / 'mnist' / IMAGES}" in out and out.count("intact") == 3


def test_add_takes_a_file_without_checksum_by_consent(small_faces, empty_cache, tmp_path):
    (tmp_path / "frey_rawface.mat").write_bytes(small_faces)
    assert run("add", "freyfaces", "--from", tmp_path)[0] == 2
    code, out, _ = run("add", "freyfaces", "--from", tmp_path, "--accept-unverified")
    assert code == 0 and out == f"{empty_cache / 'freyfaces' / 'frey_rawface.mat'}\n"
    assert len(data.load("freyfaces")) == 20
