"""The ablations of MIB, as in figure 5 of its paper."""

from typing import Any

import pytest

from paretoib.search import driver
from paretoib.specs import SEARCHES, SweepSpec, with_overrides


@pytest.mark.parametrize(
    ("method", "off", "varied"),
    [
        ("mib", {"adaptive": True, "smooth": True}, {"mu", "sqrted"}),
        ("mib_no_adaptive", {"adaptive": False, "smooth": True}, {"mu", "sqrted"}),
        ("mib_no_smooth", {"adaptive": True, "smooth": False, "mu": 0.2}, {"sqrted"}),
        ("mib_no_sqrted", {"adaptive": True, "smooth": True, "sqrted": 0}, {"mu"}),
    ],
)
@pytest.mark.parametrize("search", ["adaptive", "random", "optuna-tpe"])
def test_an_ablation_has_its_part_switched_off_in_every_trial(
    method: str, off: dict[str, Any], varied: set[str], search: str
) -> None:
    """No search switches it on or varies a field without effect; other fields vary."""
    assert search in SEARCHES
    spec = SweepSpec.from_document({"method": method, "search": search})
    trials = driver(spec).ask(64)
    for trial in trials:
        assert {name: trial.get(name) for name in off} == off
    for name in ("mu", "sqrted"):
        assert (len({trial.get(name) for trial in trials}) > 1) == (name in varied)


def test_an_ablation_is_mib_with_a_switch() -> None:
    """The method's name and the switch give the same trial."""
    document = {"method": "mib", "weighting": {"name": "mib", "smooth": False}}
    by_hand, named = (
        SweepSpec.from_document({**d, "seeds": [0]})
        for d in (document, {"method": "mib_no_smooth"})
    )
    assert by_hand.template == named.template
    switched_on = with_overrides({"method": "mib_no_smooth"}, {"smooth": True})
    assert switched_on.weighting["smooth"]
