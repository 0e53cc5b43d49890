"""The place of a measured encoder beside the front of a sweep."""

import numpy as np

from paretoib.errors import ComparisonError
from paretoib.fronts._dominance import dominated_by
from paretoib.fronts._front import coordinates
from paretoib.fronts._hull import reachability
from paretoib.records import Front, FrontPlace, Measurement

ENTROPY_TOLERANCE = 0.01
"""The largest difference of H(Y), in bits, between a measurement and a front on the same data."""


def place(front: Front, measurement: Measurement) -> FrontPlace:
    """Where a measured encoder lies beside the front of a sweep on the same data.

    Whether the data are the same cannot be checked, except by H(Y). For a continuous Y, the lost
    bits are those below the ceiling of the sweep.

    Raises:
        ComparisonError: H(Y) differs, only one of the two has classes, or no trial of the sweep has
            a finite rate.
    """
    points = [point for point in front.points if point.rate_bits is not None]
    if not points:
        raise ComparisonError(
            f"a sweep should have a trial with a finite rate; found none in `{front.sweep.name}`"
        )
    ceiling = front.label_entropy_bits
    if (measurement.classes is None) != all(point.accuracy is None for point in points):
        kinds = ("classes", "a continuous Y")
        own, other = kinds if measurement.classes else kinds[::-1]
        raise ComparisonError(
            f"a measurement should be on the data of the sweep; found {own}, and {other} in "
            f"`{front.sweep.name}`"
        )
    if measurement.classes and abs(measurement.label_entropy_bits - ceiling) > ENTROPY_TOLERANCE:
        raise ComparisonError(
            "a measurement should be on the test split of the sweep; found H(Y) = "
            f"{measurement.label_entropy_bits:.4f} bits, and {ceiling:.4f} bits in "
            f"`{front.sweep.name}`"
        )
    lost = max(0.0, ceiling - measurement.relevance_bits)
    own_point = np.array([[measurement.rate_bits, lost]])
    located = coordinates(points)
    hull = reachability(located).vertices
    gap = lost - float(np.interp(own_point[0, 0], *hull.T))
    dominating = dominated_by(own_point, located)[0]
    on_front = [point for point in points if point.on_front]
    return FrontPlace(
        sweep=front.sweep,
        rate_bits=measurement.rate_bits,
        rate_lower_bits=measurement.rate_lower_bits,
        lost_bits=lost,
        on_front=not dominating,
        dominated_by=tuple(
            point.trial for point in on_front if dominated_by(own_point, coordinates([point]))[0]
        ),
        dominates=tuple(
            point.trial for point in on_front if dominated_by(coordinates([point]), own_point)[0]
        ),
        hull_gap_bits=gap if own_point[0, 0] >= hull[0, 0] else None,
    )
