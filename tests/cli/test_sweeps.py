"""`paretoib sweep` and `train`, and the commands that read their results."""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

StoreWithSweeps = tuple[Any, Any, Any]  # see conftest.py
Run = Callable[..., Any]


def test_stdout_is_one_json_document(store_with_sweeps: StoreWithSweeps) -> None:
    """`sweep --json` prints the front with all documented keys, and exits with code 0."""
    _, linear, _ = store_with_sweeps
    assert linear.code == 0, linear.err
    document = linear.document
    assert document["schema"] == 1
    assert document["sweep"].keys() >= {"id", "name", "method", "dataset", "status", "spec"}
    assert document["reference"].keys() == {"rate_bits", "lost_bits"}
    assert document.keys() >= {"label_entropy_bits", "hypervolume", "failed"}
    assert document["cost"]["trials"] == len(document["points"]) == 4
    keys = "trial params seed rate_bits rate_lower_bits relevance_bits lost_bits accuracy"
    keys += " accuracy_sampled accuracy_one_sample"
    keys += " on_front supported beta_interval hull_gap_bits"
    assert all(point.keys() >= set(keys.split()) for point in document["points"])


def test_progress_is_printed_where_stderr_is_no_terminal(
    store_with_sweeps: StoreWithSweeps,
) -> None:
    """`sweep` prints lines with the progress on stderr, from the start of Ray on."""
    for command, name in zip(store_with_sweeps[1:], ("linear", "adaptive"), strict=True):
        first, *others = [line for line in command.err.splitlines() if " elapsed" in line]
        assert re.fullmatch(rf"{name}: starting Ray and loading the data · 0:\d\d elapsed", first)
        for line in others:
            assert re.match(rf"{name}: (starting Ray|\d/\d trials · ).*\d elapsed", line)


def test_show_prints_the_workers(store_with_sweeps: StoreWithSweeps, run: Run) -> None:
    """`show` prints the number of workers and their CPUs; `--json` has them too."""
    store, _, _ = store_with_sweeps
    workers = run(store, "show", "linear", "--json").document["sweep"]["workers"]
    assert (workers["count"], workers["gpus"]) == (1, 0.0)
    printed = f"1 worker × {workers['cpus']} CPU"
    assert any(line.startswith(printed) for line in run(store, "show", "linear").out.splitlines())


def test_the_log_of_a_sweep_has_its_trials(store_with_sweeps: StoreWithSweeps, run: Run) -> None:
    """`logs` prints the log that `sweep` has written: its start, each trial, and its end."""
    store, _, _ = store_with_sweeps
    log = run(store, "logs", "linear")
    first, *_, last = log.out.splitlines()
    assert " begins: 4 trials, 0 have ended, 1 worker × " in first
    assert log.out.count(" finished after ") == 4
    assert "4/4 trials" in last
    assert last.endswith(" · finished")
    assert run(store, "logs", "linear", "--tail", "1").out == f"{last}\n"
    assert run(store, "logs", "linear", "--follow").out == log.out


def test_two_sweeps_run_at_the_same_time(store_with_sweeps: StoreWithSweeps, run: Run) -> None:
    """Both sweeps finish in the same store, each with only its own trials."""
    store, linear, adaptive = store_with_sweeps
    assert (linear.code, adaptive.code) == (0, 0), adaptive.err
    by_name = {
        name: run(store, "front", name, "--json").document for name in ("linear", "adaptive")
    }
    assert {name: front["sweep"]["status"] for name, front in by_name.items()} == {
        "linear": "finished",
        "adaptive": "finished",
    }
    assert {name: len(front["points"]) for name, front in by_name.items()} == {
        "linear": 4,
        "adaptive": 6,
    }


def test_ray_ends_with_its_sweep(store_with_sweeps: StoreWithSweeps) -> None:
    """No process is left after the two sweeps have ended."""
    store, _, _ = store_with_sweeps
    assert store.remaining_processes() == []


def test_front_prints_the_same_document_as_sweep(
    store_with_sweeps: StoreWithSweeps, run: Run
) -> None:
    """`front --json` and `sweep --json` print the same document."""
    store, linear, _ = store_with_sweeps
    assert run(store, "front", "linear", "--json").document == linear.document


def test_a_sweep_is_found_by_name_id_and_prefix(
    store_with_sweeps: StoreWithSweeps, run: Run
) -> None:
    """A name, an id and the first characters of the id find the same sweep."""
    store, linear, _ = store_with_sweeps
    id_ = linear.document["sweep"]["id"]
    documents = [run(store, "show", ref, "--json").document for ref in ("linear", id_, id_[:6])]
    assert [document["sweep"]["id"] for document in documents] == [id_] * 3
    counts = {"total": 4, "finished": 4, "stopped": 0, "failed": 0}
    assert documents[0]["sweep"]["trials"] == counts


