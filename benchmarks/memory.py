"""The memory that training steps need beyond the model, measured in a process of its own: prints MiB.

    python benchmarks/memory.py NUM_SAMPLES [CHUNK_SIZE]

The peak of resident memory is that of the operating system, which counts everything, but only ever for a whole process:
hence a fresh one for each number of samples. What the first steps load (libraries, threads' buffers, optimiser) is
brought in by a training on one image before. The C library is told to give freed memory back at once (see common.py),
or else the holes between chunks would count. Linux only, where the peak can be set back.
"""

import re
import sys
from pathlib import Path

import torch
from contenders import BATCH_SIZE, course

from vaecourse.data import Dataset

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def images(number: int) -> Dataset:
    """Random pixels in MNIST's format: what they show costs no memory."""
    x = torch.randint(0, 256, (number, 784), dtype=torch.uint8)
    return Dataset(x, torch.zeros(number).long(), "made", "train", "dynamic", (28, 28), levels=255)


def resident(line: str) -> float:
    """VmRSS (now) or VmHWM (the peak so far), in MiB."""
    return int(re.search(rf"{line}:\s*(\d+) kB", STATUS.read_text(encoding="ascii"))[1]) / 1024


def peak_of_training(num_samples: int, chunk_size: int | None) -> float:
    """MiB above what the process holds before."""
    train = images(BATCH_SIZE)
    course(images(1), 1, num_samples=num_samples, chunk_size=chunk_size and 1)  # a chunk a sample: all code is loaded
    CLEAR.write_text("5", encoding="ascii")  # the peak so far is now what the process holds
    before = resident("VmRSS")
    course(train, 3, num_samples=num_samples, chunk_size=chunk_size)
    return resident("VmHWM") - before


if __name__ == "__main__":
    num_samples, chunk_size = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None
    if not STATUS.exists():
        sys.exit("the peak of memory can be measured on Linux only")
    torch.set_num_threads(1)  # every thread brings buffers of its own
    print(f"{peak_of_training(num_samples, chunk_size):.1f}")
