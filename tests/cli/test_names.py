"""Several sweeps with one name: the newest is used, and tables show their ids."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
SMALL = ("--method", "vib", "--set", "hidden=[8]", "--epochs", "1")


@pytest.fixture
def shared_name_ids(run: Run, tmp_path: Path) -> list[str]:
    """The ids of two sweeps named `shared`, newest first; the store also has a sweep `other`."""
    for name, beta in (("other", 1), ("shared", 0.1), ("shared", 0.01)):
        flags = ("--set", f"beta={beta}", "--name", name)
        assert run(tmp_path, "train", *SMALL, *flags).code == 0
    listed = run(tmp_path, "list", "--json").document["sweeps"]
    return [sweep["id"] for sweep in listed if sweep["name"] == "shared"]


def test_the_newest_sweep_with_a_name_is_used_with_a_note(
    run: Run, tmp_path: Path, shared_name_ids: list[str]
) -> None:
    """If several sweeps have the name, commands use the newest one and say so on stderr.

    An id causes no note. The note is not on stdout, because stdout may be JSON.
    """
    note = f"`shared` names 2 sweeps: took the newest, {shared_name_ids[0][:8]}\n"
    for command in (("front",), ("front", "--json"), ("show", "--json")):
        result = run(tmp_path, *command, "shared")
        assert (result.code, result.err) == (0, note)
        assert shared_name_ids[0][:8] in result.out
    compared = run(tmp_path, "compare", "other", "--against", "shared", "--json")
    assert compared.err == note
    assert [sweep["id"] for sweep in compared.document["right"]["sweeps"]] == shared_name_ids[:1]
    assert run(tmp_path, "watch", "shared").err.startswith(note)
    assert run(tmp_path, "cancel", "shared").err.startswith(note)
    for sweep in (*shared_name_ids, shared_name_ids[1][:8], "other"):
        assert run(tmp_path, "front", sweep).err == ""


def test_tables_show_the_ids_of_their_sweeps(
    run: Run, tmp_path: Path, shared_name_ids: list[str]
) -> None:
    """The heading of a table has the first eight characters of a sweep's id.

    For several sweeps on one side of a comparison, it has their number.
    """
    old, new = (id_[:8] for id_ in reversed(shared_name_ids))
    assert run(tmp_path, "front", old).out.startswith(f"shared ({old}): vib on digits, finished")
    compared = run(tmp_path, "compare", old, "--against", new).out
    heading = compared.partition("hypervolume")[0]
    assert (heading.count(old), heading.count(new)) == (1, 1)
    other = run(tmp_path, "show", "other", "--json").document["sweep"]["id"][:8]
    pooled = run(tmp_path, "compare", "other", "--against", old, new).out
    heading = pooled.partition("hypervolume")[0]
    assert other in heading
    assert "2 sweeps" in heading
    assert max(map(len, pooled.splitlines())) <= 80
