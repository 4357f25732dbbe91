"""The poison sink of a handler: safe records before the commit, whatever its writer does."""

import threading

import pytest

from millstream.router import (
    HALT,
    MONOTONIC,
    Assignment,
    HaltedError,
    Message,
    PermanentError,
    PoisonTopic,
    PublishError,
    Router,
    RouterConfig,
    StormLimits,
    UndrainedError,
)
from millstream.router.poison import NotWritten, ready, sink_worker
from millstream.router.poison.sink_worker import SinkWorker
from millstream.router.poison.sinks import make_sink
from millstream.router.testing import (
    FakeSubscriber,
    FakeWorker,
    RecordingHandler,
    RecordingPublisher,
    eventually,
    running,
)

DOWN = PublishError("dlq", {"u": "broker down"})
NO_RETRY = RouterConfig(nack_resend_delay=0.0, max_redeliveries=0)


def consumer(handler, publisher, config=NO_RETRY):
    """Return a router with one handler whose failures go to the topic `dlq`, and its subscriber."""
    subscriber = FakeSubscriber()
    router = Router(config)
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))
    return router, subscriber


def test_record_is_written_again_until_it_is_safe_and_intake_stops_meanwhile(monkeypatch):
    """While the writer fails nothing new is taken in; once it works everything goes on, with one record."""
    monkeypatch.setattr(sink_worker, "RETRY_SECONDS", 0.005)
    publisher, handler = RecordingPublisher(), RecordingHandler([ValueError("bad")])
    publisher.break_down(DOWN)
    router, subscriber = consumer(handler, publisher)

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"bad")
        assert publisher.wait_attempts(2)
        assert eventually(lambda: not subscription.is_being_read)
        subscription.deliver(b"good")
        assert publisher.wait_attempts(publisher.attempts + 5)
        while_down = handler.payloads, subscription.committed()
        publisher.recover()
        assert subscription.wait_committed(2)

    assert while_down == ([b"bad"], 0)
    assert handler.payloads == [b"bad", b"good"]
    assert len(publisher.messages("dlq")) == 1


def test_close_writes_what_is_left():
    """A close does not wait for the next retry: the record is written at once and its message committed."""
    publisher = RecordingPublisher([DOWN])
    router, subscriber = consumer(RecordingHandler([ValueError("bad")]), publisher)

    with running(router):
        subscriber.subscription.deliver(b"bad")
        assert publisher.wait_attempts(1)

    assert len(publisher.messages("dlq")) == 1
    assert subscriber.subscription.committed() == 1


def test_close_waits_for_the_holds_of_a_failed_message():
    """A worker that drains may still release or fail: the sink drains after it."""
    owners, delivered = [object(), object()], []
    publisher = RecordingPublisher()

    def drain(deadline):
        delivered[0].delivery.release(owners[0])
        return True

    router, subscriber = consumer(
        RecordingHandler(answer=lambda m: [m.hold(owner) for owner in owners] and None), publisher
    )
    router.add_worker(FakeWorker(on_drain=drain))

    with running(router):
        delivered += subscriber.subscription.deliver(b"x")
        assert eventually(lambda: delivered[0].is_acked)
        delivered[0].fail(PermanentError("no"), owners[1])

    assert len(publisher.messages("dlq")) == 1
    assert subscriber.subscription.committed() == 1


def test_close_waits_for_a_hold_that_no_worker_has():
    """What the user holds may come in while the sink drains, and its message still gets its record."""
    owners, delivered, publisher = [object(), object()], [], RecordingPublisher()
    release = threading.Timer(0.1, lambda: delivered[0].delivery.release(owners[0]))
    router, subscriber = consumer(
        RecordingHandler(answer=lambda m: [m.hold(owner) for owner in owners] and None), publisher
    )
    router.add_worker(FakeWorker(on_drain=lambda deadline: release.start() is None))

    with running(router):
        delivered += subscriber.subscription.deliver(b"x")
        assert eventually(lambda: delivered[0].is_acked)
        delivered[0].fail(PermanentError("no"), owners[1])

    assert len(publisher.messages("dlq")) == 1
    assert subscriber.subscription.committed() == 1


