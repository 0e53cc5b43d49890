"""The command line: parse the arguments, call a backend, print the result.

Importing this package loads no pydantic, numpy, torch, Ray or MLflow, so that `paretoib --help`
answers at once.
"""

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer

import paretoib
from paretoib.cli import _catalogue, _follow, _inspect, _run
from paretoib.cli.serve import command
from paretoib.errors import ParetoIBError, ServiceFaultError

app = typer.Typer(
    help="Pareto fronts of information-bottleneck objectives, measured with one ruler.",
    epilog="Exit codes: 0 success; 1 no usable trial, or an internal error; 2 invalid input; "
    "130 interrupted. --debug, anywhere on the line, prints the traceback of an error.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in (_run, _follow, _inspect, command, _catalogue):
    for _command in _module.COMMANDS:
        app.command(_command.__name__.rstrip("_"))(_command)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"paretoib {paretoib.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Run a command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: run a command, print an error as one line, exit with its code."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in words
    words = _inspect.repeat_against([word for word in words if word != "--debug"])
    code = _execute(words, debug=debug)
    # Skip the garbage collection at exit, which takes seconds with torch, Ray and MLflow loaded.
    gc.freeze()
    sys.exit(code)


def _execute(arguments: list[str], *, debug: bool) -> int:
    command = typer.main.get_command(app)
    try:
        # Not `app()`: its exit code for Ctrl-C, 130, is also one that commands return.
        with command.make_context("paretoib", arguments) as context:
            return command.invoke(context) or 0
    except typer.Exit as end:
        return end.exit_code
    except KeyboardInterrupt as interrupt:
        return _fail(str(interrupt) or "interrupted", 130)
    except BrokenPipeError:
        # The reader of our output has ended (`| head`). Python would print an error when it flushes
        # stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ServiceFaultError as error:
        return _fail(f"error: {error}", 1, debug=debug)
    except ParetoIBError as error:
        return _fail(f"error: {error}", 2, debug=debug)
    except typer.Abort:
        return _fail("interrupted", 130)
    except Exception as error:
        # typer does not export the class of usage errors; they alone have this method.
        if hasattr(error, "format_message"):
            return _fail(f"error: {_usage_message(error)}", 2)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return _fail(f"error: {text} (--debug prints the traceback)", 1, debug=debug)


def _usage_message(error: Any) -> str:
    """The message of a usage error; for an invalid value the option, the rule and the value."""
    from pydantic import ValidationError

    from paretoib.documents import rule

    if isinstance(cause := error.__cause__, ValidationError):
        return f"{error.param.opts[0]}: {rule(cause)}"
    return str(error.format_message())


def _fail(message: str, code: int, *, debug: bool = False) -> int:
    """Print the message on stderr, after the traceback if `debug` is set; returns the code."""
    if debug:
        traceback.print_exc()
    typer.echo(message, err=True)
    return code
