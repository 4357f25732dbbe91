"""What a router does when partitions come and go: drain in order, commit what is done, keep out of what is not ours any more."""

import threading

from millstream.router import Assignment, Cancelled, PermanentError, PoisonTopic, Router, RouterConfig, StormLimits
from millstream.router.clock import MONOTONIC
from millstream.router.delivery.context import Scope
from millstream.router.running.handler import Handler
from millstream.router.running.handler_run import HandlerRun
from millstream.router.running.runner import Retries
from millstream.router.testing import FakeSubscriber, FakeWorker, RecordingPublisher, eventually, running


class Batcher(FakeWorker):
    """Holds every message and releases what belongs to the sealed assignments at a seal."""

    def __init__(self, *, is_prompt=True, record=lambda text: None):
        super().__init__("batcher", on_seal=self._flush, on_drain=self._flush_all, record=record)
        self._is_prompt = is_prompt
        self.held = []

    def __call__(self, message):
        """Take *message* into the batch."""
        self.held.append(message.hold(self))

    def _flush(self, assignments):
        for hold in list(self.held):
            if self._is_prompt and hold.message.assignment in assignments:
                hold.release()
                self.held.remove(hold)

    def _flush_all(self, deadline):
        for hold in self.held:
            hold.release()
        return True


def batching(*, partitions=2, is_prompt=True, record=lambda text: None):
    """Return a router with a batcher behind its handler, the subscriber and the batcher."""
    subscriber, router = FakeSubscriber(partitions, record=record), Router()
    batcher = Batcher(is_prompt=is_prompt, record=record)
    router.add_consumer_handler("h", "t", subscriber, batcher)
    router.add_worker(batcher)
    return router, subscriber, batcher


def test_revoke_seals_the_workers_before_the_commit():
    """What a batcher holds is flushed at once and committed in the same revoke; other partitions are left alone."""
    journal = []
    router, subscriber, batcher = batching(record=journal.append)

    with running(router):
        subscription = subscriber.subscription
        messages = subscription.deliver(b"a", b"b", partition=0) + subscription.deliver(b"c", partition=1)
        assert eventually(lambda: all(message.is_acked for message in messages))
        revoked = subscription.assignments[0]
        is_drained = subscription.revoke(0, timeout=5.0)
        other = subscription.committed(1)

    assert batcher.sealed == [revoked]
    assert is_drained
    assert journal[1:3] == ["seal batcher", "commit t [0]"]
    assert [hold.message for hold in batcher.held] == [messages[2]]
    assert (subscription.committed(0), other) == (2, 0)


def test_poison_sink_is_told_of_revoked_and_lost_partitions_like_a_worker():
    """It may hold messages of them too: it is asked to write them, or to drop them."""
    worker, sink, gone = FakeWorker("batcher"), FakeWorker("sink"), [Assignment("t", 0)]
    handler = Handler("h", "t", FakeSubscriber(), lambda message: None, poison="drop")
    run = HandlerRun(
        handler,
        [],
        subscriber=handler.subscriber,
        publisher=None,
        scope=Scope(),
        workers=[worker],
        retries=Retries(0.0, 0.0, 1),
        close_timeout=1.0,
        limits=StormLimits(),
        fail=print,
    )
    run.sink_worker = sink
    run.revoked(gone, MONOTONIC.now() + 1.0)
    run.lost(gone)

    assert (worker.sealed, sink.sealed) == (gone, gone)
    assert (worker.abandoned, sink.abandoned) == (gone, gone)


def test_late_settlement_never_commits():
    """Invariant "own epoch only": what settles after the deadline of the revoke moves no offset, here or at the new stay."""
    router, subscriber, batcher = batching(is_prompt=False)

    with running(router):
        subscription = subscriber.subscription
        (message,) = subscription.deliver(b"x")
        assert eventually(lambda: message.is_acked)
        is_drained = subscription.revoke(0, timeout=0.05)
        subscription.assign(0)
        assert eventually(lambda: len(batcher.held) == 2)
        late, again = batcher.held
        late.release()
        after_late = subscription.committed(0)
        again.release()
        assert subscription.wait_committed(1)

    assert is_drained is False
    assert late.is_void
    assert after_late == 0
    assert again.message.offset == late.message.offset


