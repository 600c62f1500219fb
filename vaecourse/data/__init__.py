"""The data sets of the course: small enough for memory, each with its protocol named."""

from vaecourse.data.cache import DataUnavailableError
from vaecourse.data.dataset import Dataset
from vaecourse.data.loading import load
from vaecourse.data.registry import names

__all__ = ["DataUnavailableError", "Dataset", "load", "names"]
