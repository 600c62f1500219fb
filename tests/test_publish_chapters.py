"""Finding chapters, reading what their parameters allow, and refusing everything else before anything runs."""

import os
import signal
import subprocess
import sys

import nbformat
import pytest
from click.testing import CliRunner
from nbformat import v4

from vaecourse.publish import chapters
from vaecourse.publish.chapters import UsageError, all_chapters, find_chapter, read_parameters
from vaecourse.publish.cli import _chosen, app
from vaecourse.publish.commands import plain_errors

PARAMETERS = """\
tier = "quick"  # str, one of: quick, laptop, paper
seed = 0  # int, 0..1000000
num_epochs = None  # int, 1..10000, or None: the tier's own
learning_rate = 1e-3  # float, 1e-6..1: step of Adam
sigma = 0.5  # float, 0..
name = "digits"  # str
annealed = False  # bool: warm up the KL
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("02_em", "08_vae", "09a_information", "09b_bits_back"):
        cells = [v4.new_markdown_cell(f"# The chapter {name}"), v4.new_code_cell("x = 1")]
        if name == "08_vae":
            cells.insert(1, v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}))
        nbformat.write(v4.new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    (tmp_path / "notes.ipynb").write_text("no chapter")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    monkeypatch.setenv("VAECOURSE_CHAPTERS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_chapters_come_in_reading_order_and_other_notebooks_are_none(folder):
    assert [chapter.name for chapter in all_chapters()] == ["02_em", "08_vae", "09a_information", "09b_bits_back"]


@pytest.mark.parametrize("key", ["08", "8", "vae", "08_vae", "08_vae.ipynb", "chapters/08_vae.ipynb", "VAE"])
def test_a_chapter_answers_to_number_name_and_file(folder, key):
    assert find_chapter(key).name == "08_vae"


@pytest.mark.parametrize("key", ["09a", "9a", "9A", "information"])
def test_a_split_chapter_answers_to_its_letter(folder, key):
    assert find_chapter(key).name == "09a_information"


def test_an_ambiguous_or_unknown_key_lists_the_choices(folder):
    with pytest.raises(UsageError, match="choose one of 09a_information, 09b_bits_back"):
        find_chapter("9")
    with pytest.raises(UsageError, match="no chapter '7': the chapters are 02_em, 08_vae"):
        find_chapter("7")


def test_parameters_are_read_with_type_range_choices_and_none(folder):
    read = {p.name: p for p in read_parameters(PARAMETERS, "08_vae")}
    assert read["tier"].choices == ("quick", "laptop", "paper")
    assert (read["seed"].low, read["seed"].high, read["seed"].optional) == (0, 1000000, False)
    assert (read["num_epochs"].low, read["num_epochs"].high, read["num_epochs"].optional) == (1, 10000, True)
    assert (read["learning_rate"].low, read["learning_rate"].high) == (1e-6, 1.0)
    assert (read["sigma"].low, read["sigma"].high) == (0.0, None)
    assert [read[name].default for name in ("tier", "num_epochs", "annealed")] == ["quick", None, False]
    assert list(find_chapter("8").parameters) == list(read)
    assert find_chapter("2").parameters == {}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("seed", "7", 7),
        ("num_epochs", "None", None),
        ("num_epochs", "10000", 10000),
        ("learning_rate", "1", 1.0),
        ("sigma", "1e9", 1e9),
        ("name", "mnist", "mnist"),
        ("annealed", "true", True),
        ("tier", "paper", "paper"),
    ],
)
def test_allowed_values_are_parsed_to_their_type(folder, name, text, value):
    parsed = find_chapter("8").values([(name, text)])[name]
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("seed = 0", "seed wrongly: its comment must start with one of int, float, str, bool"),
        ("seed = 0  # integer, 0..5", "its comment must start with"),
        ("seed = 9  # int, 0..5", "seed = 9 is not allowed"),
        ("seed = None  # int, 0..5", "seed = None is not allowed"),
        ("seed = f(3)  # int, 0..5", "seed wrongly"),
    ],
)
def test_a_wrong_declaration_is_named(source, message):
    with pytest.raises(UsageError, match=message):
        read_parameters(source, "08_vae")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "7"], "there is no chapter '7': the chapters are 02_em, 08_vae, 09a_information, 09b_bits_back."),
        (["report"], "no chapter is named: the chapters are 02_em, 08_vae, 09a_information, 09b_bits_back."),
        (["report", "8", "--all"], "--all takes every chapter: name chapters or give --all, not both."),
        (["report", "2", "-p", "seed", "1"], "chapter 02_em has no parameter 'seed': it takes no parameters."),
        (
            ["report", "8", "-p", "epochs", "3"],
            "has no parameter 'epochs': it takes tier (one of quick, laptop, paper)",
        ),
        (["report", "8", "-p", "seed", "1.5"], "parameter seed = 1.5 is not allowed: it takes an integer from 0 to"),
        (["report", "8", "-p", "seed", "x"], "parameter seed = x is not allowed"),
        (["report", "8", "-p", "seed", "-1"], "parameter seed = -1 is not allowed"),
        (["report", "8", "-p", "seed", "9" * 400], "is not allowed"),
        (["report", "8", "-p", "seed", "1_0"], "parameter seed = 1_0 is not allowed: it takes an integer"),
        (["report", "8", "-p", "seed", "١٠"], "is not allowed: it takes an integer"),
        (["report", "8", "-p", "seed", " 1"], "is not allowed: it takes an integer"),
        (["report", "8", "-p", "sigma", "1_0.0"], "parameter sigma = 1_0.0 is not allowed"),
        (["report", ""], "there is no chapter '': the chapters are 02_em"),
        (["report", "8", "-p", "seed", "None"], "parameter seed = None is not allowed"),
        (["report", "8", "-p", "num_epochs", "0"], "it takes an integer from 1 to 10000, or None."),
        (["report", "8", "-p", "learning_rate", "nan"], "it takes a number from 1e-06 to 1."),
        (["report", "8", "-p", "sigma", "inf"], "it takes a number of at least 0.0."),
        (["report", "8", "-p", "annealed", "yes"], "it takes True or False."),
        (
            ["report", "8", "--tier", "huge"],
            "parameter tier = huge is not allowed: it takes one of quick, laptop, paper.",
        ),
        (["report", "8", "--tier", "quick", "-p", "tier", "paper"], "parameter tier is given twice"),
        (["report", "--all", "-p", "seed", "1"], "chapter 02_em has no parameter 'seed'"),
        (["chapters", "7"], "there is no chapter '7'"),
        (["student", "7", "--out", "copies"], "there is no chapter '7'"),
    ],
)
def test_refusals_are_one_sentence_and_nothing_is_run_or_written(folder, arguments, message):
    before = sorted(folder.iterdir())
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert sorted(folder.iterdir()) == before


def test_chapters_are_taken_in_reading_order_and_each_once(folder):
    chosen = _chosen(("9b", "vae", "8", "02_em"), every=False)
    assert [chapter.name for chapter in chosen] == ["02_em", "08_vae", "09b_bits_back"]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("No."), 2, "No.\n"),
        (OSError(28, "No space left"), 1, "command could not read or write: [Errno 28] No space left.\n"),
        (KeyboardInterrupt("in cell 3"), 130, "Stopped: in cell 3. What was complete before is untouched.\n"),
        (KeyboardInterrupt(), 130, "Stopped: interrupted. What was complete before is untouched.\n"),
    ],
)
def test_what_a_user_can_cause_is_a_sentence_and_an_exit_code(capsys, error, code, said):
    """And a polite request to stop is afterwards again what it was before."""

    @plain_errors
    def command():
        raise error

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        command()
    assert (stopped.value.code, capsys.readouterr().err) == (code, said)
    assert signal.getsignal(signal.SIGTERM) is before


CALL = """
import sys
from vaecourse.publish.commands import plain_errors
@plain_errors
def command():
    print(sys.argv[1])
