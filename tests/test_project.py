"""What surrounds the package: one list of dependencies, versions that agree, commands in the pages that exist."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import click
import pytest
import torch
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from torch import nn

import vaecourse
from vaecourse import data
from vaecourse.likelihoods import Bernoulli
from vaecourse.model import LatentVariableModel
from vaecourse.posteriors import DiagonalGaussian
from vaecourse.priors import StandardNormal
from vaecourse.publish.chapters import all_chapters
from vaecourse.publish.cli import app

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "CONTRIBUTING.md")
MADE_PATHS = ("tests/rules/stored.py", "tests/test_")  # they hold paths that their rules and tests must catch


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def project() -> dict:
    return tomllib.loads(read("pyproject.toml"))["project"]


def requirements(lines) -> dict[str, Requirement]:
    return {canonicalize_name(requirement.name): requirement for requirement in map(Requirement, lines)}


def declared(*extras: str) -> dict[str, Requirement]:
    """What pyproject.toml asks for, extras that name other extras resolved."""
    found = requirements(project()["dependencies"])
    for extra in extras:
        for name, requirement in requirements(project()["optional-dependencies"][extra]).items():
            found |= declared(*requirement.extras) if name == "vaecourse" else {name: requirement}
    return found


def pins() -> dict[str, str]:
    """The versions of constraints.txt, each an exact one of a public release."""
    lines = [line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")]
    found = {}
    for line in lines:
        match = re.fullmatch(r"([a-z0-9-]+)==([0-9][0-9a-z.]*)", line)
        assert match, f"constraints.txt: {line!r} is not name==version in canonical form"
        assert match[1] not in found, f"constraints.txt fixes {match[1]} twice"
        found[match[1]] = match[2]
    return found


def installed_with(name: str, extras: frozenset[str] = frozenset(), seen=None) -> set[str]:
    """Everything that installing a package with extras brings along in this environment."""
    seen = set() if seen is None else seen
    if (name, extras) in seen:
        return set()
    seen.add((name, extras))
    found = {name}
    for text in distribution(name).requires or []:
        requirement = Requirement(text)
        if any(not requirement.marker or requirement.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            found |= installed_with(canonicalize_name(requirement.name), frozenset(requirement.extras), seen)
    return found


def imported_packages(path: Path) -> set[str]:
    """The top-level modules that a file imports, those of the standard library left out."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"vaecourse"}


# ------------------------------------------------------------------------------------------------ dependencies


def test_constraints_allow_what_is_declared():
    for name, requirement in declared("dev").items():
        assert name in pins(), f"constraints.txt does not fix {name}"
        assert requirement.specifier.contains(pins()[name]), f"{requirement} excludes the fixed {pins()[name]}"


def test_constraints_fix_all_that_is_installed():
    """But for what belongs to one kind of accelerator, which comes with PyTorch and at its exact versions."""
    of_pytorch = re.compile(r"nvidia-|cuda-|triton|rocm|intel-")
    free = {name for name in installed_with("vaecourse", frozenset({"dev"})) if not of_pytorch.match(name)}
    assert free - {"vaecourse"} <= set(pins())


def test_constraints_name_no_build_of_pytorch():
    assert not re.search(r"^(nvidia|cuda|triton)", read("constraints.txt"), re.MULTILINE)
    assert "+" not in pins()["torch"]


@pytest.mark.parametrize(("folder", "extras"), [("vaecourse", ("classroom",)), ("tests", ("dev",))])
def test_imports_are_declared(folder, extras):
    known = declared(*extras)
    owners = packages_distributions()
    own = {path.stem for path in (ROOT / "tests").iterdir()} if folder == "tests" else set()
    for path in (ROOT / folder).rglob("*.py"):
        for name in imported_packages(path) - own:
            packages = {canonicalize_name(owner) for owner in owners.get(name, [name])}
            assert packages & set(known), f"{path.relative_to(ROOT)} imports {name}, which pyproject.toml does not list"


def test_conda_installs_what_make_does():
    environment = yaml.safe_load(read("environment.yml"))
    *others, pip = environment["dependencies"]
    assert others == [f"python {project()['requires-python']}", "pip"]
    (by_make,) = re.findall(r"pip install (.*\[dev\].*)", read("Makefile"))
    assert shlex.split(" ".join(pip["pip"])) == shlex.split(by_make)


# ------------------------------------------------------------------------------------------------ agreement


def test_versions_agree():
    assert yaml.safe_load(read("CITATION.cff"))["version"] == project()["version"]
    assert vaecourse.__version__ == project()["version"], "the installed package is older: install it again"
    assert project()["version"] in re.search(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)[1]


def test_supported_pythons_agree():
    """In pyproject.toml (range and classifiers), in what make accepts and says, and in the README."""
    supported = Requirement("python" + project()["requires-python"]).specifier
    minors = [minor for minor in range(40) if supported.contains(f"3.{minor}.0")]
    assert minors == list(range(minors[0], minors[-1] + 1))
    listed = re.findall(r"Python :: 3\.(\d+)", " ".join(project()["classifiers"]))
    assert list(map(int, listed)) == minors
    assert f"(3, {minors[0]}) <= sys.version_info[:2] <= (3, {minors[-1]})" in read("Makefile")
    for page in ("Makefile", "README.md", "constraints.txt"):
        assert f"Python 3.{minors[0]} to 3.{minors[-1]}" in read(page)


