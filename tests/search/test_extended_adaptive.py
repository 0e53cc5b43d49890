"""Search `adaptive` after an extension: what the further trials are."""

import math
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from paretoib.records import Metrics, TrialRecord
from paretoib.search import driver
from paretoib.specs import Additions, SweepSpec, TrialSpec, extended

REFERENCE = (20.0, 2.0)
GAPS = {"method": "vib", "search": "adaptive", "reference": REFERENCE}
CUBE = {"method": "mgda", "trials": 6, "seeds": [0, 1]}


class Search:
    """A sweep whose trials are measured on a smooth curve of rate and lost bits over β."""

    def __init__(self, **document: Any) -> None:
        self.spec = SweepSpec.from_document(document)
        self.records: dict[str, TrialRecord] = {}
        self.trials = self.run()

    def extend(self, **additions: Any) -> list[TrialSpec]:
        """The trials that an extension adds."""
        asked = Additions.from_document(additions)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        self.spec = extended(self.spec, asked, ended=len(self.records), at=at)
        new = self.run()
        assert len(self.records) == self.spec.trials
        return new

    def run(self) -> list[TrialSpec]:
        """The trials that have no record yet, in order."""
        search = driver(self.spec)
        for known in self.records.values():
            search.tell(known)
        trials: list[TrialSpec] = []
        while new := search.ask(1000):
            trials += new
            for trial in new:
                assert trial.key not in self.records
                self.records[trial.key] = record(trial)
                search.tell(self.records[trial.key])
        assert search.done
        return trials


def record(trial: TrialSpec) -> TrialRecord:
    """Around β = 0.01 the rate falls and lost bits rise."""
    beta = trial.get("beta") if "beta" in trial.weighting.params else 0.01
    share = 1 / (1 + (beta / 0.01) ** 2)
    metrics = Metrics(
        examples=100,
        rate_bits=20 * share,
        rate_lower_bits=None,
        rate_se_bits=None,
        relevance_bits=2 * share,
        relevance_se_bits=0.0,
        ceiling_bits=2.0,
        lost_bits=2 - 2 * share,
        cross_entropy_bits=1.0,
    )
    return TrialRecord(trial=trial.key, spec=trial.document, status="finished", validation=metrics)


def betas(trials: list[TrialSpec]) -> list[float]:
    return [trial.get("beta") for trial in trials]


def test_more_trials_fill_the_widest_gaps() -> None:
    """A sweep of 8 trials, extended by 4, has the trials of a sweep of 12.

    With a last generation that was cut off, the further trials still lie where the curve is steep.
    """
    search = Search(**GAPS, seeds=[0], trials=8, population=4)
    in_one_go = Search(**GAPS, seeds=[0], trials=12, population=4)
    assert betas(search.trials + search.extend(trials="+4")) == betas(in_one_go.trials)

    cut = Search(**GAPS, seeds=[0], trials=7, population=4)
    further = betas(cut.extend(trials="+6"))
    assert len(further) == 6
    assert sum(1e-3 < beta < 0.1 for beta in further) >= 5


def test_further_seeds_train_the_same_values() -> None:
    """Each β of the sweep is trained with the new seed; then gaps are filled with all seeds."""
    search = Search(**GAPS, seeds=[0, 1], trials=12)
    known = dict.fromkeys(betas(search.trials))
    new = search.extend(seeds="+1")
    assert [(trial.seed, trial.get("beta")) for trial in new] == [(2, beta) for beta in known]
    both = search.extend(seeds=[9], trials="+8")
    assert [trial.seed for trial in both[:6]] == [9] * 6
    assert betas(both[:6]) == [*known]
    assert [trial.seed for trial in both[6:]] == [0, 1, 2, 9] * 2
    assert not {*betas(both[6:])} & set(known)


def test_a_wider_range_begins_with_its_ends() -> None:
    """The first values are the new ends; the known values are not trained again."""
    search = Search(**GAPS, seeds=[0], trials=6, space={"beta": "1e-3:1e-1"})
    new = betas(search.extend(trials="+6", space={"beta": "1e-5:1e-1"}))
    assert new[0] == 1e-5
    assert not set(new) & set(betas(search.trials))
    assert all(1e-5 <= beta <= 1e-1 for beta in new)


def test_values_with_more_digits_than_the_wider_range_are_kept() -> None:
    """Values of a narrow range have seven digits; a wide range rounds to four."""
    search = Search(**GAPS, seeds=[0], trials=4, space={"beta": "0.0100001:0.0100009"})
    assert any(beta != float(f"{beta:.4g}") for beta in betas(search.trials))
    new = search.extend(trials="+4", space={"beta": "1e-4:1"})
    assert betas(new)[:2] == [1e-4, 1.0]


def test_further_choices_get_curves_of_their_own() -> None:
    """A new latent size begins with evenly spaced β; the trained size gets no second start."""
    search = Search(**GAPS, seeds=[0], trials=8, population=4)
    new = search.extend(trials="+6", grid={"latent": [4]})
    first = [(trial.get("latent"), trial.get("beta")) for trial in new[:2]]
    assert first == [(4, 1e-4), (4, 1.0)]
    values = sorted({b for t, b in zip(new, betas(new), strict=True) if t.get("latent") == 4})
    ratios = [math.log(b / a) for a, b in pairwise(values)]
    assert max(ratios) < math.log(1e4)


def test_a_first_generation_that_was_cut_off_is_completed() -> None:
    """With one trial, a curve has one end of its range; an extension adds the other end."""
    search = Search(**GAPS, seeds=[0], trials=1)
    assert betas(search.trials) == [1e-4]
    assert betas(search.extend(trials="+3"))[0] == 1.0


def test_each_extension_draws_a_latin_hypercube_of_its_own() -> None:
    """Further settings are spread evenly over each range, and all seeds train all settings."""
    search = Search(**CUBE)
    new = search.extend(trials="+8")
    scales = [trial.get("initial_scale") for trial in new if trial.seed == 0]
    parts = {int(4 * math.log(scale / 0.1) / math.log(20)) for scale in scales}
    assert parts == {0, 1, 2, 3}
    third = search.extend(seeds="+1", trials="+3")
    settings = {trial.with_fields({"seed": 0}).key for trial in search.trials + new + third}
    assert len(settings) == 8
    assert len([trial for trial in third if trial.seed == 2]) == 8


def test_a_hypercube_uses_a_wider_range_and_further_choices() -> None:
    """After a wider range, the further settings have values outside of the range before."""
    search = Search(**CUBE)
    new = search.extend(trials="+20", space={"initial_scale": "0.001:2"}, grid={"epochs": [7]})
    assert any(trial.get("initial_scale") < 0.1 for trial in new)
    assert 7 in {trial.get("epochs") for trial in new}
