"""The program ``earthengine-to-s3``: errors become one line and an exit code."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from airflow_provider.earthengine.cli.exit_codes import INTERRUPTED, exit_code_of
from airflow_provider.earthengine.exceptions import EarthEngineProviderError, TransientError

# What the extra "cli" brings.
_NEEDED = ("click", "rich")


def main(arguments: Sequence[str] | None = None, prog: str = "earthengine-to-s3") -> int:
    """Run a command and return its exit code.

    :param prog: how the program is called in its help.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        extra = "pip install 'airflow-provider-earthengine[cli]'"
        print(f"{prog}: {', '.join(missing)} is missing: {extra}", file=sys.stderr)  # noqa: T201
        return 1
    # Read when Airflow is imported, whose lines would bury what a command shows.
    os.environ.setdefault("AIRFLOW__LOGGING__LOGGING_LEVEL", "ERROR")
    return _run(given, prog)


def _run(arguments: list[str], prog: str) -> int:
    import click

    from airflow_provider.earthengine.cli.commands import program

    try:
        # Where standalone mode is off, click returns the code of what called ctx.exit().
        code = program.main(arguments, prog, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print(f"{prog}: interrupted", file=sys.stderr)  # noqa: T201 - the command's output
        return INTERRUPTED
    except EarthEngineProviderError as error:
        _show_error(error, prog, as_json="--json" in arguments)
        return exit_code_of(error)
    return int(code or 0)


def _show_error(error: EarthEngineProviderError, prog: str, *, as_json: bool) -> None:
    name = type(error).__name__
    if as_json:
        facts = {
            "type": name,
            "message": str(error),
            "may_retry": isinstance(error, TransientError),
        }
        print(json.dumps({"error": facts}, indent=2))  # noqa: T201 - the command's output
        return
    print(f"{prog}: {name}: {error}", file=sys.stderr)  # noqa: T201 - the command's output