def test_writer_that_never_works_is_named_when_the_close_times_out():
    """The close ends in time, says which sink was not done, and the message is not committed; the sink stops trying."""
    publisher = RecordingPublisher()
    publisher.break_down(DOWN)
    router, subscriber = consumer(
        RecordingHandler([ValueError("bad")]), publisher, RouterConfig(max_redeliveries=0, close_timeout=0.5)
    )
    router.start()
    subscriber.subscription.deliver(b"bad")
    assert publisher.wait_attempts(1)

    with pytest.raises(UndrainedError) as caught:
        router.close()

    assert caught.value.still_running == ["poison-h"]
    assert "poison-h (last error: " in str(caught.value)
    assert str(DOWN) in caught.value.last_errors["poison-h"]
    assert subscriber.subscription.committed() == 0
    assert publisher.attempts < 10


def test_one_write_takes_many_records():
    """Two hundred failures do not make two hundred calls of the writer."""
    handler = RecordingHandler([ValueError("bad")] * 200)
    # The first call takes as long as the handler: how the two threads take turns is the machine's affair.
    publisher = RecordingPublisher(record=lambda _: handler.wait_calls(200))
    config = RouterConfig(nack_resend_delay=0.0, max_redeliveries=0, poison_limits=StormLimits(enabled=False))
    router, subscriber = consumer(handler, publisher, config)

    with running(router):
        subscriber.subscription.deliver(*[b"%d" % number for number in range(200)])
        assert subscriber.subscription.wait_committed(200)

    assert [message.payload for message in publisher.messages("dlq")] == [b"%d" % number for number in range(200)]
    assert len(publisher.calls) < 20


def test_writer_that_ends_its_thread_stops_the_router():
    """When the thread of the sink dies the router stops with that error instead of waiting for ever."""
    publisher = RecordingPublisher([SystemExit(9)])
    router, subscriber = consumer(RecordingHandler([ValueError("bad")]), publisher, NO_RETRY)
    router.start()
    subscriber.subscription.deliver(b"bad")

    with pytest.raises(SystemExit):
        router.wait_closed(10)

    assert subscriber.subscription.committed() == 0


def test_lost_partition_takes_its_records_back():
    """What waits for its holds on a lost partition is dropped: it is delivered again to somebody else."""
    owners, publisher = [object(), object()], RecordingPublisher()
    router, subscriber = consumer(
        RecordingHandler(answer=lambda m: [m.hold(owner) for owner in owners] and None), publisher
    )

    with running(router):
        (message,) = subscriber.subscription.deliver(b"x")
        assert eventually(lambda: message.is_acked)
        message.fail(PermanentError("no"), owners[0])
        subscriber.subscription.lose(0)
        message.delivery.release(owners[1])

    assert publisher.messages() == []


def test_record_of_a_lost_partition_that_was_not_written_is_dropped():
    """While the writer fails the records queue up; a lost partition takes its own out of the queue."""
    publisher = RecordingPublisher()
    publisher.break_down(DOWN)

    def fail(message):
        if message.partition == 1:
            publisher.wait_attempts(1)
        raise ValueError("bad")

    subscriber, router = FakeSubscriber(2), Router(NO_RETRY)
    earlier = subscriber.subscribe("t")
    earlier.deliver(b"kept", partition=0)
    earlier.deliver(b"lost", partition=1)
    earlier.close()
    router.add_consumer_handler("h", "t", subscriber, fail, poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscription = subscriber.subscription
        assert eventually(lambda: not subscription.is_being_read and not subscription.unread)
        assert eventually(lambda: subscription.messages[1].is_acked)
        subscription.lose(1)
        publisher.recover()

    assert [record.payload for record in publisher.messages("dlq")] == [b"kept"]


def test_record_that_is_tried_again_is_dropped_when_its_partition_is_lost(monkeypatch):
    """Somebody else handles its message by now; intake of what is still ours goes on."""
    monkeypatch.setattr(sink_worker, "RETRY_SECONDS", 0.005)
    publisher, subscriber, router = RecordingPublisher(), FakeSubscriber(2), Router(NO_RETRY)
    publisher.break_down(DOWN)
    handler = RecordingHandler([ValueError("bad")])
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"lost", partition=1)
        assert publisher.wait_attempts(2)
        subscription.lose(1)
        subscription.deliver(b"ours", partition=0)
        goes_on = subscription.wait_committed(1)

    assert goes_on
    assert publisher.messages("dlq") == []


