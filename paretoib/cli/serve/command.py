"""`paretoib serve`: MLflow, Ray and the service on this machine, by one command."""

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

    from paretoib.cli.serve.state_file import Claim

Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="The service's; by default 8000, or a free one."),
]
NoAuth = Annotated[bool, typer.Option("--no-auth", help="Ask for no token, of anyone here.")]
AsJSON = Annotated[bool, typer.Option("--json", help="One JSON document, once all answer.")]


def serve(port: Port = None, no_auth: NoAuth = False, as_json: AsJSON = False) -> int:
    """Run MLflow, Ray and the service on this machine until Ctrl-C."""
    from paretoib.cli.serve.state_file import State, claimed
    from paretoib.cli.serve.supervisor import check_port
    from paretoib.settings import settings

    store = settings().store.absolute()
    with claimed(store / "serve.json") as found:
        if isinstance(found, State):
            _show(found.addresses, {}, as_json)
            _say(f"runs already, as process {found.pid}, which has shown the tokens")
            return 0
        check_port(port)
        return _run(found, store / "logs", port, auth=not no_auth, as_json=as_json)


def _run(claim: "Claim", logs: "Path", port: int | None, *, auth: bool, as_json: bool) -> int:
    """Start all, show where they are, watch them, end them; the exit code."""
    from paretoib.cli.serve.state_file import State
    from paretoib.cli.serve.supervisor import Supervisor
    from paretoib.interrupts import interrupts_held

    _interrupt_on(signal.SIGTERM, signal.SIGHUP)
    claim.clear()
    ready = False
    try:
        claim.write(state := State.new())
        parts = Supervisor(state, logs)
        addresses, tokens = parts.start(port, auth)
        claim.write(replace(state, addresses=addresses))
        ready = True
        _show(addresses, tokens, as_json)
        if not auth:
            _say("no token is asked for: everyone on this machine may come in")
        _say("Ctrl-C ends all of it")
        while True:
            parts.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        if ready:
            return 0
        raise
    except ParetoIBError as error:
        _say(f"error: {error}")
        return 1
    finally:
        with interrupts_held():
            claim.clear()


def _interrupt_on(*signals: signal.Signals) -> None:
    for number in signals:
        # One that is ignored (`nohup`) stays so.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def _show(addresses: Mapping[str, str], tokens: Mapping[str, str], as_json: bool) -> None:
    if as_json:
        document = {"schema": 1, "addresses": addresses, "tokens": tokens}
        typer.echo(json.dumps(document, indent=2))
        return
    for name, address in addresses.items():
        typer.echo(f"{name:<8} {address}")
    if tokens:
        typer.echo("\ntokens, shown this once:")
        for name, token in tokens.items():
            typer.echo(f"{name:<8} {token}")
        typer.echo("\nput one into PARETOIB_TOKEN, read to look or write to run sweeps too, and")
        typer.echo(f"paretoib sweep --server {addresses['service']}")


def _say(line: str) -> None:
    typer.echo(line, err=True)


COMMANDS = (serve,)
