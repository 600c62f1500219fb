"""The kernel that runs a chapter: this very interpreter, whatever is set elsewhere, and nothing outlives it."""

import asyncio
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from traitlets import default

from vaecourse.publish import keeper
from vaecourse.publish.isolation import isolated_environment

_START = [sys.executable, "-P", "-m", "vaecourse.publish.kernel_main", "--log-level=ERROR", "-f", "{connection_file}"]
_QUIET = {"TQDM_DISABLE": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # no bars, no remarks of the debugger


class _ThisInterpreter(KernelSpecManager):
    """Answers every kernel name with the running interpreter.

    A ``python3`` kernel in the user's home folder may belong to another environment and would shadow ours.
    """

    scratch = ""  # the folder that the keeper removes

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        kept = [sys.executable, "-P", keeper.__file__, str(os.getpid()), self.scratch]
        argv = [*(kept if os.name == "posix" else []), *_START]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


class ChapterKernelManager(AsyncKernelManager):
    """Starts this interpreter in an environment of its own, below a keeper that ends whatever the chapter started."""

    def __init__(self, **options: Any) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="vaecourse-"))
        super().__init__(**options)
        self.connection_file = str(self.scratch / "kernel.json")

    @default("kernel_spec_manager")
    def _own_interpreter(self) -> KernelSpecManager:
        manager = _ThisInterpreter(parent=self)
        manager.scratch = str(self.scratch)
        return manager

    async def _async_start_kernel(self, **options: Any) -> None:
        environment = options.pop("env", None) or os.environ
        await super()._async_start_kernel(env=isolated_environment(environment, self.scratch) | _QUIET, **options)

    start_kernel = _async_start_kernel

    async def _async_kill_kernel(self, restart: bool = False) -> None:
        # The keeper is asked, for it knows what the kernel started; only then is what is left of its group killed.
        process = getattr(self.provisioner, "process", None)
        if process is not None and os.name == "posix":
            with suppress(OSError):
                process.terminate()
            for _ in range(200):
                if process.poll() is not None:
                    break
                await asyncio.sleep(0.02)
        await super()._async_kill_kernel(restart=restart)

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        await super()._async_cleanup_resources(restart=restart)
        if not restart:
            shutil.rmtree(self.scratch, ignore_errors=True)

    cleanup_resources = _async_cleanup_resources
