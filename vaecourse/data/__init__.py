"""The data sets of the course, and your own: small enough for memory, each with its protocol named."""

from vaecourse.data.batches import Batch, IndexedBatch, LabelledIndexedBatch
from vaecourse.data.cache import DataUnavailableError
from vaecourse.data.comparable import comparable
from vaecourse.data.dataset import Dataset, check_dataset
from vaecourse.data.loading import load
from vaecourse.data.own import from_tensors
from vaecourse.data.registry import names

__all__ = [
    "Batch",
    "DataUnavailableError",
    "Dataset",
    "IndexedBatch",
    "LabelledIndexedBatch",
    "check_dataset",
    "comparable",
    "from_tensors",
    "load",
    "names",
]
