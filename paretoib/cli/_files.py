"""Options that name files for figures and tables, and the writing of these files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from paretoib.errors import ParetoIBError, StoreError

HtmlFile = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="Also write an interactive HTML figure to this file."
    ),
]
FigureFile = Annotated[
    Path | None,
    typer.Option(
        "--figure",
        metavar="FILE",
        help="Also write a figure to this file, as PNG, PDF or SVG by its suffix.",
    ),
]
PngFile = Annotated[
    Path | None,
    typer.Option("--png", metavar="FILE", help="The same as --figure, for a PNG only."),
]
PlaneFile = Annotated[
    Path | None,
    typer.Option(
        "--plane",
        metavar="FILE",
        help="Also write the information plane during training to this file, as PNG, PDF or SVG "
        "by its suffix.",
    ),
]
Axis = Annotated[
    Literal["linear", "log"] | None,
    typer.Option(
        help="Axis of the rate in figures. Default: log if the rates span more than a factor of "
        "ten."
    ),
]
TableFile = Annotated[
    Path | None,
    typer.Option(
        "--table",
        metavar="FILE",
        help="Also write the numbers to this file, as CSV or Parquet by its suffix.",
    ),
]
SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "html": (".html", ".htm"),
    "figure": (".png", ".pdf", ".svg"),
    "png": (".png",),
    "plane": (".png", ".pdf", ".svg"),
    "table": (".csv", ".parquet"),
}


def check_files(axis: str | None, **files: Path | None) -> None:
    """Raise `ParetoIBError` for a wrong suffix, for two options with one file, and for no file."""
    paths = {option: path for option, path in files.items() if path is not None}
    for option, path in paths.items():
        suffixes = SUFFIXES[option]
        # A path without a suffix may be a pipe.
        if path.suffix.lower() not in ("", *suffixes):
            expected = suffixes[:1] if option == "html" else suffixes
            raise ParetoIBError(
                f"--{option}: should end in {' or '.join(expected)}; found `{path}`"
            )
    if len({path.absolute() for path in paths.values()}) < len(paths):
        options = " and ".join(f"--{option}" for option in paths)
        raise ParetoIBError(f"{options}: should be different files; found `{path}` twice")
    if axis is not None and not paths.keys() - {"table"}:
        options = ", ".join(f"--{option}" for option in files if option != "table")
        raise ParetoIBError(f"--axis: should have a figure, by one of {options}; found none")


def write(path: Path | None, content: Callable[[Any], bytes], default: str = "png") -> None:
    """Write what `content` returns for the format of the file.

    The format is the suffix of the file, or `default` without a suffix.
    """
    if path is None:
        return
    suffix = path.suffix.lower().removeprefix(".")
    try:
        path.write_bytes(content(suffix or default))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    typer.echo(f"wrote {path}", err=True)
