"""Searches whose trials are known before the sweep: `grid`, `random` and the adaptive design.

The adaptive design is search `adaptive` without a range of β.
"""

import math
import time
from collections import Counter
from itertools import combinations, pairwise, product
from typing import Any

import pytest
from scipy.stats import spearmanr

from paretoib.errors import SpecError
from paretoib.records import TrialRecord
from paretoib.search import driver
from paretoib.specs import METHODS, SEARCHES, SweepSpec, TrialSpec


def trials(**document: Any) -> list[TrialSpec]:
    return driver(SweepSpec.from_document(document)).ask(10_000)


def test_the_grid_is_every_combination_in_order() -> None:
    """In a grid the seed changes slowest and the last axis fastest; other fields do not change."""
    proposed = trials(
        method="vib", seeds=[4, 2], grid={"prior_width": [1, 2], "beta": "0.1,0.2,0.3"}
    )
    expected = list(product([4, 2], [1, 2], [0.1, 0.2, 0.3]))
    assert [(t.seed, t.get("prior_width"), t.get("beta")) for t in proposed] == expected
    plain = SweepSpec.from_document({"method": "vib"}).template
    same = {"prior_width": 1.0, "beta": plain.get("beta"), "seed": 0}
    assert {t.with_fields(same) for t in proposed} == {plain}


def test_the_default_grid_is_log_spaced_in_beta() -> None:
    """The default grid has 16 β from the low to the high end of the range, with equal ratios."""
    betas = [t.get("beta") for t in trials(method="vib")]
    assert (len(betas), betas[0], betas[-1]) == (16, 1e-4, 1.0)
    ratios = [b / a for a, b in pairwise(betas)]
    assert ratios == pytest.approx([10 ** (4 / 15)] * 15, rel=1e-3)


def test_a_grid_without_axes_has_one_trial_for_each_seed() -> None:
    """Method `deterministic` has no β, so its default grid has only one trial for each seed."""
    assert [t.seed for t in trials(method="deterministic", seeds=[1, 2])] == [1, 2]


@pytest.mark.parametrize("count", [6, 12, 30])
def test_the_adaptive_design_covers_each_range_evenly(count: int) -> None:
    """If the scale of a range is divided into N equal parts, each part has one of N trials."""
    proposed = trials(method="mib_exact", trials=count, seeds=[0])
    ranges = {"initial_scale": (0.1, 2.0), "initial_noise": (0.0067, 1.0), "mu": (0.02, 20.0)}
    for field, (low, high) in ranges.items():
        values = sorted(t.get(field) for t in proposed)
        for i, value in enumerate(values):
            share = math.log(value / low) / math.log(high / low)
            assert i / count - 1e-3 <= share <= (i + 1) / count + 1e-3, field


def test_the_adaptive_design_takes_each_choice_equally_often() -> None:
    """Each value of `sqrted` has half of the trials, and each value of `epochs` has a third."""
    proposed = trials(method="mib_exact", trials=12, seeds=[7], training={"epochs": 40})
    assert Counter(t.get("sqrted") for t in proposed) == {0: 6, 1: 6}
    assert Counter(t.get("epochs") for t in proposed) == {10: 4, 20: 4, 40: 4}


def test_every_seed_has_the_same_settings() -> None:
    """Each seed trains the same settings, so that the fronts of single seeds can be compared."""
    proposed = trials(method="mib_exact", trials=12, seeds=[7, 8, 9])
    settings = {
        seed: [t.with_fields({"seed": 0}).key for t in proposed if t.seed == seed]
        for seed in (7, 8, 9)
    }
    assert settings[7] == settings[8] == settings[9]
    assert len(set(settings[7])) == 4


def test_more_trials_than_settings_are_refused() -> None:
    """If `trials` is larger than the number of settings, the error gives that number."""
    fixed = {"mu": [0.1], "sqrted": [0, 1], "initial_scale": [1.0], "initial_noise": [0.1]}
    spec = SweepSpec.from_document(
        {"method": "mib_exact", "seeds": [0], "trials": 9, "grid": fixed, "training": {"epochs": 1}}
    )
    with pytest.raises(SpecError, match=r"should be at most 2.*found 9"):
        driver(spec)


def test_with_choices_of_beta_the_adaptive_search_varies_the_initialisation() -> None:
    """With two choices of β, each has half of the trials, and all initial scales differ."""
    proposed = trials(
        method="vib", search="adaptive", seeds=[0], trials=12, grid={"beta": "0.1,0.2"}
    )
    assert Counter(t.get("beta") for t in proposed) == {0.1: 6, 0.2: 6}
    assert len({t.get("initial_scale") for t in proposed}) == 12


