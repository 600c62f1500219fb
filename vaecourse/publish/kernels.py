"""The kernel that runs a chapter: this very interpreter, whatever kernels are installed elsewhere."""

import os
import sys
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from traitlets import default


class _ThisInterpreter(KernelSpecManager):
    """Answers every kernel name with the running interpreter.

    A ``python3`` kernel in the user's home folder may belong to another environment and would shadow ours.
    """

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )


class ChapterKernelManager(AsyncKernelManager):
    """Starts this interpreter, without progress bars and without the debugger's remarks in stderr."""

    @default("kernel_spec_manager")
    def _own_interpreter(self) -> KernelSpecManager:
        return _ThisInterpreter(parent=self)

    async def _async_start_kernel(self, **kwargs: Any) -> None:
        environment = kwargs.pop("env", None) or os.environ
        quiet = {"TQDM_DISABLE": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        await super()._async_start_kernel(env={**environment, **quiet}, **kwargs)

    start_kernel = _async_start_kernel