def test_all_sweeps_are_listed(store_with_sweeps: StoreWithSweeps, run: Run) -> None:
    """`list` names the sweeps as text and as JSON. Other tests may have added sweeps."""
    store, _, _ = store_with_sweeps
    listed = run(store, "list", "--json").document["sweeps"]
    assert {sweep["name"] for sweep in listed} >= {"linear", "adaptive"}
    assert "adaptive" in run(store, "list").out


def test_tables_fit_into_eighty_columns(store_with_sweeps: StoreWithSweeps, run: Run) -> None:
    """The table of an adaptive sweep, with five varying fields, is split into three tables."""
    store, _, adaptive = store_with_sweeps
    front = run(store, "front", "adaptive")
    assert front.out == adaptive.out
    assert max(map(len, front.out.splitlines())) <= 80
    heads = [line.split() for line in front.out.splitlines() if line.split()[:1] == ["rate"]]
    assert heads[1][1:] == ["accuracy", "sampled", "one", "sample"]
    assert heads[2][1:] == ["seeds", "init", "noise", "μ", "sqrted", "epochs"]
    rows = [line for line in front.out.splitlines() if line.strip()[:1].isdigit()]
    settings = run(store, "front", "adaptive", "--json").document["settings"]
    assert len(rows) == 3 * sum(setting["on_front"] for setting in settings)


def test_a_sweep_prints_its_page_and_a_command_to_compare(
    store_with_sweeps: StoreWithSweeps,
) -> None:
    """`sweep` prints the sweep's page and a `compare` command on stderr; stdout has the front."""
    _, _, adaptive = store_with_sweeps
    assert "look:" in adaptive.err
    assert "paretoib compare" in adaptive.err
    assert "paretoib compare" not in adaptive.out


def test_the_suggested_sweep_has_the_same_data(run: Run, tmp_path: Path) -> None:
    """`watch` suggests a second sweep on the same data: a command that is quoted for a shell.

    The command sets only the fields of the data that are not defaults.
    """
    unusual = ("--set", "correlations=[0.9, 0.5]", "--set", "samples=500")
    small = ("--dataset", "gaussian", "--epochs", "1", *unusual, "--name", "g")
    assert run(tmp_path, "train", "--method", "vib", *small).code == 0
    hint = run(tmp_path, "watch", "g").err.partition("compare:")[2].partition(", then")[0]
    _, *words = shlex.split(hint)
    assert words.count("--set") == 2
    other = run(tmp_path, *words, "--dry-run", "--json").document
    assert other["method"] == "mib"
    assert other["data"] == run(tmp_path, "show", "g", "--json").document["sweep"]["spec"]["data"]


def test_comparison_as_json_has_every_documented_key(
    store_with_sweeps: StoreWithSweeps, run: Run
) -> None:
    """`compare --json` prints a document with the keys in the documentation."""
    store, _, _ = store_with_sweeps
    document = run(store, "compare", "adaptive", "--against", "linear", "--json").document
    assert document.keys() >= {"schema", "left", "right", "points", "exact", "cost", "verdict"}
    keys = "hypervolume hypervolume_ratio epsilon igd_plus coverage p_value intervals"
    assert document["indicators"].keys() >= set(keys.split())
    assert document["points"][0].keys() >= {"side", "dominated_by_other", "hull_gap_bits"}
    assert len(document["points"]) == 10


def test_comparison_ends_with_its_verdict(store_with_sweeps: StoreWithSweeps, run: Run) -> None:
    """The text of a comparison ends with the verdict of the JSON document."""
    store, _, _ = store_with_sweeps
    arguments = (store, "compare", "adaptive", "--against", "linear")
    text = run(*arguments)
    assert text.code == 0
    verdict = run(*arguments, "--json").document["verdict"]
    assert " ".join(text.out.split()).endswith(" ".join(verdict.split()))


def test_figures_are_written_to_the_given_files(
    store_with_sweeps: StoreWithSweeps, run: Run, tmp_path: Path
) -> None:
    """`--html` writes HTML; `--png` and `--plane` write different PNGs."""
    store, _, _ = store_with_sweeps
    page, image, plane = (tmp_path / name for name in ("front.html", "front.png", "plane.png"))
    files = ("--html", str(page), "--png", str(image), "--plane", str(plane))
    assert run(store, "front", "linear", *files).code == 0
    assert "<html" in page.read_text()[:500].lower()
    for png in (image, plane):
        assert png.read_bytes().startswith(b"\x89PNG")
    assert image.read_bytes() != plane.read_bytes()


