"""A program that runs several commands of `paretoib` with one Ray instance.

Its argument is a JSON list of commands, each a list of arguments. The program prints a JSON list
with the exit code, stdout and stderr of each command.
"""

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from jobs import cluster
from paretoib import cli
from paretoib.settings import settings


def run(arguments: list[str]) -> dict[str, Any]:
    """Run a command in this process; returns its exit code, stdout and stderr."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main(arguments)
        except SystemExit as end:
            return {"code": int(end.code or 0), "out": out.getvalue(), "err": err.getvalue()}
    raise AssertionError("`main` should raise SystemExit")


def main() -> None:
    """Run the commands; `sweep` uses the Ray that is running."""
    with cluster.ray_instance(settings()):
        results = [run(arguments) for arguments in json.loads(sys.argv[1])]
    print(json.dumps(results))


if __name__ == "__main__":
    main()
