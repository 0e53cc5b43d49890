"""The command `paretoib serve`."""

import json
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from paretoib.cli import _render
from paretoib.cli._options import AsJSON
from paretoib.errors import ParetoIBError

if TYPE_CHECKING:
    from pathlib import Path

    from paretoib.cli.serve.state_file import StateFile

_CHECK_SECONDS = 0.5

Port = Annotated[
    int | None,
    typer.Option(
        min=1, max=65535, help="Port of the service. Default: 8000, or a free port if it is taken."
    ),
]
NoAuth = Annotated[
    bool,
    typer.Option(
        "--no-auth", help="Require no token: every user of this machine can use the service."
    ),
]


def serve(port: Port = None, no_auth: NoAuth = False, as_json: AsJSON = False) -> int:
    """Run MLflow, Ray and the service on this machine until Ctrl-C."""
    from paretoib.cli.serve.state_file import State, lock_state_file
    from paretoib.cli.serve.supervisor import check_port
    from paretoib.settings import settings

    store = settings().store.absolute()
    with lock_state_file(store / "serve.json") as file:
        if isinstance(file, State):
            _print_addresses(file.addresses, {}, as_json)
            _render.message(f"already running as process {file.pid}, which has printed the tokens")
            return 0
        check_port(port)
        return _run(file, store / "logs", port, auth=not no_auth, as_json=as_json)


def _run(
    state_file: "StateFile", logs: "Path", port: int | None, *, auth: bool, as_json: bool
) -> int:
    """Start all processes, print their addresses, watch and end them; returns the exit code."""
    from paretoib.cli.serve.state_file import State
    from paretoib.cli.serve.supervisor import Supervisor
    from paretoib.interrupts import deferred_interrupts

    _raise_interrupt_on(signal.SIGTERM, signal.SIGHUP)
    # End what an earlier process, which was killed, has left.
    state_file.clear()
    ready = False
    try:
        state_file.write(state := State.new())
        supervisor = Supervisor(state, logs)
        addresses, tokens = supervisor.start(port, auth)
        state_file.write(replace(state, addresses=addresses))
        ready = True
        _print_addresses(addresses, tokens, as_json)
        if not auth:
            _render.message("no token is required: every user of this machine has access")
        _render.message("Ctrl-C ends all processes")
        while True:
            supervisor.check()
            time.sleep(_CHECK_SECONDS)
    except KeyboardInterrupt:
        if ready:
            return 0
        raise
    except ParetoIBError as error:
        _render.message(f"error: {error}")
        return 1
    finally:
        with deferred_interrupts():
            state_file.clear()


def _raise_interrupt_on(*signals: signal.Signals) -> None:
    """Raise `KeyboardInterrupt` for these signals, except those that are ignored (`nohup`)."""
    for number in signals:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _print_addresses(
    addresses: Mapping[str, str], tokens: Mapping[str, str], as_json: bool
) -> None:
    if as_json:
        document = {"schema": 1, "addresses": addresses, "tokens": tokens}
        typer.echo(json.dumps(document, indent=2))
        return
    for name, address in addresses.items():
        typer.echo(f"{name:<8} {address}")
    if tokens:
        typer.echo("\ntokens (not printed again):")
        for name, token in tokens.items():
            typer.echo(f"{name:<8} {token}")
        typer.echo("\nset PARETOIB_TOKEN to one of them (read: look; write: also run sweeps), then")
        typer.echo(f"paretoib sweep --server {addresses['service']}")


COMMANDS = (serve,)
