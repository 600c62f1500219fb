"""What a program can check of the way a chapter is written: one function a rule, each yielding what is wrong."""

from collections.abc import Callable, Iterator

from rules import claims, exercises, layout, stored
from rules.page import Page

RULES: dict[str, Callable[[Page], Iterator[str]]] = {
    rule.__name__: rule
    for rule in (
        layout.page_order,
        layout.sections_open_with_a_question,
        layout.parameters,
        layout.cell_lengths,
        layout.short_classes,
        layout.more_text_than_code,
        layout.words,
        layout.assertions,
        stored.executed_in_order,
        stored.stored_form,
        stored.clean_outputs,
        stored.no_absolute_paths,
        stored.size,
        claims.figures,
        claims.only_what_runs_is_said,
        claims.recorded_numbers,
        claims.unmarked_numbers,
        claims.citations,
        claims.links,
        exercises.exercises,
        exercises.predict_run_explain,
        exercises.answers_in_words,
        exercises.checks_draw_their_own_inputs,
        exercises.nbgrader_metadata,
    )
}
