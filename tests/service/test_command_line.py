"""A command with `--server` prints the same as a command on the service's store."""

import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import run as call
from typing import Any

import pytest

Run = Callable[..., Any]
GRID, MIB = "a grid of β", "adaptive weights"
SMALL = ("--method", "vib", "--set", "hidden=[8]", "--set", "latent=2", "--epochs", "1")


@pytest.mark.parametrize(
    "command",
    [
        ("front", GRID),
        ("front", MIB, "--json"),
        ("front", "gaussian", "--json"),
        ("front", GRID, "--trials"),
        ("front", GRID, "--where", "beta<0.003", "--where", "rate_bits>1"),
        ("compare", MIB, "--against", GRID),
        ("compare", MIB, "--against", GRID, "--json"),
        ("compare", MIB, "--against", GRID, "--where", "rate_bits<4"),
        ("pick", GRID, MIB, "--max-rate", "3", "--json"),
        ("pick", MIB, "--knee"),
        ("methods",),
        ("methods", "--json"),
        # A service has no entries that need files or code of one machine, so the lists differ.
        ("datasets", "digits", "--json"),
        ("models", "mlp", "--json"),
        ("searches", "--json"),
        ("presets",),
        ("presets", "mib-table1"),
        ("presets", "--json"),
        ("watch", GRID, "--json"),
        ("watch", MIB),
        ("watch", "gaussian"),
        # These commands print only on stderr.
        ("show", "nosuch"),
        ("show", ""),
        ("front", "not begun"),
        ("front", GRID, "--where", "bta<1"),
        ("pick", GRID, "--prefer", "0.5"),
        ("pick", MIB),
        ("compare", GRID, "--against", GRID),
        ("compare", GRID, "--against", "gaussian"),
        ("cancel", GRID),
    ],
)
def test_a_command_prints_the_same_on_a_service_and_its_store(
    sample: Any, run: Run, run_remotely: Run, command: tuple[str, ...]
) -> None:
    """A command has the same stdout and exit code on a service as on the service's store.

    If stdout is empty, stderr is the same too.
    """
    local = run(sample.store, *command)
    remote = run_remotely(sample.served, *command)
    assert (remote.code, remote.out) == (local.code, local.out)
    if not local.out:
        assert remote.err == local.err


def test_list_prints_the_same_for_ended_sweeps(
    fresh_store: Path,
    serve: Callable[..., Any],
    make_sweep: Callable[..., Any],
    run: Run,
    run_remotely: Run,
) -> None:
    """`list` prints the same ended sweeps on a service as on the service's store.

    Running sweeps may differ, because only the writer's machine sees whether the writer still runs.
    """
    statuses = ("finished", "interrupted", "failed")
    for i, status in enumerate(statuses):
        make_sweep(fresh_store, 4, name=f"sweep {i}", status=status)
    with serve(fresh_store) as served:
        local, remote = run(fresh_store, "list"), run_remotely(served, "list")
        assert (remote.code, remote.out) == (local.code, local.out)
        assert all(status in local.out for status in statuses)
        states = [
            without_links(command.document["sweeps"])
            for command in (
                run(fresh_store, "list", "--json"),
                run_remotely(served, "list", "--json"),
            )
        ]
        assert states[0] == states[1]
        assert [state["status"] for state in states[0]] == [*reversed(statuses)]


