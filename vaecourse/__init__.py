"""vaecourse: the package that the chapters of the course import.

A model has three slots (prior, likelihood, posterior), a :class:`~vaecourse.model.Draw` holds samples with their
log-densities, and every bound of the course is a function of a draw.
"""

from importlib.metadata import version as _version

from vaecourse.devices import device
from vaecourse.record import record, record_data

__version__ = _version("vaecourse")

__all__ = ["__version__", "device", "record", "record_data"]
