"""What every benchmark says of where it ran, and how it is told what to do."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

import torch

FOLDER = Path(__file__).parent


def circumstances() -> dict:
    """What a number depends on besides the code."""
    versions = {"python": platform.python_version()}
    for name in ("vaecourse", "torch", "numpy", "pythae", "pyro-ppl", "constriction", "nflows", "zuko", "normflows"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    able = torch.cpu.get_capabilities()
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_name(),
        "system": f"{platform.system()} {platform.machine()}",
        "bf16_units": any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")),
        "threads": torch.get_num_threads(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": versions,
    }


def cpu_name() -> str:
    """The processor as the system calls it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def natural(text: str) -> int:
    """A whole number from 1, for a command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, and is {text}")
    return int(text)


def peak_memory(script: str, *setting: object) -> float | None:
    """MiB that a script of this folder prints, in a process of its own; None where it cannot be measured."""
    command = [sys.executable, FOLDER / script, *map(str, setting)]
    frugal = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_MMAP_MAX_": "1000000"}  # no holes kept by glibc
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=frugal)
    return float(done.stdout) if done.returncode == 0 else None
