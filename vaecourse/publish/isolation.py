"""What of the reader's environment a chapter may see: not the settings that would change its result.

A matplotlibrc, a startup file of IPython, a kernel of another environment under the usual name or ``PYTHONOPTIMIZE``
(which takes every ``assert`` away) would otherwise reach the numbers and the figures.
"""

import contextlib
import os
import re
import shutil
import site
from collections.abc import Mapping
from pathlib import Path

_SETTINGS = re.compile(r"(PYTHON|IPYTHON|JUPYTER|MPL|MATPLOTLIB|PYDEVD).*|COLUMNS|LINES")


def isolated_environment(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return an environment in which Python, IPython, Jupyter and matplotlib have their defaults.

    Variables that choose hardware, threads, folders of data and the like stay. The package that runs now is the one
    that a program started with this environment imports.

    Args:
        environment: the reader's.
        folder: an existing folder for what IPython and Jupyter write.
    """
    kept = {name: value for name, value in environment.items() if not _SETTINGS.fullmatch(name)}
    package = Path(__file__).resolve().parents[2]
    if package not in {Path(path).resolve() for path in [*site.getsitepackages(), site.getusersitepackages()]}:
        kept["PYTHONPATH"] = str(package)
    return {
        **kept,
        "PYTHONUTF8": "1",
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLCONFIGDIR": str(_matplotlib_folder(folder)),
        **{f"JUPYTER_{name}_DIR": str(folder / "jupyter") for name in ("CONFIG", "DATA", "RUNTIME")},
        "JUPYTER_NO_CONFIG": "1",
    }


def _matplotlib_folder(folder: Path) -> Path:
    """Return a folder of matplotlib's without settings; it is kept, as the list of fonts in it takes long to make."""
    import pooch

    lasting = Path(pooch.os_cache("vaecourse")) / "matplotlib"
    with contextlib.suppress(OSError):
        lasting.mkdir(parents=True, exist_ok=True)
        (lasting / "matplotlibrc").unlink(missing_ok=True)
        shutil.rmtree(lasting / "stylelib", ignore_errors=True)
        if os.access(lasting, os.W_OK):
            return lasting
    return folder / "matplotlib"
