"""The ablations of MIB (mib figure 5): each method switches off one part of MIB."""

from typing import Any

import pytest

from paretoib.search import driver
from paretoib.specs import SEARCHES, SweepSpec, with_overrides


@pytest.mark.parametrize(
    ("method", "fixed", "varied"),
    [
        ("mib", {"smooth": True, "mu": 0.2}, {"iterations", "sqrted"}),
        ("mib_exact", {"solver": "closed_form", "iterations": 10}, {"mu", "sqrted"}),
        ("mib_no_adaptive", {"mu": 0.2}, {"beta"}),
        ("mib_no_smooth", {"smooth": False, "mu": 0.2}, {"iterations", "sqrted"}),
        ("mib_no_sqrted", {"sqrted": 0, "mu": 0.2}, {"iterations"}),
        ("vib_adaptive", {"solver": "frank_wolfe"}, {"iterations"}),
    ],
)
@pytest.mark.parametrize("search", ["adaptive", "random", "optuna-tpe"])
def test_searches_keep_the_switches_of_an_ablation(
    method: str, fixed: dict[str, Any], varied: set[str], search: str
) -> None:
    """A search varies the fields of the weighting that the ablation does not fix."""
    assert search in SEARCHES
    spec = SweepSpec.from_document({"method": method, "search": search})
    trials = driver(spec).ask(64)
    for trial in trials:
        assert {name: trial.get(name) for name in fixed} == fixed
    for name in varied:
        assert len({trial.get(name) for trial in trials}) > 1


def test_an_ablation_equals_mib_with_one_switch_off() -> None:
    """`mib_no_smooth` has the template of `mib` with `smooth` off; `smooth` can be switched on."""
    document = {"method": "mib", "weighting": {"name": "mib", "smooth": False}}
    by_hand, named = (
        SweepSpec.from_document({**d, "seeds": [0]})
        for d in (document, {"method": "mib_no_smooth"})
    )
    assert by_hand.template == named.template
    switched_on = with_overrides({"method": "mib_no_smooth"}, {"smooth": True})
    assert switched_on.weighting["smooth"]