def without_links(states: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The states without the links to MLflow: the service and this machine have different ones."""
    return [{name: v for name, v in state.items() if name != "mlflow_url"} for state in states]


def test_show_links_to_the_page_of_the_service(sample: Any, run: Run, run_remotely: Run) -> None:
    """On a service, `show` finds a sweep by name, id and prefix.

    The state is the same as on the store; the address is the sweep's page on the service.
    """
    id_ = sample.sweeps[GRID].id
    local = run(sample.store, "show", GRID, "--json").document
    for name in (GRID, id_, id_[:8]):
        remote = run_remotely(sample.served, "show", name, "--json", who="reader").document
        assert without_links([remote["sweep"]]) == without_links([local["sweep"]])
        assert remote["address"] == f"{sample.served.address}/sweeps/{id_}"
        assert remote.keys() == local.keys() == {"schema", "sweep", "models", "address"}
    assert run_remotely(sample.served, "show", GRID).out.count("look: http") == 1


def test_figures_are_equal_on_a_service_and_its_store(
    sample: Any, run: Run, run_remotely: Run, tmp_path: Path
) -> None:
    """The files of `--html`, `--png` and `--plane` are equal on a service and on its store."""
    plane = tmp_path / "plane.png"
    for command in (("front", GRID, "--plane", str(plane)), ("compare", MIB, "--against", GRID)):
        outputs = []
        for call_on, target in ((run, sample.store), (run_remotely, sample.served)):
            html, png = tmp_path / "figure.html", tmp_path / "figure.png"
            assert call_on(target, *command, "--html", str(html), "--png", str(png)).code == 0
            # Plotly gives its element a random id.
            without_id = re.sub(r"[0-9a-f-]{36}", "", html.read_text())
            outputs.append((without_id, png.read_bytes(), plane.read_bytes()))
        assert outputs[0] == outputs[1]


def test_tables_are_equal_on_a_service_and_its_store(
    sample: Any, run: Run, run_remotely: Run, tmp_path: Path
) -> None:
    """`--table` writes CSV or Parquet by suffix: a row for each setting, or for each trial."""
    for command in (("front", GRID), ("compare", MIB, "--against", GRID)):
        for suffix in ("csv", "parquet"):
            for flags in ((), ("--trials",)):
                table, outputs = tmp_path / f"table.{suffix}", []
                for call_on, target in ((run, sample.store), (run_remotely, sample.served)):
                    ended = call_on(target, *command, *flags, "--table", str(table))
                    assert ended.code == 0, ended.err
                    outputs.append(table.read_bytes())
                assert outputs[0] == outputs[1]
                if command[0] == "front" and suffix == "csv":
                    # The sweep has four settings, and sixteen trials with the diverged ones.
                    assert len(outputs[0].splitlines()) == (17 if flags else 5)


def test_a_flag_overrides_the_setting_of_the_server(
    sample: Any, run: Run, tmp_path: Path, token_of: dict[str, str]
) -> None:
    """`--server ''` uses the store on this machine although PARETOIB_SERVER names a service."""
    settings = {"PARETOIB_SERVER": sample.served.address, "PARETOIB_TOKEN": token_of["reader"]}
    assert len(run(tmp_path, "list", "--json", **settings).document["sweeps"]) == 5
    assert run(tmp_path, "list", "--json", "--server", "").document["sweeps"] == []


def test_remote_commands_load_no_torch_ray_or_mlflow(sample: Any, token_of: dict[str, str]) -> None:
    """Commands on a service start fast, because they load no torch, Ray or MLflow."""
    code = (
        "import sys\nfrom paretoib.cli import main\ntry: main()\nexcept SystemExit: pass\n"
        "print(*{n.partition('.')[0] for n in sys.modules}, file=sys.stderr)"
    )
    variables = {"PARETOIB_SERVER": sample.served.address, "PARETOIB_TOKEN": token_of["reader"]}
    for command in (["list"], ["compare", MIB, "--against", GRID], ["watch", GRID]):
        ended = call(
            [sys.executable, "-c", code, *command],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ended.stdout
        assert {"torch", "ray", "mlflow"}.isdisjoint(ended.stderr.split())


@pytest.mark.parametrize(
    ("command", "who", "message"),
    [
        (("submit", *SMALL), "reader", "scope write; `reader` has read"),
        (("cancel", "not begun"), "reader", "scope write; `reader` has read"),
        (("submit", "--trials", "3000"), "writer", "at most 2000; found 3000"),
        (("submit", "--method", "vibb"), "writer", "did you mean `vib`"),
        (("list",), "wrong", "does not accept the token in PARETOIB_TOKEN"),
        (("list",), "none", "needs a token: set PARETOIB_TOKEN"),
    ],
)
def test_an_error_of_the_service_is_printed_as_one_line(
    sample: Any,
    run_remotely: Run,
    token_of: dict[str, str],
    command: tuple[str, ...],
    who: str,
    message: str,
) -> None:
    """After an error of the service, the exit code is 2, and stdout is empty.

    The line on stderr does not have the token.
    """
    ended = run_remotely(sample.served, *command, who=who)
    (line,) = ended.err.splitlines()
    assert (ended.code, ended.out) == (2, "")
    assert line.startswith("error: ")
    assert message in line
    assert not token_of[who] or token_of[who] not in line


def test_a_service_that_does_not_answer_is_an_error(run_remotely: Run, sample: Any) -> None:
    """If a service does not answer, the error has the service's address and the reason.

    `sweep --dry-run` needs no service.
    """
    unreachable = replace(sample.served, address="http://127.0.0.1:9")
    assert run_remotely(unreachable, "list").err == (
        "error: no answer from http://127.0.0.1:9: Connection refused\n"
    )
    dry = run_remotely(unreachable, "sweep", *SMALL, "--dry-run", "--json")
    assert dry.document["method"] == "vib"


def test_a_sweep_whose_name_looks_like_a_path_is_found(
    fresh_store: Path, serve: Callable[..., Any], make_sweep: Callable[..., Any], run_remotely: Run
) -> None:
    """The client sends names in the query, because a slash would end a part of the URL's path."""
    names = ("paper/figure 1", "..", "%2F")
    ids = [make_sweep(fresh_store, 0, name=name, status="running").id for name in names]
    with serve(fresh_store) as served:
        for name, id_ in zip(names, ids, strict=True):
            assert run_remotely(served, "show", name, "--json").document["sweep"]["id"] == id_
