"""Every exercise with its solution, its stub, wrong answers and right ones written otherwise: ``make exercises``.

Run as ``python tests/run_exercises.py [chapter ...]``. A chapter runs once, up to its exercises; every answer then runs
in a fork of it, so that none sees another. The answers stand in ``tests/exercises/<chapter>/<exercise>_<slug>.py``, in
sections that each replace the solution cell of the same names:

    # %% right: from the moments
    def gaussian_kl(loc, log_scale): ...

    # %% wrong: a mean over the latents
    # says: independent latents add
    def gaussian_kl(loc, log_scale): ...

The check must accept the right ones, on other inputs too, and answer each wrong one with an AssertionError that says
what it is to say. Every message of a check must be met by at least two wrong answers.
"""

import contextlib
import io
import linecache
import os
import pickle
import re
import signal
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from exercise_files import Answer, Exercise, exercises_of, is_check, messages_of, names_of, pattern_of, stub_of
from tqdm import tqdm

from vaecourse.publish.chapters import Chapter, UsageError, all_chapters, find_chapter, is_exercises_heading

SECONDS = 60  # for one answer
CHECK_SEEDS = ("0", "1")  # of the inputs

_BARE = re.compile(r"^(Tensor-likes are not|Scalars are not|Booleans are not|The values for attribute)")


@dataclass
class Verdict:
    """What became of an answer: the error that ended it, and the message of the check that did."""

    error: str = ""  # the exception's name
    said: str = ""
    message: tuple[int, int] | None = None  # check cell and line of the message, where there is one


def execute(cell_source: str, name: str, namespace: dict[str, Any]) -> None:
    linecache.cache[name] = (len(cell_source), None, cell_source.splitlines(keepends=True), name)  # for inspect
    exec(compile(cell_source, name, "exec"), namespace)


def answered(exercise: Exercise, answer: Answer, namespace: dict[str, Any]) -> Verdict:
    """Run the cells of an exercise with an answer in place of the solution that it is for."""
    pending = answer.source
    for k, cell in enumerate(exercise.cells):
        source = cell.source
        if cell.metadata.get("nbgrader", {}).get("solution"):
            if answer.kind == "stub":
                source = stub_of(cell)
            elif pending and names_of(pending) & names_of(source):
                source, pending = pending, ""
        try:
            execute(source, f"<cell {k}>", namespace)
        except BaseException as error:
            return _verdict(error, exercise)
    if pending:
        return Verdict("unused", "this answer defines nothing that the exercise asks for")
    return Verdict()


def _verdict(error: BaseException, exercise: Exercise) -> Verdict:
    """Name the error, and find the message of the check that it came from."""
    said = str(error)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if (place := re.fullmatch(r"<cell (\d+)>", frame.filename)) and is_check(exercise.cells[int(place[1])]):
            cell = int(place[1])
            messages = messages_of(exercise.cells[cell])
            if (
                frame.lineno in messages
                and messages[frame.lineno]
                and pattern_of(messages[frame.lineno]).fullmatch(said)
            ):
                return Verdict(type(error).__name__, said, (cell, frame.lineno))
            for line, message in messages.items():
                if message and pattern_of(message).fullmatch(said):
                    return Verdict(type(error).__name__, said, (cell, line))
            break
    return Verdict(type(error).__name__, said)


