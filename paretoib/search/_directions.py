"""The number of reference directions for NSGA-III and MOEA/D, after Das and Dennis (1998)."""

from math import comb


def direction_count(objectives: int, most: int) -> int:
    """The number of directions for `divisions(objectives, most)`."""
    return _count(objectives, divisions(objectives, most))


def divisions(objectives: int, most: int) -> int:
    """The largest number of divisions of each axis with at most `most` directions.

    At least 1, which gives one direction for each objective, even if that is more than `most`.
    """
    number = 1
    while _count(objectives, number + 1) <= most:
        number += 1
    return number


def _count(objectives: int, number: int) -> int:
    return comb(number + objectives - 1, objectives - 1)
