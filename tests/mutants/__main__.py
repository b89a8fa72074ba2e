"""``make mutants``: put mistakes into each room, one at a time, and count those its tests notice.

``MUTANTS='bucket publish'`` tries these rooms alone, ``MUTANTS='--count 100'`` more of each.
"""

from __future__ import annotations

import argparse
import os
from contextlib import chdir

from tests.mutants.results import keep_result, result_of
from tests.mutants.rooms import ROOMS, Room
from tests.mutants.sample import all_mutants, sample
from tests.mutants.verdicts import prepare_folder, try_mutants

_COUNT = 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    names = [room.name for room in ROOMS]
    parser.add_argument("rooms", nargs="*", metavar="room", help=", ".join(names))
    parser.add_argument("--count", type=int, default=_COUNT, help="mutants of each room")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if unknown := set(given.rooms) - set(names):
        parser.error(f"no such room: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    for room in ROOMS:
        if not given.rooms or room.name in given.rooms:
            _try(room, given.count, given.jobs)


def _try(room: Room, count: int, jobs: int) -> None:
    with chdir(prepare_folder(room)):
        mutants = all_mutants(room)
    tried = sample(mutants, count)
    result = result_of(mutants, tried, try_mutants(room, tried, jobs))
    keep_result(room.name, result)
    for lot, text in result.survivors.items():
        print(f"{lot} {text}")
    print(f"{room.name}: {result.noticed} of {result.tried} noticed ({result.share:.0%})")


if __name__ == "__main__":
    main()