def test_poison_record_is_written_before_the_revoke_commits():
    """The sink settles its messages within the revoke."""
    owner, publisher = object(), RecordingPublisher()
    messages = []
    worker = FakeWorker(on_seal=lambda assignments: messages[0].fail(PermanentError("bad row"), owner))
    subscriber, router = FakeSubscriber(), Router()
    router.add_worker(worker)
    router.add_consumer_handler(
        "h", "t", subscriber, lambda m: m.hold(owner) and None, poison=PoisonTopic(publisher, "dlq")
    )

    with running(router):
        messages += subscriber.subscription.deliver(b"x")
        assert eventually(lambda: messages[0].is_acked)
        is_drained = subscriber.subscription.revoke(0)

    assert is_drained
    assert len(publisher.messages("dlq")) == 1
    assert subscriber.subscription.committed() == 1


def test_lost_partition_is_abandoned_and_commits_nothing():
    """A loss is told to the workers; what they hold is void and a settlement afterwards moves nothing."""
    router, subscriber, batcher = batching()

    with running(router):
        subscription = subscriber.subscription
        (message,) = subscription.deliver(b"x")
        assert eventually(lambda: message.is_acked)
        lost = subscription.assignments[0]
        subscription.lose(0)
        void = batcher.held[0].is_void
        batcher.held[0].release()

    assert batcher.abandoned == [lost]
    assert void is True
    assert subscription.committed(0) == 0


def test_hold_on_a_lost_partition_is_refused_inside_a_running_chain():
    """A handler that goes on after the loss cannot put anything into a batch; that is no failure of the message."""
    entered, go_on = threading.Event(), threading.Event()
    publisher, ends = RecordingPublisher(), []

    def work(message):
        entered.set()
        go_on.wait(10)
        try:
            message.hold("batcher")
        except Cancelled:
            ends.append("cancelled")
            raise

    subscriber, router = FakeSubscriber(), Router(RouterConfig(max_redeliveries=0))
    router.add_consumer_handler("h", "t", subscriber, work, poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert entered.wait(10)
        subscriber.subscription.lose(0)
        go_on.set()
        assert eventually(lambda: ends)

    assert publisher.messages() == []
    assert subscriber.subscription.committed() == 0


def test_two_revokes_follow_each_other():
    """Each revoke takes its own partition; together they leave nothing."""
    router, subscriber, _ = batching(partitions=3)

    with running(router):
        subscription = subscriber.subscription
        messages = [subscription.deliver(b"x", partition=number)[0] for number in range(3)]
        assert eventually(lambda: all(message.is_acked for message in messages))
        outcomes = [subscription.revoke(0), subscription.revoke(1, 2)]

    assert outcomes == [True, True]
    assert [subscription.committed(number) for number in range(3)] == [1, 1, 1]
    assert subscription.assignments == {}


def test_reassigned_partition_starts_at_the_commit_with_a_fresh_book():
    """The new stay delivers from the committed offset on, and its commits are its own."""
    router, subscriber, _ = batching()

    with running(router):
        subscription = subscriber.subscription
        messages = subscription.deliver(b"a", b"b")
        assert eventually(lambda: all(message.is_acked for message in messages))
        subscription.revoke(0)
        subscription.deliver(b"c")
        (assignment,) = subscription.assign(0)
        assert eventually(lambda: subscription.pending == 1)
        assert eventually(lambda: not subscription.unread)

    assert assignment.epoch == 2
    assert [(each.epoch, offset) for each, offset in subscription.commits] == [(1, 2), (2, 3)]
