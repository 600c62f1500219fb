"""Chapters at several seeds: which assertions hold at each of them, and what their records scatter by."""

import asyncio
import copy
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
from tqdm import tqdm

from vaecourse.publish.chapters import Chapter, is_exercises_heading
from vaecourse.publish.environment import CLOSING_CELL, ENVIRONMENT_MIME
from vaecourse.publish.normalise import write_text
from vaecourse.publish.prose import collect_records
from vaecourse.publish.stamp import code_stamp

KERNELS = 2  # at a time
_INJECTED = "injected-parameters"


@dataclass
class Run:
    """One chapter at one seed."""

    records: dict[str, dict[str, Any]]
    failures: list[str]  # the cells that failed, each with what it said
    environment: dict[str, Any]


def run_seeds(chapters: Sequence[Chapter], seeds: Sequence[int], tier: str, results: Path) -> int:
    """Run chapters at several seeds, say what fails, and store what they record.

    A failing cell does not end a run: the cells after it may have more to say. Cells tagged ``quote`` are left out,
    for they state what this function stores.

    Args:
        chapters: to be run, up to their exercises.
        seeds: at least two.
        tier: of all runs.
        results: the folder of ``<chapter>.seeds.json``; another tier than quick stands in the name before ``seeds``.

    Returns:
        The exit code: 0 if every assertion held at every seed, else 1.
    """
    runs = asyncio.run(_all_runs(chapters, seeds, tier))
    failed = False
    for chapter in chapters:
        own = [runs[chapter.name, seed] for seed in seeds]
        for seed, run in zip(seeds, own):
            failed |= bool(run.failures)
            print(f"{chapter.name} seed {seed}: {'all assertions hold' if not run.failures else ''}".rstrip())
            for failure in run.failures:
                print(f"    {failure}")
        results.mkdir(exist_ok=True)
        name = f"{chapter.name}.seeds.json" if tier == "quick" else f"{chapter.name}.{tier}.seeds.json"
        text = json.dumps(_summary(chapter, seeds, tier, own), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(text, results / name)
    return int(failed)


def _summary(chapter: Chapter, seeds: Sequence[int], tier: str, runs: list[Run]) -> dict[str, Any]:
    """What is stored: every record with its value at each seed, null where a run did not come to it."""
    records: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(name for run in runs for name in run.records):
        entries = [run.records.get(name) for run in runs]
        unit = next(entry["unit"] for entry in entries if entry)
        records[name] = {"values": [entry and entry["value"] for entry in entries], "unit": unit}
    return {
        "chapter": chapter.name,
        "tier": tier,
        "seeds": list(seeds),
        "code": code_stamp(chapter.read()),
        "failures": {str(seed): run.failures for seed, run in zip(seeds, runs) if run.failures},
        "records": records,
        **{key: runs[0].environment.get(key) for key in ("versions", "device", "threads", "platform")},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


async def _all_runs(chapters: Sequence[Chapter], seeds: Sequence[int], tier: str) -> dict[tuple[str, int], Run]:
    """Every chapter at every seed, two kernels at a time."""
    limit = asyncio.Semaphore(KERNELS)
    runs: dict[tuple[str, int], Run] = {}
    with tqdm(total=len(chapters) * len(seeds), unit="run", dynamic_ncols=True) as bar:

        async def job(chapter: Chapter, seed: int) -> None:
            async with limit:
                runs[chapter.name, seed] = await _run(chapter, {"seed": seed, "tier": tier})
                bar.update()

        await asyncio.gather(*(job(chapter, seed) for chapter in chapters for seed in seeds))
    return runs


async def _run(chapter: Chapter, parameters: dict[str, Any]) -> Run:
    """Run one chapter up to its exercises, past whatever fails."""
    from nbclient import NotebookClient
    from nbclient.exceptions import DeadKernelError

    from vaecourse.publish.kernels import ChapterKernelManager

    notebook = _prepared(chapter.read(), parameters)
    client = NotebookClient(
        notebook,
        timeout=None,
        allow_errors=True,
        kernel_manager_class=ChapterKernelManager,
        resources={"metadata": {"path": str(chapter.path.parent)}},
    )
    died = []
    try:
        await client.async_execute(env={**os.environ})
    except DeadKernelError:
        died = ["the kernel died"]
    closing = [o.data[ENVIRONMENT_MIME] for o in notebook.cells[-1].outputs if ENVIRONMENT_MIME in o.get("data", {})]
    return Run(collect_records(notebook), [*_failures(notebook), *died], dict(closing[0]) if closing else {})


def _prepared(notebook: nbformat.NotebookNode, parameters: dict[str, Any]) -> nbformat.NotebookNode:
    """The text's own cells with these parameters, without those that quote stored results, and a closing cell."""
    notebook = copy.deepcopy(notebook)
    end = next((k for k, cell in enumerate(notebook.cells) if is_exercises_heading(cell)), len(notebook.cells))
    injected = nbformat.v4.new_code_cell(
        "\n".join(f"{name} = {value!r}" for name, value in parameters.items()), metadata={"tags": [_INJECTED]}
    )
    cells = []
    for cell in notebook.cells[:end]:
        cell.metadata.pop("execution", None)
        tags = cell.metadata.get("tags", [])
        cells += [] if "quote" in tags else [cell, injected] if "parameters" in tags else [cell]
    notebook.cells = [*cells, nbformat.v4.new_code_cell(CLOSING_CELL)]
    return notebook


def _failures(notebook: nbformat.NotebookNode) -> list[str]:
    """Each cell that failed, by its number as a reader counts, with the line and what it said."""
    failures = []
    code = [
        cell for cell in notebook.cells if cell.cell_type == "code" and _INJECTED not in cell.metadata.get("tags", [])
    ]
    for number, cell in enumerate(code, start=1):
        for output in cell.outputs:
            if output.output_type == "error":
                plain = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback))
                arrow = re.findall(r"^-+> *\d+ (.*)$", plain, re.MULTILINE)
                line = (arrow[0] if arrow else cell.source.splitlines()[0]).strip()
                said = output.evalue.strip().partition("\n")[0]
                failures.append(f"cell {number}, `{line[:90]}` -> {output.ename}{': ' * bool(said)}{said[:120]}")
    return failures
