"""Armed faults: each for one operation and a number of times, counted as they happen.

A fault that was armed but did not happen is an error of the test that armed it: such a test proves
nothing about what it meant to test.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, get_args

PIXELS = "thumbnails.getPixels"
COMPUTED_PIXELS = "image:computePixels"
ASSET_PIXELS = "assets.getPixels"
_PIXEL_OPERATIONS = frozenset({PIXELS, COMPUTED_PIXELS, ASSET_PIXELS})
OPERATIONS = frozenset(
    {
        "discovery",
        "algorithms",
        "value:compute",
        "thumbnails.create",
        "assets.get",
        "assets.list",
        "token",
        *_PIXEL_OPERATIONS,
    }
)


@dataclass(frozen=True)
class Status:
    """An error answer.

    :param reason: Google's name of the cause, for example ``rateLimitExceeded``.
    :param message: None for the usual text of the code.
    :param retry_after: the value of the Retry-After header; None to send none.
    """

    kind: ClassVar[str] = "status"
    code: int
    reason: str | None = None
    message: str | None = None
    retry_after: str | None = None


@dataclass(frozen=True)
class Refuse:
    """The connection is reset, and new ones are refused for a while, as during a restart."""

    kind: ClassVar[str] = "refuse"
    seconds: float = 0.5


@dataclass(frozen=True)
class Reset:
    """The connection is reset.

    :param share: after this share of the body (0 to 1); None: before the headers.
    """

    kind: ClassVar[str] = "reset"
    share: float | None = None


@dataclass(frozen=True)
class Cut:
    """The body ends early, and the connection is closed properly.

    :param tells_length: whether Content-Length is that of the whole body, so that a client can
        notice the loss; otherwise it is that of the sent part.
    """

    kind: ClassVar[str] = "cut"
    share: float = 0.5
    tells_length: bool = True


@dataclass(frozen=True)
class Stall:
    """The body pauses after a share of it; then the rest follows."""

    kind: ClassVar[str] = "stall"
    share: float = 0.5
    seconds: float = 3600.0


@dataclass(frozen=True)
class Latency:
    """The answer is delayed."""

    kind: ClassVar[str] = "latency"
    seconds: float = 1.0


@dataclass(frozen=True)
class Flip:
    """Single bytes of the body are inverted, evenly spread."""

    kind: ClassVar[str] = "flip"
    count: int = 1


@dataclass(frozen=True)
class Html:
    """A page with status 200, as a proxy or a sign-in page would answer."""

    kind: ClassVar[str] = "html"


@dataclass(frozen=True)
class Empty:
    """No body, with status 200."""

    kind: ClassVar[str] = "empty"


@dataclass(frozen=True)
class Answer:
    """An answer with another body, sent as JSON.

    :param body: any text, JSON or not.
    """

    kind: ClassVar[str] = "answer"
    body: str
    code: int = 200


@dataclass(frozen=True)
class Expire:
    """The id of a download is no longer valid, now and later."""

    kind: ClassVar[str] = "expire"


@dataclass(frozen=True)
class Damage:
    """Complete, well-formed pixels that are not what was requested.

    :param what: a name of :data:`DAMAGES`.
    """

    kind: ClassVar[str] = "damage"
    what: str


DAMAGES = frozenset(
    {
        "dtype",
        "grid_shift",
        "grid_size",
        "bands",
        "zip_extra",
        "zip_missing",
        "zip_absolute",
        "zip_parent",
    }
)

Fault = (
    Status | Refuse | Reset | Cut | Stall | Latency | Flip | Html | Empty | Answer | Expire | Damage
)
_KINDS: dict[str, type[Fault]] = {fault.kind: fault for fault in get_args(Fault)}


class UnfiredFaultError(AssertionError):
    """Some armed faults did not happen."""


def read_fault(document: Mapping[str, Any]) -> Fault:
    """Return the fault that a JSON object describes by its ``kind`` and parameters.

    :raises ValueError: if something is unknown or missing; names it.
    """
    parameters = dict(document)
    kind = parameters.pop("kind", None)
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(sorted(_KINDS))}, not {kind!r}")
    known = {field.name for field in fields(_KINDS[kind])}
    for name in parameters:
        if name not in known:
            raise ValueError(f"the fault {kind!r} has no parameter {name!r}")
    try:
        return _KINDS[kind](**parameters)
    except TypeError as error:
        raise ValueError(f"the fault {kind!r}: {error}") from None


class ArmedFault:
    """A fault, with how often it should happen and has happened.

    :param skip: how many requests of the operation are spared first.
    """

    def __init__(self, operation: str, fault: Fault, times: int, skip: int) -> None:
        self.operation = operation
        self.fault = fault
        self.times = times
        self.fired = 0
        self.skip = skip
        self.is_released = False

    @property
    def remaining(self) -> int:
        return self.times - self.fired

    def release(self) -> None:
        """Let delayed or paused answers continue at once."""
        self.is_released = True

    def as_json(self) -> dict[str, Any]:
        parameters = {"kind": self.fault.kind, **asdict(self.fault)}
        counts = {"times": self.times, "fired": self.fired, "remaining": self.remaining}
        return {"operation": self.operation, **parameters, **counts}

    def __str__(self) -> str:
        return f"{self.fault} for {self.operation}: happened {self.fired} of {self.times} times"


class Faults:
    """The armed faults of an emulator, used in the order of arming; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._armed: list[ArmedFault] = []

    def arm(self, operation: str, fault: Fault, times: int = 1, skip: int = 0) -> ArmedFault:
        """Let a fault happen to the next requests of an operation.

        :param skip: how many of them are spared first.
        :raises ValueError: if the operation does not exist, or the fault cannot happen to it.
        """
        if operation not in OPERATIONS:
            raise ValueError(f"operation must be one of {', '.join(sorted(OPERATIONS))}")
        if isinstance(fault, Damage) and operation not in _PIXEL_OPERATIONS:
            raise ValueError(f"{operation} has no pixels to damage")
        if isinstance(fault, Damage) and fault.what not in DAMAGES:
            raise ValueError(f"what must be one of {', '.join(sorted(DAMAGES))}")
        if isinstance(fault, Expire) and operation != PIXELS:
            raise ValueError(f"{operation} has no id to expire")
        if times < 1 or skip < 0:
            raise ValueError("times must be positive, and skip not negative")
        armed = ArmedFault(operation, fault, times, skip)
        with self._lock:
            self._armed.append(armed)
        return armed

    def take(self, operation: str, can_damage: frozenset[str] | None = None) -> ArmedFault | None:
        """Return and count the armed fault that happens to this request; None if there is none.

        :param can_damage: None when a request arrives; later, when its download is known, the
            damages that are possible in it.
        """
        with self._lock:
            for armed in self._armed:
                if armed.operation != operation or not armed.remaining:
                    continue
                fault = armed.fault
                if isinstance(fault, Damage) != (can_damage is not None):
                    return None
                if isinstance(fault, Damage) and fault.what not in (can_damage or ()):
                    return None
                if armed.skip:
                    armed.skip -= 1
                    return None
                armed.fired += 1
                return armed
        return None

    def disarm(self, armed: ArmedFault) -> None:
        """Forget an armed fault."""
        with self._lock:
            self._armed = [other for other in self._armed if other is not armed]

    def clear(self) -> None:
        """Forget all armed faults."""
        with self._lock:
            self._armed.clear()

    def armed(self) -> list[ArmedFault]:
        """Return the armed faults, including those that have happened as often as they should."""
        with self._lock:
            return list(self._armed)

    def assert_all_fired(self) -> None:
        """Raise if an armed fault has not happened as often as it should.

        :raises UnfiredFaultError: if there are any; names each.
        """
        unfired = [str(armed) for armed in self.armed() if armed.remaining]
        if unfired:
            raise UnfiredFaultError("; ".join(unfired))
