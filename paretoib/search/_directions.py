"""Reference directions of decomposing searches, spread evenly by Das and Dennis (1998)."""

from math import comb


def direction_count(objectives: int, most: int) -> int:
    """The number of directions with the finest division of each axis that has at most `most`."""
    return _count(objectives, divisions(objectives, most))


def divisions(objectives: int, most: int) -> int:
    """That division; 1 or more, as each axis has a direction of its own."""
    found = 1
    while _count(objectives, found + 1) <= most:
        found += 1
    return found


def _count(objectives: int, division: int) -> int:
    return comb(division + objectives - 1, objectives - 1)
