"""JSON of which something is wrong: one place replaced, removed or doubled.

It is the same each time, except by `make fuzz`, which takes twenty times as many new ones.
"""

from __future__ import annotations

import copy
import logging
import math
import random
from collections.abc import Iterator
from typing import Any

from tests.support.drawn import is_fuzz, times_as_many

log = logging.getLogger(__name__)


def nested(depth: int) -> Any:
    """Return lists in objects in lists and so on."""
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


WRONG_VALUES: tuple[Any, ...] = (
    *(None, True, False, "", "text", "NaN", "Infinity", "-12", "\ud800", "\x00\n", "x" * 200_000),
    *(-1, 0, 7, 0.5, 2**53 + 1, 10**400, -(10**400), 1e300, math.nan, math.inf, -math.inf),
    *([], {}, [1, 2], {"type": "Image"}, {"type": "Date", "value": math.nan}, list(range(500))),
    *(nested(20), nested(200)),
)


def mutations(value: Any, count: int, seed: int) -> Iterator[Any]:
    """Yield copies of the value, each wrong in one place or two; see :func:`times_as_many`.

    :param value: JSON data.
    :param seed: the same seed gives the same copies; `make fuzz` takes one of its own.
    """
    if is_fuzz():
        seed = random.SystemRandom().randrange(2**32)
        log.warning("The seed is %d.", seed)
    chance = random.Random(seed)
    for _ in range(times_as_many(count)):
        mutated = copy.deepcopy(value)
        for _ in range(chance.choice((1, 1, 1, 2))):
            mutated = _mutated(mutated, chance)
        yield mutated


def _mutated(value: Any, chance: random.Random) -> Any:
    places = list(_places(value))
    if not places or chance.random() < 0.02:
        return chance.choice(WRONG_VALUES)
    container, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del container[key]
        case 1 if isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        case 2:
            container[key] = [container[key]]
        case _:
            container[key] = copy.deepcopy(chance.choice(WRONG_VALUES))
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with each of its keys, however deep."""
    waiting = [value] if isinstance(value, dict | list) else []
    while waiting:
        container = waiting.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            yield container, key
            if isinstance(container[key], dict | list) and container[key]:
                waiting.append(container[key])
