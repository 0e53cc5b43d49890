"""Which models a sweep keeps: `ModelCollector` on a worker, `KeptModels` in the sweep's process."""

import logging
from collections.abc import Callable, Sequence
from itertools import count

import pytest

from jobs.models import KeptModels, ModelCollector, ModelLimit, SentModel
from jobs.sweep_run import SweepRun
from paretoib.records import Metrics, ReferencePoint, TrialRecord
from paretoib.search import driver
from paretoib.specs import SweepSpec
from paretoib.tracking import MemoryTracker, Ruler

RULER = Ruler(ReferencePoint(rate_bits=33.2, lost_bits=3.32), 3.32)
SIZE = 100  # bytes of a model
NUMBERS = count()


def record(
    rate: float | None,
    lost: float,
    accuracy: float = 0.5,
    *,
    seed: int = 0,
    status: str = "finished",
) -> TrialRecord:
    """A trial with this point on the test split, and this accuracy on the validation split."""
    metrics = Metrics(
        examples=1,
        rate_bits=rate,
        rate_lower_bits=rate,
        rate_se_bits=0.0,
        relevance_bits=3.32 - lost,
        relevance_se_bits=0.0,
        ceiling_bits=3.32,
        lost_bits=lost,
        cross_entropy_bits=lost,
    )
    finished = status == "finished"
    return TrialRecord(
        trial=f"{next(NUMBERS):016x}",
        spec={"seed": seed},
        status=status,
        validation=metrics.model_copy(update={"accuracy": accuracy}) if finished else None,
        test=metrics if finished else None,
    )


def sent(records: Sequence[TrialRecord], size: int = SIZE) -> list[SentModel]:
    return [SentModel(r.trial, size, r.trial.encode()) for r in records if r.status == "finished"]


def kept_after(models: KeptModels, *packs: Sequence[TrialRecord]) -> set[str]:
    """The trials whose models are kept after these packs."""
    kept: set[str] = set()
    for pack in packs:
        added, dropped = models.add(pack, sent(pack))
        assert dropped <= kept
        kept = kept - dropped | {trial for trial, model in added.items() if model.file.kept}
        assert all((model.content is not None) == model.file.kept for model in added.values())
    return kept


def keys(*records: TrialRecord) -> set[str]:
    return {record.trial for record in records}


# A front of three points, a dominated trial that is the best on the validation split, the best of
# another seed, a dominated trial, and a trial without a rate.
FRONT = [record(1, 3), record(2, 2), record(3, 1)]
BEST, OTHER_SEED = record(4, 2.5, 0.9), record(5, 2.6, 0.7, seed=1)
DOMINATED, BASELINE = record(6, 3), record(None, 0.5)
ALL = [*FRONT, BEST, OTHER_SEED, DOMINATED, BASELINE]


