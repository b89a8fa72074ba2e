"""``make up`` and ``make down``: the demo's servers, kept running, with Airflow's user interface.

``up`` leaves one supervising process running, which holds every server and a lock; ``down`` ends
only that process, and waits until it has stopped the servers.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from airflow_provider.earthengine.demo.servers import PROJECT
from stack.airflow import DAGS_FOLDER, AirflowHome
from stack.emulator import demo_emulator
from stack.environment import PROJECT_FOLDER
from stack.postgres import postgres
from stack.processes import StackError, interrupts_unwind
from stack.scheduler import scheduled_airflow
from stack.seaweedfs import SeaweedFS

FOLDER = PROJECT_FOLDER / "build" / "kept"
LOCK = FOLDER / "lock"
ADDRESSES = FOLDER / "addresses.json"
LOG = FOLDER / "stack.log"
COMMAND = FOLDER / "airflow"
EXPORTS = FOLDER / "connections.sh"
_START_SECONDS = 180
_STOP_SECONDS = 90


def main(arguments: list[str]) -> int:
    """Run the command in the single argument, and return the exit code."""
    commands = {"up": up, "down": down, "serve": serve}
    if len(arguments) != 1 or arguments[0] not in commands:
        print("usage: python -m stack.kept up | down", file=sys.stderr)
        return 2
    try:
        with interrupts_unwind():
            commands[arguments[0]]()
    except KeyboardInterrupt:
        return 130
    except (StackError, OSError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 1
    return 0


def up() -> None:
    """Start the supervising process, wait until everything answers, and print the addresses."""
    if _holder() is None:
        _start_supervisor()
    elif not ADDRESSES.exists():
        raise StackError("another `make up` is still running: wait, or run `make down`")
    addresses = json.loads(ADDRESSES.read_text())
    print(f"Airflow   {addresses['airflow']}   (no login)")
    print(f"S3        {addresses['s3']}   bucket demo, key {SeaweedFS.access_key}")
    print(f"Emulator  {addresses['emulator']}   project {PROJECT}")
    print(f"Logs      {FOLDER.relative_to(PROJECT_FOLDER)}/")
    print(_next_steps(addresses["airflow"]))


def _next_steps(url: str) -> str:
    dags, command, exports = (
        path.relative_to(PROJECT_FOLDER) for path in (DAGS_FOLDER, COMMAND, EXPORTS)
    )
    return f"""
Open {url}/dags, switch on landsat_to_s3, and trigger it: the form's defaults will do.
Compare what it wrote with its items: . {exports}; .venv/bin/earthengine-to-s3 verify s3://demo/
Put your own DAGs into {dags}/; they appear within half a minute.
Run Airflow's command as {command}, for example: {command} dags list
Stop it all with `make down`."""


def _start_supervisor() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with LOG.open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "stack.kept", "serve"],
            cwd=PROJECT_FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    try:
        while not ADDRESSES.exists():
            if supervisor.poll() is not None:
                raise StackError(LOG.read_text().strip() or "the stack ended immediately")
            if time.monotonic() > deadline:
                raise StackError(f"the stack is not ready after {_START_SECONDS} s: see {LOG}")
            time.sleep(0.2)
    except BaseException:
        if supervisor.poll() is None:
            supervisor.terminate()
            supervisor.wait()
        raise


def down() -> None:
    """End the supervising process, and wait until it has stopped its servers."""
    holder = _holder()
    if holder is None:
        print("nothing to stop")
        return
    os.kill(holder, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _holder() is not None:
        if time.monotonic() > deadline:
            raise StackError(f"process {holder} has not ended after {_STOP_SECONDS} s: see {LOG}")
        time.sleep(0.2)
    print("stopped")


def _holder() -> int | None:
    """Return the process id of the supervising process; None if there is none.

    The lock shows whether the recorded id is still that process; ids alone can be reused.
    """
    try:
        with LOCK.open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read())
    except FileNotFoundError:
        pass
    return None


def serve() -> None:
    """Run every server until a signal arrives; fail if one of them does not start."""
    with _held_lock(), contextlib.ExitStack() as parts:
        s3 = parts.enter_context(SeaweedFS(buckets=["demo"]))
        earth_engine = parts.enter_context(demo_emulator(FOLDER))
        database = parts.enter_context(postgres())
        connections = {
            "earthengine_default": earth_engine.airflow_connection,
            "aws_default": s3.airflow_connection,
        }
        airflow = parts.enter_context(
            scheduled_airflow(postgres=database, connections=connections, log_folder=FOLDER)
        )
        _write_command(airflow.home)
        _write_exports(connections)
        _write_addresses(
            {"airflow": airflow.url, "s3": s3.endpoint_url, "emulator": earth_engine.url}
        )
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
        ADDRESSES.unlink(missing_ok=True)


def _write_command(home: AirflowHome) -> None:
    """Write a program that is ``airflow`` in the environment of the stack."""
    variables = " ".join(shlex.quote(f"{name}={text}") for name, text in home.environment.items())
    COMMAND.write_text(f'#!/bin/sh\nexec env -i {variables} {home.program} "$@"\n')
    # It holds the keys of the stack.
    COMMAND.chmod(0o700)


def _write_exports(connections: dict[str, str]) -> None:
    lines = [
        f"export AIRFLOW_CONN_{name.upper()}={shlex.quote(text)}\n"
        for name, text in connections.items()
    ]
    EXPORTS.write_text("".join(lines))


def _write_addresses(addresses: dict[str, str]) -> None:
    # Renamed into place, so that a reader never sees an incomplete file.
    part = ADDRESSES.with_suffix(".part")
    part.write_text(json.dumps(addresses))
    part.rename(ADDRESSES)


@contextlib.contextmanager
def _held_lock() -> Iterator[Path]:
    with LOCK.open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield LOCK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