def test_the_suffix_of_a_figure_is_its_format(
    store_with_sweeps: StoreWithSweeps, run: Run, tmp_path: Path
) -> None:
    """`--figure` and `--plane` write PDF and SVG; `--axis` changes figures."""
    store, _, _ = store_with_sweeps
    pdf, svg, page = (tmp_path / name for name in ("a.pdf", "a.svg", "a.html"))
    files = ("--figure", str(pdf), "--plane", str(svg), "--html", str(page), "--axis", "linear")
    assert run(store, "front", "linear", *files).code == 0
    assert pdf.read_bytes().startswith(b"%PDF")
    assert b"<svg" in svg.read_bytes()[:1000]
    assert 'press("linear")' in page.read_text()
    comparison = ("compare", "adaptive", "--against", "linear", "--figure", str(svg))
    pictures = []
    for axis in ("linear", "log"):
        assert run(store, *comparison, "--axis", axis).code == 0
        pictures.append(svg.read_bytes())
    assert pictures[0] != pictures[1]


def test_training_one_trial_needs_no_ray(run: Run, tmp_path: Path) -> None:
    """`train` trains one trial in this process, and stores it as a sweep with one trial."""
    small = ("--set", "hidden=[8]", "--epochs", "1", "--set", "beta=0.1", "--seed", "3")
    record = run(tmp_path, "train", "--method", "vib", *small, "--name", "one", "--json").document
    assert (record["status"], record["spec"]["seed"]) == ("finished", 3)
    assert record["spec"]["weighting"]["beta"] == 0.1
    points = run(tmp_path, "front", "one", "--json").document["points"]
    assert [point["trial"] for point in points] == [record["trial"]]


def test_training_prints_the_metrics_of_each_task(run: Run, tmp_path: Path, two_tasks: str) -> None:
    """`train` prints the metrics over all tasks, then one line for each metric of each task."""
    small = ("--set", "hidden=[8]", "--epochs", "1", "--set", "beta=0.1", "--model", "mlp")
    trained = run(tmp_path, "train", "--method", "mtvib", "--dataset", two_tasks, *small)
    assert trained.code == 0, trained.err
    names = [line.partition("  ")[0] for line in map(str.strip, trained.out.splitlines())]
    large = [name.partition(": ")[2] for name in names if name.startswith("large: ")]
    assert large == [name.partition(": ")[2] for name in names if name.startswith("digit: ")]
    assert large[0] == "relevance bits"
    assert names.index("relevance bits") < names.index("digit: relevance bits")
    assert "tasks" not in trained.out
    assert max(map(len, trained.out.splitlines())) <= 80


def test_a_dry_run_is_a_config_of_the_same_sweep(run: Run, tmp_path: Path) -> None:
    """`--config` reads the output of `--dry-run`; nothing is run or stored."""
    flags = ("--method", "vib", "--grid", "beta=1e-3:1:4", "--set", "latent=8", "--seeds", "1,2")
    printed = run(tmp_path, "sweep", "--dry-run", *flags)
    config = tmp_path / "sweep.yaml"
    config.write_text(printed.out, encoding="utf-8")
    assert run(tmp_path, "sweep", "--dry-run", "--config", str(config)).out == printed.out
    as_json = run(tmp_path, "sweep", "--dry-run", "--json", *flags)
    assert as_json.document == yaml.safe_load(printed.out)
    assert as_json.document["trials"] == 8
    assert list(tmp_path.iterdir()) == [config]


def test_flags_override_the_config(run: Run, tmp_path: Path) -> None:
    """A field that the file and a flag set has the value of the flag.

    Other fields of the file are kept.
    """
    config = tmp_path / "sweep.yaml"
    config.write_text("method: vib\ntraining: {epochs: 7, learning_rate: 0.01}\nname: mine\n")
    flags = ("--config", str(config), "--epochs", "3", "--dry-run", "--json")
    document = run(tmp_path, "sweep", *flags).document
    assert document["training"]["epochs"] == 3
    assert document["training"]["learning_rate"] == 0.01
    assert document["name"] == "mine"


def test_help_and_version_are_printed(run: Run, tmp_path: Path) -> None:
    """`paretoib` without arguments prints the help, which lists every command."""
    assert run(tmp_path, "--version").out.startswith("paretoib ")
    bare = run(tmp_path)
    assert bare.code == 0
    assert bare.out == run(tmp_path, "--help").out
    listed = bare.out.partition("Commands:\n")[2].partition("\n\n")[0]
    names = "sweep submit train watch resume cancel extend front compare importance list show logs "
    names += "ui pick export measure note tag archive delete serve "
    names += "methods datasets models searches presets"
    assert [line.split()[0] for line in listed.splitlines()] == names.split()


def test_an_empty_store_suggests_a_command(run: Run, tmp_path: Path) -> None:
    """`list` on an empty folder suggests `paretoib sweep`, and creates no files."""
    listed = run(tmp_path, "list")
    assert (listed.code, listed.out) == (0, "")
    assert "paretoib sweep" in listed.err
    assert json.loads(run(tmp_path, "list", "--json").out)["sweeps"] == []
    assert list(tmp_path.iterdir()) == []
