"""The progress of packs, which workers write to files and the job reads."""

from pathlib import Path

from jobs.progress import WRITE_SECONDS, ProgressFiles, ProgressWriter
from paretoib.records import PackProgress, RunningPacks


def progress(epoch: int, trials: int = 4) -> PackProgress:
    return PackProgress(trials=trials, epoch=epoch, epochs=10)


def test_the_job_reads_the_packs_in_flight(tmp_path: Path) -> None:
    """The summary has the slowest pack and the mean share of epochs, without ended packs."""
    files = ProgressFiles(tmp_path / "progress")
    paths = [files.add(name) for name in ("a", "b", "waiting")]
    assert files.read() is None
    ProgressWriter(paths[0]).write(progress(2))
    ProgressWriter(paths[1]).write(progress(6, trials=4))
    assert files.read() == RunningPacks(count=2, trials=8, epoch=2, epochs=10, completed=0.4)
    files.remove("a")
    assert files.read() == RunningPacks(count=1, trials=4, epoch=6, epochs=10, completed=0.6)
    assert not paths[0].exists()
    files.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_worker_writes_at_most_every_few_seconds(tmp_path: Path) -> None:
    """The first progress is written at once, the next after `WRITE_SECONDS`."""
    files, now = ProgressFiles(tmp_path), [0.0]
    writer = ProgressWriter(files.add("pack"), clock=lambda: now[0])
    epochs = []
    for epoch, time in enumerate((0.0, WRITE_SECONDS / 2, WRITE_SECONDS, WRITE_SECONDS * 1.5)):
        now[0] = time
        writer.write(progress(epoch))
        packs = files.read()
        assert packs is not None
        epochs.append(packs.epoch)
    assert epochs == [0, 0, 2, 2]


def test_a_folder_that_cannot_be_used_stops_no_training(tmp_path: Path) -> None:
    """Neither a write into a file's place nor a damaged file is an error."""
    (tmp_path / "file").write_text("")
    files = ProgressFiles(tmp_path / "file")
    ProgressWriter(files.add("pack")).write(progress(1))
    assert files.read() is None
    files = ProgressFiles(tmp_path)
    files.add("damaged").write_text("{")
    assert files.read() is None
