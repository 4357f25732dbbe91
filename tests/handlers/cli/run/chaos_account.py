"""What came of services that were killed and started again: how far they are, how fast they were, what each said last."""

import time

from tests.handlers.cli.run.watching import rows_of

LAST_LINES = 4
"""Of what a service wrote, enough to see what it waits for."""
SETTLE_SECONDS = 60.0
"""For what is no work: a session that runs out, a rebalance, a store that starts, a commit interval, on a busy machine."""


SLOWEST = 0.3
"""Part of its rate limit that a service comes to at least, once it is left alone."""


class Pace:
    """How long a backlog may take: at the speed that the services had while they were disturbed, they are done in time.

    At most at the limit of one of them: by the luck of keys and partitions one may have nearly all that is left (seen: 147,000 of
    171,000 events, in 140 s).

    Args:
        place: what they consume.
        events: how many events there are.
        limit: events per second of one service.
    """

    def __init__(self, place, events, limit):
        self._place = place
        self._events = events
        self._limit = limit
        self._began = time.monotonic()
        self._done = 0
        self._disturbed = self._caught_up_after = None

    def end_of_disturbance(self):
        """Take note that they are left alone from now on; returns how many seconds they have for the rest."""
        self._disturbed = time.monotonic() - self._began
        self._done = self._place.committed()
        speed = min(self._limit, max(self._limit * SLOWEST, self._done / self._disturbed))
        return (self._events - self._done) / speed + SETTLE_SECONDS

    def is_caught_up(self):
        """Whether all is committed."""
        if self._caught_up_after is None and self._place.committed() == self._events:
            self._caught_up_after = time.monotonic() - self._began - self._disturbed
        return self._caught_up_after is not None

    def __str__(self):
        text = f"{self._done:,} of {self._events:,} committed in {self._disturbed:.1f} s of chaos, the others"
        if self._caught_up_after is None:
            return f"{text} not in {time.monotonic() - self._began - self._disturbed:.1f} s"
        return f"{text} in {self._caught_up_after:.1f} s"


def account(place, services, pace):
    """Say in a few lines how things stand."""
    committed = place.kafka.committed(place.group, place.topic)
    ends = place.kafka.end_offsets(place.topic)
    lag = {partition: end - committed.get(partition, 0) for partition, end in ends.items()}
    rows, ids = rows_of(place)
    lines = [
        f"{pace}; {services.kills} kills, {services.leaves} leaves",
        f"{rows:,} rows of {ids:,} events; lag by partition: {lag}",
        f"in the DLQ: {place.kafka.end_offsets(place.dlq)}",
    ]
    for number, service in enumerate(services.started):
        code = service.process.poll()
        state = "runs" if code is None else f"ended with {code}"
        lines.append(f"service {number} {state}: {' | '.join(service.lines[-LAST_LINES:])}")
    return "\n".join(lines)
