"""The best trials on the validation split."""

from collections.abc import Iterable

from paretoib.records import TrialRecord


def validation_order(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The finished trials, the best on the validation split first.

    The best trial has the highest accuracy of the mean latent; for a continuous Y, and if
    accuracies are equal, the lowest cross-entropy. Trials that are not measured are left out.
    """
    measured = [(record, record.validation) for record in records if record.validation]
    measured.sort(key=lambda pair: (-(pair[1].accuracy or 0.0), pair[1].cross_entropy_bits))
    return [record for record, _ in measured]
