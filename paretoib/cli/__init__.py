"""The command line: parse, one call, print.

Nothing heavy is imported here: `paretoib --help` answers at once.
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
    epilog="Exit codes: 0 done; 1 no usable trial, or a fault of paretoib's own; 2 wrong usage; "
    "130 interrupted. With --debug anywhere, errors come with their traceback.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in (_run, _follow, _inspect, command, _catalogue):
    for _command in _module.COMMANDS:
        app.command(_command.__name__.rstrip("_"))(_command)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paretoib {paretoib.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Run a command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script: run, print errors as one plain line, exit with the right code."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in given
    given = _inspect.spread_against([a for a in given if a != "--debug"])
    code = _execute(given, debug=debug)
    # What torch, Ray and MLflow have made would be collected for seconds, only to be given back.
    gc.freeze()
    sys.exit(code)


def _execute(arguments: list[str], *, debug: bool) -> int:
    command = typer.main.get_command(app)
    try:
        # Not `app()`, which turns Ctrl-C into an exit code that commands may return as well.
        with command.make_context("paretoib", arguments) as context:
            return command.invoke(context) or 0
    except typer.Exit as asked:
        return asked.exit_code
    except KeyboardInterrupt as interrupt:
        return _say(str(interrupt) or "interrupted", 130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ServiceFaultError as error:
        return _fail(str(error), 1, debug=debug)
    except ParetoIBError as error:
        return _fail(str(error), 2, debug=debug)
    except typer.Abort:
        return _say("interrupted", 130)
    except Exception as error:
        # What the parser finds wrong is known by its method; typer does not export the class.
        if hasattr(error, "format_message"):
            return _say(f"error: {_misused(error)}", 2)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return _fail(f"{text} (--debug shows where)", 1, debug=debug)


def _misused(error: Any) -> str:
    """What the parser finds wrong; of a value that does not fit its flag the rule and the value."""
    from pydantic import ValidationError

    from paretoib.documents import rule

    if isinstance(cause := error.__cause__, ValidationError):
        return f"{error.param.opts[0]}: {rule(cause)}"
    return str(error.format_message())


def _fail(text: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    return _say(f"error: {text}", code)


def _say(line: str, code: int) -> int:
    typer.echo(line, err=True)
    return code