@pytest.mark.parametrize("size", [1, 3, 7])
def test_all_models_are_kept_up_to_the_limit(size: int) -> None:
    """At the limit all models are kept, whatever the packs."""
    packs = [ALL[i : i + size] for i in range(0, len(ALL), size)]
    models = KeptModels(len(ALL) * SIZE / 1e6)
    assert kept_after(models, *packs) == keys(*ALL)
    assert models.limit == ModelLimit(len(ALL) * SIZE)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_above_the_limit_the_models_that_results_name_are_kept(
    size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The front, the best of each seed and the baselines are kept, in packs of any size.

    The log says so once, and further workers are told to choose.
    """
    models = KeptModels((len(ALL) - 0.5) * SIZE / 1e6)
    packs = [ALL[i : i + size] for i in range(0, len(ALL), size)]
    with caplog.at_level(logging.INFO):
        assert kept_after(models, *packs) == keys(*ALL) - keys(DOMINATED)
        assert models.limit.chosen
        models.add([record(7, 3)], [])
    (message,) = caplog.messages
    assert message.startswith("the models of the sweep are larger than 0.00065 MB")


def test_a_model_that_leaves_the_front_is_dropped() -> None:
    """A new trial that dominates two points takes their place; earlier trials do not come back."""
    models = KeptModels(6.5 * SIZE / 1e6)
    assert kept_after(models, ALL) == keys(*ALL) - keys(DOMINATED)
    better = record(0.5, 1.5)
    added, dropped = models.add([better], sent([better]))
    assert dropped == keys(*FRONT[:2])
    assert added[better.trial].file.kept
    worse = record(0.6, 1.6)
    added, dropped = models.add([worse], sent([worse]))
    assert dropped == set()
    assert added[worse.trial].file.missing == models.reason


def test_a_limit_below_the_front_is_not_exceeded() -> None:
    """If not all of these models fit, the best of each seed come first, then the baselines."""
    for number, expected in (
        (1, keys(BEST)),
        (2, keys(BEST, OTHER_SEED)),
        (3, keys(BEST, OTHER_SEED, BASELINE)),
        (4, keys(BEST, OTHER_SEED, BASELINE, FRONT[2])),
    ):
        assert kept_after(KeptModels(number * SIZE / 1e6), ALL) == expected
    assert kept_after(KeptModels(0.5 * SIZE / 1e6), ALL) == set()


def test_a_limit_of_0_keeps_no_model() -> None:
    """No worker sends a model, and models of an earlier run stay in the store."""
    models = KeptModels(0)
    assert models.limit == ModelLimit(0)
    assert kept_after(models, ALL) == set()
    collector = ModelCollector(models.limit)
    collector(ALL, SIZE, lambda trial: pytest.fail(trial))
    assert collector.models == []


def test_a_trial_without_a_model_does_not_count() -> None:
    """Only finished trials have models."""
    models = KeptModels(1)
    diverged = record(1, 1, status="diverged")
    added, _ = models.add([diverged, FRONT[0]], sent([diverged, FRONT[0]]))
    assert added.keys() == keys(FRONT[0])


def test_a_worker_sends_what_may_be_kept() -> None:
    """A pack below the limit is sent; of a larger pack, the models that its results name.

    A model that is not sent has its size. No worker sends more than the limit.
    """
    cases: list[tuple[ModelLimit, set[str]]] = [
        (ModelLimit(7 * SIZE), keys(*ALL)),
        (ModelLimit(7 * SIZE, chosen=True), keys(*ALL) - keys(DOMINATED)),
        (ModelLimit(7 * SIZE - 1), keys(*ALL) - keys(DOMINATED)),
        (ModelLimit(2 * SIZE), keys(BEST, OTHER_SEED)),
    ]
    for limit, expected in cases:
        collector = ModelCollector(limit)
        collector(ALL, SIZE, lambda trial: trial.encode() * 6)
        assert keys(*ALL) == {model.trial for model in collector.models}
        with_content = {model.trial for model in collector.models if model.content}
        assert with_content == expected, limit
        for model in collector.models:
            assert model.size == (6 * 16 if model.content else SIZE)
    assert "content" not in repr(collector.models), "Tune formats all results as text"


def test_the_rest_of_a_split_pack_shares_the_limit() -> None:
    """A pack that is trained in parts sends no more than the limit in total."""
    collector = ModelCollector(ModelLimit(2 * SIZE))
    for one in FRONT:
        collector([one], SIZE, lambda _: b"x" * SIZE)
    assert sum(model.content is not None for model in collector.models) == 2


@pytest.fixture
def begun() -> Callable[[MemoryTracker, SweepSpec, str, float], SweepRun]:
    """`begun(store, spec, id, megabytes)` begins a sweep of the store in a new process."""

    def begin(store: MemoryTracker, spec: SweepSpec, sweep_id: str, megabytes: float) -> SweepRun:
        run = SweepRun(
            spec,
            store.state(sweep_id),
            store,
            RULER,
            driver(spec),
            lambda _: None,
            models=KeptModels(megabytes),
        )
        run.begin()
        return run

    return begin


def test_a_resumed_sweep_continues_by_the_rule(
    begun: Callable[[MemoryTracker, SweepSpec, str, float], SweepRun],
) -> None:
    """A sweep that is resumed keeps the same models as a sweep that was not interrupted.

    With a lower limit it drops models when it begins; with 0 it keeps those that it has.
    """
    spec = SweepSpec.from_document({"method": "vib", "grid": {"beta": "1e-3:1:7"}})
    trials = [
        one.model_copy(update={"trial": trial.key, "spec": trial.document})
        for one, trial in zip(ALL, driver(spec).ask(7), strict=True)
    ]
    store = MemoryTracker()
    sweep_id = store.create(spec).id

    def kept() -> list[bool]:
        files = {file.trial: file.kept for file in store.models(sweep_id).files}
        return [files[trial.trial] for trial in trials]

    limit = 6.5 * SIZE / 1e6
    begun(store, spec, sweep_id, limit).add(trials[:3], sent(trials[:3]))
    run = begun(store, spec, sweep_id, limit)
    assert not run.model_limit.chosen
    run.add(trials[3:], sent(trials[3:]))
    # The spec has one seed, so that the other seed's best trial is an ordinary one.
    assert kept() == [True, True, True, True, False, False, True]
    assert store.models(sweep_id).limit_mb == limit
    begun(store, spec, sweep_id, 0)
    assert sum(kept()) == 5
    begun(store, spec, sweep_id, 2 * SIZE / 1e6)
    assert kept() == [False, False, False, True, False, False, True]
    with store.open_model(sweep_id, trials[3].trial) as file:
        assert file.read() == trials[3].trial.encode()
