"""The command line: parses the arguments, calls a backend, prints the result.

Importing this package loads none of pydantic, numpy and torch, so `paretoib --help` is fast.
"""

import gc
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

import paretoib
from paretoib.cli import (
    _catalogue,
    _export,
    _extend,
    _follow,
    _inspect,
    _manage,
    _measure,
    _pick,
    _run,
)
from paretoib.cli.serve import command
from paretoib.errors import ParetoIBError, ServiceFaultError

app = typer.Typer(
    help="Pareto fronts of information-bottleneck objectives, measured with the same estimators "
    "and reference point.",
    epilog="Exit codes: 0 success; 1 no trial finished, or an internal error; 2 wrong usage; "
    "130 interrupted. With --debug, errors are printed with a traceback.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_MODULES = (
    *(_run, _follow, _extend, _inspect, _pick, _export, _measure, _manage),
    *(command, _catalogue),
)
for _module in _MODULES:
    for _command in _module.COMMANDS:
        app.command(_command.__name__.rstrip("_"))(_command)


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"paretoib {paretoib.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """The options that go before a command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: runs a command, prints an error as one line, and exits."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in words
    words = _inspect.repeat_against([word for word in words if word != "--debug"])
    _prepare_terminal()
    code = _execute(words, debug=debug)
    # At exit, the garbage collector would spend seconds on the objects of torch, Ray and MLflow.
    gc.freeze()
    sys.exit(code)


def _prepare_terminal() -> None:
    """Make output possible in every encoding, and ignore a terminal width of 0."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if not os.environ.get("COLUMNS", "").strip("0"):
        os.environ.pop("COLUMNS", None)


def _execute(arguments: list[str], *, debug: bool) -> int:
    command = typer.main.get_command(app)
    try:
        # `app()` would turn Ctrl-C into an exit code that a command may return too.
        with command.make_context("paretoib", arguments) as context:
            return command.invoke(context) or 0
    except typer.Exit as exit_:
        return exit_.exit_code
    except KeyboardInterrupt as interrupt:
        return _print_line(str(interrupt) or "interrupted", 130)
    except BrokenPipeError:
        # The reader of stdout has closed the pipe, as `| head` does. Python flushes stdout at exit,
        # and that must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ServiceFaultError as error:
        return _print_error(str(error), 1, debug=debug)
    except ParetoIBError as error:
        return _print_error(str(error), 2, debug=debug)
    except typer.Abort:
        return _print_line("interrupted", 130)
    except Exception as error:
        # The parser's usage errors have this method; typer does not export their class.
        if hasattr(error, "format_message"):
            return _print_line(f"error: {_usage_error(error)}", 2)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return _print_error(f"{text} (--debug prints the traceback)", 1, debug=debug)


def _usage_error(error: Any) -> str:
    """The text of a usage error; for a wrong value: the flag, the rule and the value found."""
    from pydantic import ValidationError

    from paretoib.documents import rule

    if isinstance(cause := error.__cause__, ValidationError):
        return f"{error.param.opts[0]}: {rule(cause)}"
    return str(error.format_message())


def _print_error(text: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    return _print_line(f"error: {text}", code)


def _print_line(line: str, code: int) -> int:
    typer.echo(line, err=True)
    return code
