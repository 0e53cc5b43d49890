"""paretoib: Pareto fronts of information-bottleneck objectives, on one ruler."""

from importlib.metadata import version

__version__ = version("paretoib")
