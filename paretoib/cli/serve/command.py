"""The command `paretoib serve`: starts the processes, prints their addresses, and ends them."""

import json
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from paretoib.errors import ParetoIBError

if TYPE_CHECKING:
    from pathlib import Path

    from paretoib.cli.serve.state_file import StateFile

Port = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        metavar="PORT",
        help="Port of the service. Default: 8000, or a free port.",
    ),
]
NoAuth = Annotated[
    bool, typer.Option("--no-auth", help="Give every user of this machine access without a token.")
]
AsJSON = Annotated[
    bool, typer.Option("--json", help="Print addresses and tokens as one JSON document.")
]


def serve(port: Port = None, no_auth: NoAuth = False, as_json: AsJSON = False) -> int:
    """Run MLflow, Ray and the service on this machine until Ctrl-C."""
    from paretoib.cli.serve.ports import check_port
    from paretoib.cli.serve.state_file import ServeState, locked_state_file
    from paretoib.settings import settings

    store = settings().store.absolute()
    with locked_state_file(store / "serve.json") as file:
        if isinstance(file, ServeState):
            _print_addresses(file.addresses, {}, as_json)
            _message(f"already running as process {file.pid}, which has printed the tokens")
            return 0
        check_port(port)
        return _run(file, store / "logs", port, auth=not no_auth, as_json=as_json)


def _run(file: "StateFile", logs: "Path", port: int | None, *, auth: bool, as_json: bool) -> int:
    """Start all processes, supervise them until Ctrl-C, then end them; returns the exit code."""
    from paretoib.cli.serve.state_file import ServeState
    from paretoib.cli.serve.supervisor import Supervisor
    from paretoib.interrupts import deferred_interrupts

    _interrupt_on(signal.SIGTERM, signal.SIGHUP)
    file.clear()
    ready = False
    try:
        file.write(state := ServeState.new())
        supervisor = Supervisor(state, logs, _message)
        addresses, tokens = supervisor.start(port, auth)
        file.write(replace(state, addresses=addresses))
        ready = True
        _print_addresses(addresses, tokens, as_json)
        if not auth:
            _message("authentication is off: every user of this machine has access")
        _message("Ctrl-C ends everything")
        while True:
            supervisor.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        if ready:
            return 0
        raise
    except ParetoIBError as error:
        _message(f"error: {error}")
        return 1
    finally:
        with deferred_interrupts():
            file.clear()


def _interrupt_on(*signals: signal.Signals) -> None:
    """Raise `KeyboardInterrupt` for these signals; ignored signals (`nohup`) stay ignored."""
    for number in signals:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _print_addresses(
    addresses: Mapping[str, str], tokens: Mapping[str, str], as_json: bool
) -> None:
    # Ray's token gives full control over this user's account, so nothing prints it, and its address
    # is of no use without the token.
    addresses = {name: address for name, address in addresses.items() if name != "ray"}
    if as_json:
        document = {"schema": 1, "addresses": addresses, "tokens": tokens}
        typer.echo(json.dumps(document, indent=2))
        return
    for name, address in addresses.items():
        typer.echo(f"{name:<8} {address}")
    if tokens:
        typer.echo("\ntokens, printed only once:")
        for name, token in tokens.items():
            typer.echo(f"{name:<8} {token}")
        typer.echo("\nset PARETOIB_TOKEN to a token (only `write` may run sweeps), then use")
        typer.echo(f"paretoib sweep --server {addresses['service']}")


def _message(line: str) -> None:
    typer.echo(line, err=True)


COMMANDS = (serve,)