def test_halting_sink_raises_into_the_chain():
    """`make_sink` turns HALT into a sink that refuses, and needs no thread."""
    sink, worker = make_sink("h", HALT, lambda message: None)

    with pytest.raises(HaltedError, match="bad row"):
        sink.take(Message(b"x"), ValueError("bad row"))
    assert worker is None


def test_message_that_is_taken_twice_has_one_record():
    """By the chain, and by the chain of a copy that shares its delivery: the first word counts."""
    publisher = RecordingPublisher()
    sink = SinkWorker("h", PoisonTopic(publisher, "dlq"))
    message = Message(b"bad", topic="events", partition=0, offset=0, assignment=Assignment("events", 0))
    sink.take(message, ValueError("first"))
    sink.take(message, ValueError("second"))
    sink.start()

    assert sink.drain(MONOTONIC.now() + 10.0)
    (record,) = publisher.messages("dlq")
    assert "first" in record.metadata["reason_poisoned"]


class ChoosyPublisher(RecordingPublisher):
    """Takes no payload above a limit, and says so of each message by its place: uuids may be the same."""

    def __init__(self, limit):
        super().__init__()
        self._limit = limit
        self.sizes = []
        """Of the payloads of each call."""

    def publish(self, topic, *messages):
        """Keep what is small enough, and refuse the rest."""
        self.sizes.append([len(message.payload) for message in messages])
        large = [place for place, message in enumerate(messages) if len(message.payload) > self._limit]
        super().publish(topic, *[message for place, message in enumerate(messages) if place not in large])
        if large:
            error = PublishError(topic, {messages[place].uuid: "too large" for place in large}, refused=large)
            error.positions = dict.fromkeys(large, "too large")
            raise error


def test_record_that_is_too_large_for_its_topic_is_cut_and_holds_up_nobody():
    """Its beginning goes, with its size and where it stands; what was written beside it is not written again."""
    publisher, handler = ChoosyPublisher(5000), RecordingHandler(answer=fail)
    router, subscriber = consumer(handler, publisher)
    payloads = [b"small", b"x" * 6000, b"also small"]
    with running(router):
        subscriber.subscription.deliver(*payloads)
        assert subscriber.subscription.wait_committed(3)
    records = publisher.messages("dlq")
    (large,) = [record for record in records if record.payload.startswith(b"xxx")]

    assert sorted(len(record.payload) for record in records) == [5, 10, 1000]
    assert large.metadata["payload_bytes_poisoned"] == "6000"
    assert (large.metadata["partition_poisoned"], large.metadata["offset_poisoned"]) == ("0", "1")
    assert large.metadata["reason_poisoned"] == "bad"


def fail(message):
    """Refuse every message."""
    raise PermanentError("bad")


def test_record_that_is_refused_though_cut_is_tried_again_like_any(monkeypatch):
    """Nothing is lost and nothing spins: the sink waits, says so, and the message is not committed."""
    monkeypatch.setattr(sink_worker, "RETRY_SECONDS", 0.005)
    publisher = ChoosyPublisher(10)
    router, subscriber = consumer(RecordingHandler(answer=fail), publisher)
    with running(router):
        subscriber.subscription.deliver(b"x" * 6000)
        assert eventually(lambda: len(publisher.sizes) >= 4)
        before = subscriber.subscription.committed()
        publisher._limit = 5000
        assert subscriber.subscription.wait_committed(1)

    assert before == 0
    assert publisher.sizes[:4] == [[6000], [1000], [1000], [1000]]


