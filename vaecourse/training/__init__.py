"""Training: the one loop of the course, what it remembers, and the files from which it goes on."""

from vaecourse.training.anneal import cosine, ramp
from vaecourse.training.fit import fit
from vaecourse.training.history import History
from vaecourse.training.machinery.weights import load_checkpoint, save_checkpoint
from vaecourse.training.stacked import Stacked, maximise
from vaecourse.training.validation import rate_and_distortion

__all__ = [
    "History",
    "Stacked",
    "cosine",
    "fit",
    "load_checkpoint",
    "maximise",
    "ramp",
    "rate_and_distortion",
    "save_checkpoint",
]
