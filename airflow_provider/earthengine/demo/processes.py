"""Child processes on loopback that cannot outlive their parent.

Nothing here knows which program it runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.1"

# linux/prctl.h: "Set the parent-death signal of the calling process".
# Source: https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html, 2026-11-22
_PR_SET_PDEATHSIG = 1
# Loaded before any fork: the child may not take locks between fork and exec.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def loopback() -> str:
    """Return loopback's address, as Airflow's ``hostname_callable``."""
    return LOOPBACK


class StackError(Exception):
    """A server did not start, ended early or refused; the text is one sentence for people."""


def free_ports(count: int) -> list[int]:
    """Return that many distinct TCP ports that were free on loopback a moment ago."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind((LOOPBACK, 0))
        return [listener.getsockname()[1] for listener in listeners]


def check_free_port(port: int) -> None:
    """Raise if something listens on this port of loopback.

    :raises StackError: if it does.
    """
    with socket.socket() as listener:
        # A server's closed connections linger; they do not hold the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError as error:
            text = f"port {port} of {LOOPBACK} cannot be used ({error.strerror}); name another"
            raise StackError(text) from None


@dataclass
class ChildProcess:
    """A running program in its own process group, and the file with its output."""

    name: str
    process: subprocess.Popen[bytes]
    log_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def log_text(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_until(self, is_ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Wait until the program is ready; raise with its last output if it is not.

        :raises StackError: if it ended, or did not become ready in time.
        """
        deadline = time.monotonic() + timeout_seconds
        while not is_ready():
            code = self.process.poll()
            if code is not None:
                raise StackError(f"{self.name} ended with code {code}: {self.last_words()}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{self.name} is not ready after {timeout_seconds:.0f} s: {self.last_words()}"
                )
            time.sleep(0.05)

    def last_words(self) -> str:
        """Return the end of the program's output, on one line."""
        return " / ".join(self.log_text().split("\n")[-6:]).strip(" /") or "no output"

    def stop(self, *, grace_seconds: float = 5.0) -> None:
        """End the program: SIGTERM, a grace period, then SIGKILL to its whole group."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(grace_seconds)
        self.kill()

    def kill(self) -> None:
        """End the program and all its children at once."""
        end_group(self.process)


def end_group(process: subprocess.Popen[Any]) -> None:
    """Kill a process that leads a group, and the group; wait until it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log_path: Path,
    user_id: int | None = None,
    grace_seconds: float = 5.0,
) -> Iterator[ChildProcess]:
    """Run a program; always stop it when the block ends.

    :param log_path: standard output and error are appended, so that a restart keeps earlier output.
    :param user_id: drop root for this user and the group with the same id.
    """
    with contextlib.ExitStack() as cleanup:
        with interrupts_wait():
            child = start(
                name, command, environment=environment, log_path=log_path, user_id=user_id
            )
            cleanup.callback(child.stop, grace_seconds=grace_seconds)
        yield child


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log_path: Path,
    user_id: int | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> ChildProcess:
    """Start a program in its own session; the caller stops it. See :func:`running`.

    :param death_signal: what it gets when this process ends without having stopped it.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            user=user_id,
            group=user_id,
            extra_groups=None if user_id is None else [],
            # Its own session: Ctrl-C reaches only this process, which ends the children in order.
            start_new_session=True,
            preexec_fn=partial(die_with_parent, death_signal),  # noqa: PLW1509 (one system call, no lock taken)
        )
    return ChildProcess(name, process, log_path)


def die_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """Make Linux end this new child, whose program has not started yet, when its parent ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)


def answers(url: str) -> bool:
    """Return whether a GET of this loopback URL gets a 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class _Interrupts:
    """Whether a signal may raise now, and whether one arrived while it must not."""

    def __init__(self) -> None:
        self._held_back = 0
        self._pending = False

    def arrive(self, _number: int, _frame: object) -> None:
        if self._held_back:
            self._pending = True
        else:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def wait(self) -> Iterator[None]:
        self._held_back += 1
        try:
            yield
        finally:
            self._held_back -= 1
        if self._pending and not self._held_back:
            self._pending = False
            raise KeyboardInterrupt


_INTERRUPTS = _Interrupts()
# For a block that starts something and registers its clean-up: an interrupt between the two would
# leave it running.
interrupts_wait = _INTERRUPTS.wait


@contextlib.contextmanager
def interrupts_unwind() -> Iterator[None]:
    """Make SIGTERM and SIGHUP unwind the block like Ctrl-C, so that everything is stopped."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, _INTERRUPTS.arrive) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
