"""Chapters keep papermill's conventions: who has a pipeline of their own runs them with it as they are."""

from pathlib import Path

import papermill

from vaecourse.publish.prose import collect_records

CHAPTER = Path(__file__).parent.parent / "chapters" / "00_start_here.ipynb"


def test_papermill_runs_a_chapter_with_other_parameters(tmp_path):
    inspected = papermill.inspect_notebook(CHAPTER)
    assert {"tier", "seed"} <= set(inspected)
    executed = papermill.execute_notebook(
        CHAPTER, tmp_path / "out.ipynb", parameters={"seed": 3}, cwd=CHAPTER.parent, progress_bar=False
    )
    injected = [cell for cell in executed.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert [cell.source.splitlines()[-1] for cell in injected] == ["seed = 3"]
    # Ran to its last cell, and recorded what the prose marks.
    counts = [cell.execution_count for cell in executed.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert collect_records(executed)
