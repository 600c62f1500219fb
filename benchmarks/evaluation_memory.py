"""The memory that an estimate of log p(x) needs beyond the model, measured in a process of its own: prints MiB.

    python benchmarks/evaluation_memory.py importance|ais CHUNK_SIZE

As memory.py measures a training: the peak of resident memory above what the process holds before. What the first call
loads is brought in by an estimate in the smallest chunks before. Linux only.
"""

import sys

import torch
from contenders import course_model
from memory import CLEAR, STATUS, resident

from vaecourse.evaluation import ais, importance_log_likelihood

NUM_DATA, NUM_SAMPLES = 100, 1000  # of importance sampling, 100,000 pairs
NUM_CHAINS, NUM_STEPS = 100, 3  # of annealed importance sampling, 10,000 pairs


def estimate(kind: str, x: torch.Tensor, chunk_size: int) -> None:
    """One estimate, of random pixels under random weights: what they are costs no memory."""
    model = course_model(x.shape[1])
    if kind == "importance":
        importance_log_likelihood(model, x, NUM_SAMPLES, chunk_size)
    else:
        ais(model, x, NUM_STEPS, NUM_CHAINS, step_sizes=0.01, chunk_size=chunk_size)


if __name__ == "__main__":
    kind, chunk_size = sys.argv[1], int(sys.argv[2])
    if not STATUS.exists():
        sys.exit("the peak of memory can be measured on Linux only")
    torch.set_num_threads(1)  # every thread brings buffers of its own
    x = (torch.rand(NUM_DATA, 784) < 0.5).float()
    estimate(kind, x[:1], 1)
    CLEAR.write_text("5", encoding="ascii")  # the peak so far is now what the process holds
    before = resident("VmRSS")
    estimate(kind, x, chunk_size)
    print(f"{resident('VmHWM') - before:.1f}")
