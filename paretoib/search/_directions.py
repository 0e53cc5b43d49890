"""The number of reference directions for NSGA-III and MOEA/D, after Das and Dennis (1998).

`objectives` is the number of search objectives, each of which is an axis.
"""

from math import comb


def direction_count(objectives: int, max_directions: int) -> int:
    """The number of directions if each axis has `divisions(objectives, max_directions)` parts."""
    return _count(objectives, divisions(objectives, max_directions))


def divisions(objectives: int, max_directions: int) -> int:
    """The largest number of divisions of each axis that gives at most `max_directions` directions.

    The result is at least 1, which gives one direction for each search objective, even if
    `objectives` is larger than `max_directions`.
    """
    number = 1
    while _count(objectives, number + 1) <= max_directions:
        number += 1
    return number


def _count(objectives: int, axis_divisions: int) -> int:
    return comb(axis_divisions + objectives - 1, objectives - 1)
