"""Training: the one loop of the course, what it remembers, and the files from which it goes on."""

from vaecourse.training.fit import fit
from vaecourse.training.history import History
from vaecourse.training.machinery.weights import load_checkpoint, save_checkpoint

__all__ = ["History", "fit", "load_checkpoint", "save_checkpoint"]
