"""The text of a running sweep's progress, and when a line is due."""

from datetime import UTC, datetime
from typing import Any

import pytest

from paretoib.progress import FIRST_SECONDS, LINE_SECONDS, ProgressLines, ProgressText
from paretoib.records import PackProgress, RunningPacks, SweepState, TrialCounts


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def text(clock: Clock) -> ProgressText:
    return ProgressText("mib-digits", "starting Ray", clock=clock)


def state(finished: int = 0, *packs: tuple[int, int, int], **fields: Any) -> SweepState:
    """The state of a sweep of 12 trials; a pack is (trials, epoch, epochs)."""
    training = [PackProgress(trials=n, epoch=epoch, epochs=of) for n, epoch, of in packs]
    counts = {"stopped": fields.pop("stopped", 0), "failed": fields.pop("failed", 0)}
    return SweepState(
        **{
            **{"id": "0" * 32, "name": "mib-digits", "method": "mib", "dataset": "digits"},
            **{"status": "running", "spec": {}, "started": datetime.now(UTC)},
            "trials": TrialCounts(total=12, finished=finished, **counts),
            "packs": RunningPacks.of(training),
            **fields,
        }
    )


def test_a_line_has_trials_epoch_elapsed_and_remaining_time(
    text: ProgressText, clock: Clock
) -> None:
    """The remaining time is estimated from the progress.

    Progress includes the epochs of trials in training: here it is 3 + 6 · 24/50 of 12 trials.
    """
    text.show(state(0, (9, 0, 50)))
    clock.now += 40
    text.show(state(3, (6, 24, 50)))
    assert text.line == ("mib-digits: 3/12 trials · epoch 24/50 · 0:40 elapsed · about 0:42 left")


def test_the_line_before_the_first_state_says_what_is_started(
    text: ProgressText, clock: Clock
) -> None:
    """Without a state, the line has the name, what is being started, and the elapsed time."""
    clock.now += 3723
    assert text.line == "mib-digits: starting Ray · 1:02:03 elapsed"


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (state(), "0/12 trials · starting workers · 0:00 elapsed"),
        (state(submitted=datetime.now(UTC)), "0/12 trials · waiting for the cluster"),
        (state(2, stopped=1, failed=3), "6/12 trials · 1 stopped · 3 failed · 0:00 elapsed"),
        (state(0, (1, 9, 10), (2, 10, 40), (1, 39, 40)), "0/12 trials · epoch 10/40 · "),
    ],
)
def test_a_line_says_what_the_workers_do(text: ProgressText, shown: SweepState, words: str) -> None:
    """The epoch is that of the pack with the most epochs left; counts of zero are left out."""
    text.show(shown)
    assert text.text.startswith(words)


def test_the_remaining_time_advances_between_two_states(text: ProgressText, clock: Clock) -> None:
    """The estimate counts down while no progress is reported, and disappears when it has passed."""
    text.show(state(0, (6, 0, 50)))
    clock.now += 10
    text.show(state(6))
    assert "about 0:10 left" in text.line
    clock.now += 4
    text.show(state(6))
    assert "about 0:06 left" in text.line
    clock.now += 7
    assert "left" not in text.line


def test_trials_of_an_earlier_run_do_not_count_as_speed(text: ProgressText, clock: Clock) -> None:
    """Only trials that end after the resume count, and the start of workers does not count."""
    text.show(state(8))
    clock.now += 100
    text.show(state(8, (4, 0, 10)))
    assert "left" not in text.line
    clock.now += 10
    text.show(state(10))
    assert "about 0:10 left" in text.line


def test_a_lost_pack_gives_no_negative_time(text: ProgressText, clock: Clock) -> None:
    """If progress is lost with a worker, there is no estimate until there is new progress."""
    text.show(state(0, (4, 5, 10)))
    clock.now += 10
    text.show(state(0, (4, 0, 10)))
    assert "left" not in text.line


def test_lines_are_due_soon_and_then_every_ten_seconds(text: ProgressText, clock: Clock) -> None:
    """A run that ends at once prints nothing; after the end of a sweep no line is due."""
    lines: list[str] = []
    printer = ProgressLines(text, lines.append, clock=clock)

    def lines_after(seconds: float) -> int:
        clock.now += seconds
        printer.check()
        return len(lines)

    assert lines_after(FIRST_SECONDS - 1) == 0
    assert lines_after(1) == 1
    assert lines[0] == "mib-digits: starting Ray · 0:03 elapsed"
    text.show(state(1))
    assert lines_after(LINE_SECONDS - 1) == 1
    assert lines_after(1) == 2
    assert lines[1].startswith("mib-digits: 1/12 trials · 0:13 elapsed")
    text.show(state(12, status="finished"))
    assert lines_after(LINE_SECONDS) == 2