def test_the_adaptive_design_varies_fields_independently() -> None:
    """Rank correlations between the values of any two fields are below 0.3."""
    proposed = trials(method="mib_exact", trials=200, seeds=[0])
    fields = ("initial_scale", "initial_noise", "mu", "sqrted", "epochs")
    for a, b in combinations(fields, 2):
        correlation = spearmanr([t.get(a) for t in proposed], [t.get(b) for t in proposed])
        assert abs(float(correlation.statistic)) < 0.3, (a, b)


def test_mgda_varies_the_initialisation() -> None:
    """MGDA has no μ and no `sqrted`: all trials have one weighting, and initial scales differ."""
    proposed = trials(method="mgda", trials=6, seeds=[0])
    assert {t.weighting for t in proposed} == {proposed[0].weighting}
    assert len({t.get("initial_scale") for t in proposed}) == 6


def test_a_grid_gives_the_adaptive_design_its_choices() -> None:
    """Choices replace the range of `mu`; `learning_rate`, fixed by default, is varied too."""
    proposed = trials(
        method="mib_exact",
        trials=12,
        seeds=[0],
        grid={"mu": [0.1, 0.2, 0.4], "learning_rate": [1e-3, 1e-2]},
    )
    assert Counter(t.get("mu") for t in proposed) == {0.1: 4, 0.2: 4, 0.4: 4}
    assert Counter(t.get("learning_rate") for t in proposed) == {1e-3: 6, 1e-2: 6}


def test_a_space_gives_the_adaptive_design_its_ranges() -> None:
    """A given range replaces the range of `mu`; `latent`, fixed by default, is varied too."""
    proposed = trials(
        method="mib_exact", trials=10, seeds=[0], space={"mu": "lin:1:2", "latent": "int:10:19"}
    )
    assert sorted(int(t.get("mu") * 10) for t in proposed) == list(range(10, 20))
    assert sorted(t.get("latent") for t in proposed) == list(range(10, 20))


def test_a_sweep_of_one_epoch_has_no_shorter_trials() -> None:
    """The default choices of `epochs` are never below one epoch."""
    proposed = trials(method="mib_exact", training={"epochs": 1})
    assert {t.get("epochs") for t in proposed} == {1}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_as_many_trials_as_its_spec_says(method: str) -> None:
    """With all defaults, the driver of each method proposes exactly `spec.trials` trials."""
    assert METHODS[method].search in SEARCHES
    spec = SweepSpec.from_document({"method": method})
    search, proposed = driver(spec), 0
    while new := search.ask(10_000):
        proposed += len(new)
        for trial in new:
            record = TrialRecord(trial=trial.key, spec=trial.document, status="failed", reason="no")
            search.tell(record)
    assert proposed == spec.trials > 0


def test_a_random_search_covers_its_space() -> None:
    """Each tenth of a range has about a tenth of the random trials; fields are uncorrelated."""
    proposed = trials(method="vib", search="random", trials=1000, space={"prior_width": "lin:1:11"})
    betas = [math.log10(t.get("beta")) / 4 + 1 for t in proposed]
    widths = [(t.get("prior_width") - 1) / 10 for t in proposed]
    for axis in (betas, widths):
        assert all(70 < n < 130 for n in Counter(min(int(u * 10), 9) for u in axis).values())
    assert abs(float(spearmanr(betas, widths).statistic)) < 0.1


def test_a_random_search_gives_its_trials_the_seeds_in_turn() -> None:
    """Each trial of a random search has the next seed of the list, and all β differ."""
    proposed = trials(method="vib", search="random", trials=7, seeds=[4, 9, 1])
    assert [t.seed for t in proposed] == [4, 9, 1, 4, 9, 1, 4]
    assert len({t.get("beta") for t in proposed}) == 7


def test_random_searches_with_different_seeds_share_no_beta() -> None:
    """The first seed of a sweep is also the seed of its search, so two seeds give different β."""
    first, second = (trials(method="vib", search="random", seeds=[seed]) for seed in (0, 1))
    assert not {t.get("beta") for t in first} & {t.get("beta") for t in second}


@pytest.mark.parametrize("search", ["grid", "random", "adaptive"])
def test_a_trial_is_proposed_in_less_than_a_millisecond(search: str) -> None:
    """The driver takes less than 2 s for 2000 trials, so that short trials do not wait for it."""
    grid = {"grid": {"beta": "1e-4:1:2000"}} if search == "grid" else {}
    spec = SweepSpec.from_document(
        {"method": "vib", "search": search, "trials": 2000, "seeds": [0], **grid}
    )
    began = time.process_time()
    proposer = driver(spec)
    proposed = 0
    while new := proposer.ask(256):
        proposed += len(new)
        for trial in new:
            proposer.tell(TrialRecord(trial=trial.key, spec={}, status="failed"))
    assert (proposed, proposer.done) == (2000, True)
    assert time.process_time() - began < 2
