"""``python -m stack.dag_runs FOLDER DATE CONF DAG_ID...``: ``airflow dags test``, DAG after DAG.

One process runs them all: to import Airflow, and to build the API that a task talks to, takes most
of the time of such a run. Each DAG's log goes into the folder; the first that fails is the last.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path

NOT_SUCCESSFUL = 1


def main() -> int:
    """Run the DAGs and return the exit code; standard output has a line for each that succeeded."""
    folder, date, conf, *dag_ids = sys.argv[1:]
    for dag_id in dag_ids:
        started = time.monotonic()
        if not run_dag(Path(folder) / f"{dag_id}.log", dag_id, date, conf):
            return NOT_SUCCESSFUL
        text = f"airflow dags test {dag_id} {date}"
        print(f"{text:<52} {time.monotonic() - started:6.1f} s", flush=True)
    return 0


def run_dag(log_path: Path, dag_id: str, date: str, conf: str) -> bool:
    """Run one DAG, with both streams of this process in its log; return whether it succeeded."""
    from airflow.cli.cli_parser import get_parser

    arguments = get_parser().parse_args(["dags", "test", dag_id, date, "--conf", conf])
    kept = os.dup(1), os.dup(2)
    with log_path.open("wb") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
        try:
            arguments.func(arguments)
        except SystemExit as end:
            print(end.code)
            return not end.code
        except Exception:  # noqa: BLE001 (it is in the log, as with the command itself)
            traceback.print_exc()
            return False
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for stream, descriptor in zip((1, 2), kept, strict=True):
                os.dup2(descriptor, stream)
                os.close(descriptor)
    return True


if __name__ == "__main__":
    sys.exit(main())