def in_a_fork(exercise: Exercise, answer: Answer, namespace: dict[str, Any], check_seed: str) -> Verdict:
    """Run an answer in a fork of this process, and bring its verdict back."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        signal.alarm(SECONDS)
        os.environ["VAECOURSE_CHECK_SEED"] = check_seed
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            verdict = answered(exercise, answer, namespace)
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(verdict, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(child, 0)
    return pickle.loads(content) if content else Verdict("killed", f"by signal {os.waitstatus_to_exitcode(status)}")


def problem_of(answer: Answer, verdict: Verdict) -> str:
    """What is wrong with how a check took an answer; empty where all is well."""
    outcome = f"{verdict.error}: {verdict.said.strip().partition(chr(10))[0][:100]}"
    if answer.kind in ("solution", "right"):
        return f"is refused: {outcome}" if verdict.error else ""
    if not verdict.error:
        return "is accepted"
    if answer.kind == "stub":
        fine = verdict.error == "NotImplementedError" or (verdict.error == "AssertionError" and verdict.said)
        return "" if fine else f"ends in {outcome}"
    if verdict.error != "AssertionError" or not verdict.said.strip() or _BARE.match(verdict.said):
        return f"gets no sentence of its own: {outcome}"
    if not answer.says:
        return f"does not say what it expects to be told, in a line '# says: ...'; it is told {verdict.said!r}"
    if answer.says not in verdict.said:
        return f"is told {verdict.said[:160]!r}, and not {answer.says!r}"
    return ""


def try_exercise(exercise: Exercise, namespace: dict[str, Any]) -> tuple[list[str], str]:
    """Run every answer of an exercise; what is wrong with it, and its line of the table."""
    problems, told, fine = [], {}, {"right": [0, 0], "wrong": [0, 0]}
    seeds = CHECK_SEEDS if any("inputs(" in cell.source for cell in exercise.cells) else CHECK_SEEDS[:1]
    for answer in exercise.answers:
        kind = "wrong" if answer.kind in ("wrong", "stub") else "right"
        verdicts = [in_a_fork(exercise, answer, namespace, seed) for seed in seeds]
        found = [problem for verdict in verdicts if (problem := problem_of(answer, verdict))]
        problems += [f"{answer.kind}: {answer.title}: {problem}" for problem in dict.fromkeys(found)]
        fine[kind][0] += not found
        fine[kind][1] += 1
        if answer.kind == "wrong" and verdicts[0].message:
            told.setdefault(verdicts[0].message, []).append(answer.title)
    kinds = [answer.kind for answer in exercise.answers]
    if "right" not in kinds:
        problems.append("no right answer is written otherwise than the solution")
    for k, cell in enumerate(exercise.cells):
        for line, message in messages_of(cell).items() if is_check(cell) else []:
            if not message:
                problems.append(f"line {line} of its check has no message")
            elif len(told.get((k, line), [])) < 2:
                problems.append(
                    f"{len(told.get((k, line), []))} wrong answers, of two that are due, are told {message}"
                )
    (right, rights), (wrong, wrongs) = fine["right"], fine["wrong"]
    return (
        problems,
        f"{exercise.number:6} {right} of {rights} right answers accepted, {wrong} of {wrongs} wrong ones told why",
    )


def visit(chapter: Chapter) -> tuple[list[str], list[str]]:
    """Run a chapter up to its exercises and try each of them: the lines of the table, and what is wrong."""
    import matplotlib

    matplotlib.use("Agg")
    os.chdir(chapter.path.parent)
    from IPython.display import display

    namespace: dict[str, Any] = {"__name__": "__main__", "display": display}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for k, cell in enumerate(chapter.read().cells):
            if is_exercises_heading(cell):
                break
            if cell.cell_type == "code":
                execute(cell.source, f"<chapter {k}>", namespace)
    import torch

    torch.set_num_threads(1)  # a fork has no other threads than the one that made it
    lines, problems = [], []
    for exercise in exercises_of(chapter):
        found, line = try_exercise(exercise, namespace)
        lines.append(line)
        problems += [f"{exercise.number}: {problem}" for problem in found]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for cell in exercise.cells:  # a later exercise may build on them
                if cell.metadata.get("nbgrader", {}).get("solution"):
                    execute(cell.source, "<chapter>", namespace)
    return lines, problems


def main(keys: list[str]) -> int:
    """Visit the chapters that the keys name, or all; print the table and what is wrong."""
    try:
        chapters = sorted({find_chapter(key) for key in keys}, key=lambda c: c.name) if keys else all_chapters()
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["TQDM_DISABLE"] = "1"
    bad = 0
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        jobs = [pool.submit(visit, chapter) for chapter in chapters]
        for chapter, job in tqdm(zip(chapters, jobs), total=len(jobs), unit="chapter", disable=False):
            lines, problems = job.result()
            bad += len(problems)
            tqdm.write("\n".join([chapter.name, *(f"  {line}" for line in lines), *(f"  WRONG {p}" for p in problems)]))
    print(f"{bad} things are wrong with the exercises" if bad else "every exercise is as it should be")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