command()
"""


def test_a_console_that_is_not_utf_8_gets_every_sentence():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", CALL, "in /häuser"], env=environment, capture_output=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, rb"in /h\xe4user", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_of_the_output_who_has_gone_is_no_disk_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", CALL, "unheard"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_folder_without_chapters_is_said_to_be_one(tmp_path, monkeypatch):
    monkeypatch.setenv("VAECOURSE_CHAPTERS", str(tmp_path))
    with pytest.raises(UsageError, match="no chapters in"):
        all_chapters()


NOT_NOTEBOOKS = {
    "cut off": '{"cells": [',
    "a list": "[]",
    "a later format": '{"cells": [], "metadata": {}, "nbformat": 5, "nbformat_minor": 0}',
    "cells that are none": '{"cells": [3], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    "empty": "",
}


@pytest.mark.parametrize("content", NOT_NOTEBOOKS.values(), ids=NOT_NOTEBOOKS)
def test_a_broken_notebook_is_named(folder, content):
    (folder / "02_em.ipynb").write_text(content, encoding="utf-8")
    result = CliRunner().invoke(app, ["report", "02"])
    assert result.exit_code == 2
    assert result.stderr.startswith("02_em.ipynb cannot be read as a notebook") and result.stderr.count("\n") == 1
    assert find_chapter("02").title == "02_em"  # where other chapters speak of it


@pytest.mark.skipif(sys.platform == "win32", reason="there are no FIFOs")
def test_a_fifo_is_not_waited_for(folder):
    (folder / "02_em.ipynb").unlink()
    os.mkfifo(folder / "02_em.ipynb")
    with pytest.raises(UsageError, match=r"02_em\.ipynb cannot be read as a notebook: it is a FIFO"):
        find_chapter("02").read()


@pytest.mark.parametrize("seconds", ["nan", "inf", "1_0", "0", "-1", "٣", "soon"])
def test_a_time_limit_is_a_number_above_0(folder, seconds):
    result = CliRunner().invoke(app, ["report", "02", "--timeout", seconds])
    assert result.exit_code == 2 and f"{seconds} is not a number above 0." in result.stderr
    assert not (folder / "reports").exists()


def test_a_seed_is_a_plain_integer(folder):
    result = CliRunner().invoke(app, ["seeds", "02", "--seed", "1_0", "--seed", "2"])
    assert result.exit_code == 2 and "1_0 is not an integer of at least 0." in result.stderr


def test_an_installed_package_finds_the_clone_that_it_is_called_in(tmp_path, monkeypatch):
    """From a wheel there is no folder beside the package."""
    monkeypatch.delenv("VAECOURSE_CHAPTERS", raising=False)
    monkeypatch.setattr(chapters, "__file__", str(tmp_path / "site-packages" / "vaecourse" / "publish" / "chapters.py"))
    clone = tmp_path / "clone"
    for folder in (clone / "chapters", clone / "tests"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(clone / "tests")
    with pytest.raises(UsageError, match="no chapters in"):
        all_chapters()
    nbformat.write(v4.new_notebook(), clone / "chapters" / "02_em.ipynb")
    assert [chapter.path for chapter in all_chapters()] == [clone / "chapters" / "02_em.ipynb"]


def test_help_and_refusals_do_not_load_pytorch():
    code = (
        "import sys; from vaecourse.publish import cli; print([m for m in ('torch', 'nbclient') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_figures_writes_every_stored_figure_with_its_texts(folder):
    picture = v4.new_output("display_data", data={"image/png": "aWltZw=="}, metadata={"image/png": {"alt": "a <dot>"}})
    caption = v4.new_output("display_data", data={"text/markdown": "**Figure 2.1.** A dot."})
    cell = v4.new_code_cell("show()", outputs=[picture, caption])
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# EM"), cell]), folder / "02_em.ipynb")
    result = CliRunner().invoke(app, ["figures", "--out", "sheet/figures.html"])
    assert result.exit_code == 0
    assert result.stdout.startswith("1 figures in ")
    page = (folder / "sheet" / "figures.html").read_text(encoding="utf-8")
    assert 'src="data:image/png;base64,aWltZw=="' in page
    assert "a &lt;dot&gt;" in page
    assert "Figure 2.1." in page