def test_licences_are_there():
    assert "MIT License" in read("LICENSE") and "CC BY 4.0" in read("LICENSE")
    for pattern in project()["license-files"]:
        assert (ROOT / pattern).stat().st_size > 1000
    assert "Apache License" in read("vaecourse/publish/assets/mathjax/LICENSE")


def test_readme_lists_the_chapters():
    listed = re.findall(r"^\| (\w+) \| \[[^]]+\]\(chapters/(\w+)\.ipynb\)", read("README.md"), re.MULTILINE)
    assert listed == [(chapter.number, chapter.name) for chapter in all_chapters()]


# ------------------------------------------------------------------------------------------------ the pages' commands


def commands(page: str) -> list[list[str]]:
    """Every command line of a page, from its shell blocks and from inline code, without comments and assignments."""
    text = read(page)
    blocks = re.findall(r"^ *```(?:sh|bat)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", prose)
    found = []
    for line in lines:
        line = re.sub(r"\.venv[\\/](Scripts|bin)[\\/]", "", line)
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # inline code that is no command
            continue
        while words and re.match(r"[A-Z_]+=", words[0]):
            words.pop(0)
        if words[:2] == ["python", "-m"]:
            words = words[2:]
        if words:
            found.append(words)
    return found


COMMANDS = [(page, words) for page in PAGES for words in commands(page)]


def test_pages_name_the_two_commands():
    assert ["make", "report"] in commands("README.md") and ["make", "test"] in commands("README.md")
    assert ["vaecourse", "report", "08"] in commands("README.md")


def test_make_targets_of_the_pages_exist():
    targets = set(re.search(r"^\.PHONY: (.+)$", read("Makefile"), re.MULTILINE)[1].split())
    used = {words[1] for _, words in COMMANDS if words[0] == "make" and len(words) > 1}
    assert used and used <= targets
    assert targets - {"help"} == set(re.findall(r"echo 'make (\w+)", read("Makefile"))), "make help lists every target"


def test_course_commands_of_the_pages_exist():
    """Each is parsed by the command line itself, short of running."""
    used = [(page, words[1:]) for page, words in COMMANDS if words[0] == "vaecourse" and len(words) > 1]
    assert len(used) > 5
    for page, words in used:
        if "--help" in words:
            words = [word for word in words if word != "--help"]
        command = app.commands.get(words[0])
        assert command is not None, f"{page}: there is no command {words[0]}"
        try:
            command.make_context(words[0], words[1:])
        except click.UsageError as error:
            pytest.fail(f"{page}: {' '.join(words)}: {error.format_message()}")


def test_parameters_in_the_readme_exist():
    """``-p NAME VALUE`` and ``--tier`` in an example are taken by the chapter that it names."""
    for words in (words for page, words in COMMANDS if words[:2] == ["vaecourse", "report"]):
        arguments = app.commands["report"].make_context("report", [w for w in words[2:] if w != "--help"]).params
        for chapter in [c for c in all_chapters() if c.number in arguments["keys"]]:
            tier = (("tier", arguments["tier"]),) if arguments["tier"] else ()
            chapter.values([*arguments["given"], *tier])


def test_tests_by_hand_are_those_of_make():
    """What the README says to type where there is no make, against the recipes of ``make test``."""
    recipes = re.findall(r"^\t\$\(RUN\) -m (pytest .*|ruff check .*)$", read("Makefile"), re.MULTILINE)
    assert len(recipes) == 3
    for recipe in recipes:
        assert shlex.split(recipe) in commands("README.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_of_the_pages_lead_somewhere(page):
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", read(page)) if "://" not in target]
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), f"{page} links {target}, which is not there"


# ------------------------------------------------------------------------------------------------ what is tracked


def tracked_texts():
    """Name and text of every tracked file but those that others made."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if "assets/mathjax/" in name or not path.is_file() or path.suffix in (".safetensors", ".png"):
            continue
        yield name, path.read_text(encoding="utf-8")


def test_tracked_files_name_no_machine():
    """No path of somebody's computer, no registry of packages; the README may name PyTorch's own index."""
    own_path = re.compile(r"(?<![\w.:/])/(?:home|Users|root|tmp|work)/\w|\b[A-Z]:\\{1,2}Users")
    registry = re.compile(r"pypi\.org|pythonhosted\.org|conda\.anaconda\.org|registry\.npmjs|download\.pytorch\.org")
    for name, text in tracked_texts():
        found = None if name.startswith(MADE_PATHS) else own_path.search(text)
        assert not found, f"{name} holds the path {found[0]}"
        if found := registry.search(text):
            assert name == "README.md" and found[0].startswith("download."), f"{name} names {found[0]}"


def test_the_readmes_snippets_run(tmp_path, monkeypatch):
    """One after the other, with data and a model of the reader's own; one epoch stands for a hundred."""
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", read("README.md"), re.DOTALL)
    images, y = torch.randint(0, 256, (100, 4, 4), dtype=torch.uint8), torch.randint(0, 3, (100,))
    model = LatentVariableModel(StandardNormal(2), Bernoulli(nn.Linear(2, 16)), DiagonalGaussian(nn.Linear(16, 4)))
    valid = data.from_tensors(images[:20], protocol="dynamic", levels=255, split="valid")
    names = {"x": torch.randn(100, 3), "y": y, "images": images, "model": model, "valid": valid}
    for snippet in snippets:
        exec(snippet.replace("num_epochs=100", "num_epochs=1, progress=False"), names)
    assert len(snippets) == 3 and len(names["history"].records) == 1
