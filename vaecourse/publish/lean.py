"""Which cells of a chapter an exercise needs, by the names that it uses: so that a check need not train every model.

That is a guess, for a cell may change what another has made without naming it anew. What is found out after only these
cells ran is therefore believed only if the chapter's own solution passes after the same cells.
"""

import ast
import re
import symtable
from collections.abc import Iterable, Sequence

_COMMAND = re.compile(r"^\s*[%!].*$", re.MULTILINE)
_GLOBAL_STATE = re.compile(r"\bset_(?:default|grad|deterministic|float32)")


def needed_cells(before: Sequence[str], cells: Iterable[Sequence[str]]) -> list[int] | None:
    """Positions of the cells that bind what some cells after them use, what those use, and so on.

    Args:
        before: the code cells before the exercises.
        cells: groups of cells; each group runs by itself after them.

    Returns:
        The positions in ascending order; None where a cell is no Python.
    """
    try:
        live: set[str] = set()
        for group in cells:
            wanted: set[str] = set()
            for source in reversed(group):
                wanted = _before(source, wanted)
            live |= wanted
        while True:
            kept = _walk_back(before, live)
            late = set().union(*(_loaded(before[k], late=True) for k in kept))
            if late <= live:
                return kept
            live |= late  # what a function reads is looked up when it is called: after the last cell, too
    except SyntaxError:
        return None


def _walk_back(before: Sequence[str], live: set[str]) -> list[int]:
    kept = []
    for k in reversed(range(len(before))):
        if _bound(before[k]) & live or _GLOBAL_STATE.search(before[k]):
            kept.append(k)
            live = _before(before[k], live)
    return kept[::-1]


def uses_more(mine: Sequence[str], own: Sequence[str], before: Sequence[str]) -> bool:
    """Whether a reader's cells use values of the text that the chapter's own cells for an exercise do not use.

    Modules, functions and classes do not count: a cell that is left out cannot have changed them.
    """
    values = set().union(*(_values(source) for source in before))
    return bool((_used(mine) - _used(own)) & values)


def _used(sources: Sequence[str]) -> set[str]:
    return set().union(*(_before(source, set()) for source in sources))


def _before(source: str, live: set[str]) -> set[str]:
    """The names that must be bound before a cell, so that it runs and the live ones are bound after it."""
    for statement in reversed(ast.parse(_COMMAND.sub("pass", source)).body):
        text = ast.unparse(statement)
        live = (live - _bound(text)) | _loaded(text)
    return live


def _bound(source: str) -> set[str]:
    """Names that the top level of a cell binds, or whose entries or attributes it sets."""
    source = _COMMAND.sub("pass", source)
    symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    return {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()} | _changed(source)


def _loaded(source: str, late: bool = False) -> set[str]:
    """Global names that a piece of code reads, inside its functions too; of ``late`` ones there only."""
    source = _COMMAND.sub("pass", source)
    outermost = symtable.symtable(source, "cell", "exec")
    tables = outermost.get_children()
    found = set() if late else {s.get_name() for s in outermost.get_symbols() if s.is_referenced()} | _changed(source)
    while tables:
        table = tables.pop()
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and s.is_global()}
        tables += table.get_children()
    return found


def _changed(source: str) -> set[str]:
    """Names of what a top-level statement changes in place: ``x += 1``, ``x[0] = 1``, ``x.a = 1``."""
    changed = set()
    for node in ast.parse(source).body:
        targets = [node.target] if isinstance(node, ast.AugAssign) else getattr(node, "targets", [])
        for target in targets:
            inside = not isinstance(target, ast.Name)
            while isinstance(target, (ast.Subscript, ast.Attribute)):
                target = target.value
            if isinstance(target, ast.Name) and (inside or isinstance(node, ast.AugAssign)):
                changed.add(target.id)
    return changed


def _values(source: str) -> set[str]:
    """The names that a cell binds to something other than a module, a function or a class."""
    body = ast.parse(_COMMAND.sub("pass", source)).body
    fixed = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    return set().union(*(_bound(ast.unparse(node)) for node in body if not isinstance(node, fixed)))
