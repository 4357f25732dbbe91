"""What a declaration fills in, and how its features choose the cases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from inspect import isfunction
from typing import Any, ClassVar

from ...delivery.content import new_uuid
from ...errors import StateError
from .features import Features, why_left_out
from .trial import Pair, Trial


class Cases(ABC):
    """A group of cases, which are its methods called `test_…`. What is not called for becomes `None` in the declaration."""

    features: ClassVar[Features]
    """What the pub/sub promises; set by the declaration."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if hasattr(cls, "features"):
            for name, case in cls._defined().items():
                setattr(cls, name, case if why_left_out(case, cls.features) is None else None)

    @classmethod
    def _defined(cls) -> dict[str, Callable[..., Any]]:
        """Return all cases as defined, whatever a parent declaration has left out of them."""
        defined: dict[str, Callable[..., Any]] = {}
        for ancestor in reversed(cls.__mro__):
            own = vars(ancestor)
            defined.update({name: own[name] for name in own if name.startswith("test_") and isfunction(own[name])})
        return defined

    @classmethod
    def left_out(cls) -> dict[str, str]:
        """Return the cases that do not run, each with the features that it needs."""
        reasons = {name: why_left_out(case, cls.features) for name, case in cls._defined().items()}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    @abstractmethod
    def make_pubsub(self, group: str) -> Pair:
        """Open a publisher and a subscriber of the consumer group *group*; without groups the name may be ignored.

        Called for each pair that a case needs, and again after it has closed one. The suite closes both.
        """

    def generate_topic(self) -> str:
        """Return the name of a topic that nobody has used; override it where names have to follow a rule."""
        return f"conformance-{new_uuid()}"

    def make_topic(self, topic: str) -> None:
        """Create *topic*, which is new, where the broker does not do so by itself. Does nothing by default."""
        return

    def stop_service(self) -> None:
        """Take the broker away, in any way, and return when it has gone. Needed with `Features.restartable` only."""
        raise self._lacks("restartable", "stop_service")

    def start_service(self) -> None:
        """Bring the broker back with what it had, and return when it is back or on its way. Needed as `stop_service` is."""
        raise self._lacks("restartable", "start_service")

    def crash_reader(self, group: str, topic: str, count: int) -> None:
        """Let a new member of *group* receive and ack *count* messages of *topic*, and end it without a close a little later.

        Needed with `Features.crashable` only; `read_and_be_killed` does it for every subscriber that another process can open.
        """
        raise self._lacks("crashable", "crash_reader")

    def _lacks(self, feature: str, method: str) -> StateError:
        return StateError(f"{type(self).__name__} says that it is {feature}: it must have {method}()")

    def trial(self) -> Trial:
        """Return a new place for one case to work in, for a `with` block."""
        return Trial(self.features, self.make_pubsub, self.make_topic, self.generate_topic)
