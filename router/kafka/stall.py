"""Whether a client has lost its way to brokers that are there.

librdkafka gives up each broker that an answer does not name. A broker that was frozen, or is cut off from its controllers, names
none for a moment; then a client may be left with nobody to ask, and wait for ever without a word (librdkafka issue 5301, open
with 2.16). Only a new client helps. The old one must not be closed, as that waits for brokers as well.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from loguru import logger

from .probe import Asking, Probe, has_answer

STATISTICS_SECONDS = 2.0
"""Between librdkafka's statistics, which tell whether a broker is connected."""
ANSWER_SECONDS = 1.0
"""How long our own client has for an answer that another gets at once."""
HANGING_SECONDS = 60.0
"""After which an asking that has not ended is given up: the opening and the end of its client have no limit of their own."""
PATIENCE_SECONDS = 10.0
"""How long ours may fail where others succeed: as long as librdkafka waits at most before it connects again."""
TRYING_SECONDS = 45.0
"""The same while it is connecting: that may take 30 s, after such a wait, where packets were dropped."""
KNOWN = frozenset({"configured", "learned"})
"""Where a broker comes from that leads to others; what else librdkafka lists is a group's coordinator, and itself."""
IDLE = frozenset({"INIT", "DOWN"})
"""The states of a broker that librdkafka does not try to reach."""


class _Broker(msgspec.Struct):
    source: str
    state: str


class _Statistics(msgspec.Struct):
    brokers: dict[str, _Broker]


DECODER = msgspec.json.Decoder(_Statistics)


class StallWatch:
    """Tells when a client has to be replaced. For the thread that polls it only.

    Args:
        open_another: opens a client with the same settings, on a thread of its own; may raise ConfigurationError.
    """

    def __init__(self, open_another: Callable[[], Asking]) -> None:
        self.is_cut_off = False
        """Whether no broker was connected when librdkafka last said so; `is_stalled` has something to do only then."""
        self._is_trying = False
        self._open_another = open_another
        self._probe: Probe | None = None
        self._next_probe = 0.0
        self._failing_since: float | None = None

    def on_statistics(self, text: str) -> None:
        """Take in the statistics of the client, in JSON."""
        try:
            brokers = DECODER.decode(text).brokers.values()
        except msgspec.DecodeError as error:  # a client id with a quote in it breaks librdkafka's JSON
            logger.bind(reason=str(error)).debug("Kafka statistics not understood")
            return
        states = {each.state for each in brokers if each.source in KNOWN}
        self.is_cut_off = "UP" not in states
        self._is_trying = not states <= IDLE
        if not self.is_cut_off:
            self.forget()

    def forget(self) -> None:
        """Begin anew: what was found out says nothing about the next trouble."""
        self._failing_since = self._probe = None

    def is_stalled(self, client: Asking, now: float) -> bool:
        """Tell whether *client* has had no answer for `PATIENCE_SECONDS` while others had one.

        To be asked again and again while `is_cut_off`. Returns at once, but for `ANSWER_SECONDS` now and then where others have
        an answer. *now* in monotonic seconds.
        """
        if self._probe is None:
            if now >= self._next_probe:
                self._probe = Probe(self._open_another, now)
            return False
        if not self._probe.is_over and now - self._probe.since < HANGING_SECONDS:
            return False
        is_answered, self._probe = self._probe.is_answered, None
        self._next_probe = now + STATISTICS_SECONDS
        if not is_answered or has_answer(client, ANSWER_SECONDS):
            self._failing_since = None
            return False
        if self._failing_since is None:
            self._failing_since = now
        return now - self._failing_since >= (TRYING_SECONDS if self._is_trying else PATIENCE_SECONDS)
