"""Every order in which attempts can do their steps: explored by replaying each from the start.

An attempt is real code in a greenlet, which is stopped before each of its requests. What it does
next follows from what it was answered, so two schedules that lead to the same store, after which
each attempt has seen the same, go on alike: one of them is followed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from greenlet import GreenletExit, getcurrent, greenlet

from tests.support.memory_s3 import MemoryClient, Store

GO = "go"
LOSE_REQUEST, LOSE_ANSWER, REPEAT = "lose request", "lose answer", "repeat"
FAULTS = (LOSE_REQUEST, LOSE_ANSWER, REPEAT)
"""A request that does not arrive; one whose answer does not; and one that the client therefore
sends again, so that what it is answered is the second answer."""

_URL = "http://127.0.0.1"


def next_id() -> str:
    """Return an id that the attempt which asks has not had before, nor anybody else."""
    thread = getcurrent()
    assert isinstance(thread, Thread)
    return thread.next_id()


Run = Callable[[MemoryClient], Any]
Step = tuple[int, str]
"""Whose turn it is, and how the request goes."""


class Thread(greenlet):
    """A greenlet that numbers what it has to make unique, so that it is the same in each run."""

    def __init__(self, name: str, run: Callable[[], None]) -> None:
        super().__init__(run)
        self._name = name
        self._count = 0

    def next_id(self) -> str:
        self._count += 1
        return f"{self._name}.{self._count}"


@dataclass
class Actor:
    """One attempt under way.

    :param waiting: the request that it is stopped before; None once it has ended.
    :param seen: what it was answered so far.
    :param outcome: what it returned or raised.
    """

    name: str
    thread: Thread
    waiting: str | None = None
    seen: list[Any] = field(default_factory=list)
    outcome: Any = None

    @property
    def story(self) -> str:
        """What it did so far, for people."""
        steps = [f"{what} ({answer[:60]})" for what, _, answer in self.seen]
        return "; ".join([*steps, repr(self.outcome)])

    @property
    def has_ended(self) -> bool:
        return bool(self.thread.dead)


class World:
    """Attempts at a store, stopped before their next requests.

    :param runs: what each attempt does with the client that it is given, by its name.
    """

    def __init__(self, store: Store, runs: dict[str, Run]) -> None:
        self.store = store
        self._home = threading.get_ident()
        self._is_over = False
        self.actors = [self._begin(name, run) for name, run in runs.items()]
        for actor in self.actors:
            actor.waiting = actor.thread.switch()

    def step(self, number: int, how: str = GO) -> None:
        """Let one attempt send the request that it is stopped before, and go on to its next."""
        actor = self.actors[number]
        actor.waiting = actor.thread.switch(how)

    def state(self) -> Any:
        return self.store.state(), tuple(
            (tuple(actor.seen), repr(actor.outcome)) for actor in self.actors
        )

    def close(self) -> None:
        """End what is still under way, without a trace."""
        self._is_over = True
        for actor in self.actors:
            if not actor.has_ended:
                actor.thread.throw(GreenletExit)

    def _begin(self, name: str, run: Run) -> Actor:
        def live() -> None:
            try:
                actor.outcome = run(client)
            except Exception as error:  # noqa: BLE001 - the outcome is what is looked at
                actor.outcome = error

        actor = Actor(name, Thread(name, live))
        client = MemoryClient(self.store, name, lambda what, act: self._pass(actor, what, act))
        return actor

    def _pass(self, actor: Actor, what: str, act: Callable[[], Any]) -> Any:
        assert threading.get_ident() == self._home, what
        if self._is_over:
            raise GreenletExit
        parent = getcurrent().parent
        assert parent is not None
        how = parent.switch(what)
        if self._is_over:
            raise GreenletExit
        try:
            answer = _send(how, act)
        except Exception as error:
            actor.seen.append((what, how, repr(error)))
            raise
        actor.seen.append((what, how, repr(answer)))
        return answer


def _send(how: str, act: Callable[[], Any]) -> Any:
    if how == LOSE_REQUEST:
        raise EndpointConnectionError(endpoint_url=_URL)
    if how == LOSE_ANSWER:
        with suppress(ClientError):  # That answer is lost, too.
            act()
        raise ReadTimeoutError(endpoint_url=_URL)
    if how == REPEAT:
        with suppress(ClientError):
            act()
    return act()


@dataclass
class Exploration:
    """What was explored.

    :param states: how many states there are.
    :param schedules: how many schedules were followed to a state of their own, or to their end.
    """

    states: int = 0
    schedules: int = 0


def explore(
    make: Callable[[], World],
    check: Callable[[World, Sequence[Step]], None],
    faults: int = 0,
    found: Exploration | None = None,
) -> Exploration:
    """Follow every schedule, and call ``check`` in every state.

    :param make: makes the world as it is before the first step; each time alike.
    :param faults: how many requests of a schedule may go wrong.
    """
    found = found or Exploration()
    seen: set[Any] = set()
    todo: list[tuple[Step, ...]] = [()]
    while todo:
        path = list(todo.pop())
        world = make()
        try:
            for step in path:
                world.step(*step)
            found.schedules += 1
            while _is_new(world, path, seen, faults):
                found.states += 1
                check(world, path)
                first, *others = [*_next(world, path, faults), None]
                todo.extend((*path, each) for each in others if each)
                if first is None:
                    break
                path.append(first)
                world.step(*first)
        finally:
            world.close()
    return found


def _is_new(world: World, path: Sequence[Step], seen: set[Any], faults: int) -> bool:
    left = faults - sum(how != GO for _, how in path)
    state = hash((world.state(), left))
    is_new = state not in seen
    seen.add(state)
    return is_new


def _next(world: World, path: Sequence[Step], faults: int) -> Iterator[Step]:
    may_fail = sum(how != GO for _, how in path) < faults
    for number, actor in enumerate(world.actors):
        if not actor.has_ended:
            for how in (GO, *FAULTS) if may_fail else (GO,):
                yield number, how