class CompactedPublisher(RecordingPublisher):
    """Takes no message without a key, as a compacted topic does."""

    def __init__(self):
        super().__init__()
        self.sizes = []
        """Of the payloads that it refused."""
        self.is_compacted = True

    def publish(self, topic, *messages):
        """Keep what has a key, and refuse the rest."""
        refused = {place for place, message in enumerate(messages) if self.is_compacted and message.key is None}
        super().publish(topic, *[message for place, message in enumerate(messages) if place not in refused])
        if refused:
            self.sizes += [len(messages[place].payload) for place in refused]
            error = PublishError(topic, {messages[place].uuid: "no" for place in refused}, refused=refused)
            error.positions = dict.fromkeys(refused, "no")
            error.against_rules = frozenset(refused)
            raise error


def test_record_without_a_key_waits_whole_for_a_topic_that_takes_it(monkeypatch):
    """Cutting it would help nobody: once the topic is mended the record is written as it is."""
    monkeypatch.setattr(sink_worker, "RETRY_SECONDS", 0.005)
    publisher = CompactedPublisher()
    router, subscriber = consumer(RecordingHandler(answer=fail), publisher)
    with running(router):
        subscriber.subscription.deliver(b"x" * 6000)
        assert eventually(lambda: len(publisher.sizes) >= 3)
        before = subscriber.subscription.committed()
        publisher.is_compacted = False
        assert subscriber.subscription.wait_committed(1)

    assert before == 0
    assert set(publisher.sizes) == {6000}
    assert [len(record.payload) for record in publisher.messages("dlq")] == [6000]


def test_topic_that_takes_nothing_without_a_key_is_told_of_in_the_error():
    """What the log then says: how many have none, and what to do."""
    messages = [Message(b"a", key=b"k"), Message(b"b"), Message(b"c"), Message(b"d", key=b"")]
    with pytest.raises(NotWritten) as caught:
        PoisonTopic(CompactedPublisher(), "dlq").write(messages)

    assert (caught.value.places, caught.value.refused) == ({1, 2}, set())
    assert str(caught.value).endswith(
        "; 2 of them have no key, and a compacted topic takes none without: give 'dlq' the cleanup.policy delete, or use "
        "another topic for poison records"
    )


def test_topic_that_refuses_a_record_with_a_key_is_not_taken_for_compacted():
    """The metadata entry that becomes the key counts as one."""
    publisher = CompactedPublisher()
    with pytest.raises(NotWritten) as caught:
        PoisonTopic(publisher, "dlq").write([Message(b"a", metadata={"partition_key": "k"})])

    assert "no key" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [{"payload": b"x" * 900}, {"key": b"x" * 900}, {"metadata": {"x": "x" * 900}}], ids="".join
)
def test_sink_stops_intake_by_bytes_as_well(monkeypatch, content):
    """A few large messages are as much to keep as many small ones, whatever is large in them."""
    monkeypatch.setattr(ready, "MAX_READY_BYTES", 2000)
    worker = SinkWorker("h", PoisonTopic(RecordingPublisher(), "dlq"))
    sizes = []
    for _ in range(3):
        worker.take(Message(**{"payload": b"", **content}), ValueError("bad"))
        sizes.append(worker.is_blocked)
    worker.start()
    assert worker.drain(MONOTONIC.now() + 10.0)

    assert sizes == [False, False, True]
    assert not worker.is_blocked


def test_writes_are_bounded_in_bytes(monkeypatch):
    """What is larger than one write may be goes alone."""
    monkeypatch.setattr(ready, "MAX_WRITE_BYTES", 1000)
    publisher = ChoosyPublisher(10_000)
    worker = SinkWorker("h", PoisonTopic(publisher, "dlq"))
    for size in (600, 300, 600, 5000):
        worker.take(Message(b"x" * size), ValueError("bad"))
    worker.start()
    assert worker.drain(MONOTONIC.now() + 10.0)

    assert publisher.sizes == [[600, 300], [600], [5000]]
