"""The whole way behind a pub/sub: a router with middleware and a real batcher, whose batches go to a recorder instead of a store.

Of the cases that Watermill's suite lacks these need more than the router, so they cannot lie in `millstream.router.testing`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from millstream.handlers import BatchConfig, BatchMessage, MessageBatcher
from millstream.handlers.batching import BatchResult, Trigger
from millstream.middleware import PoisonQueue, Recoverer, Throttle
from millstream.router import MONOTONIC, Clock, Message, PermanentError
from millstream.router.testing import ManualClock, RecordingHandler, eventually
from millstream.router.testing.conformance.base import Cases
from millstream.router.testing.conformance.checks import make_messages, require
from millstream.router.testing.conformance.coming_back import come_back, read_up_to_now
from millstream.router.testing.conformance.features import needs
from millstream.router.testing.conformance.poison_cases import require_record
from millstream.router.testing.conformance.rebalance_cases import publish_until_called, require_handled, wait_for_all
from millstream.router.testing.conformance.routing import routed
from millstream.router.testing.conformance.trial import QUIET_SECONDS, Trial
from tests.handlers.batching.batching_aids import RecordingProcess

NEVER = 3600.0
"""The flush interval of a case in which no batch may become that old."""


class Panic(BaseException):
    """What `except Exception` does not see."""


class PipelineCases(Cases):
    """When batches are flushed and what becomes of them; the throttle; a panic."""

    def test_batches_are_flushed_by_count(self) -> None:
        """Expect a flush for every ten messages, however they were delivered."""
        process = RecordingProcess()
        with self.trial() as trial, batched(trial, process, batch_size=10, max_batch_size=10):
            trial.publish(make_messages(30, keys=10))
            wait_for_batches(trial, process, 3)

        require_batches(process, Trigger.SIZE, 10, 10, 10)

    def test_batches_are_flushed_by_bytes(self) -> None:
        """Expect a flush whenever the payloads fill a batch, and no batch larger than that."""
        process = RecordingProcess()
        with self.trial() as trial, batched(trial, process, max_batch_bytes=100):
            trial.publish([Message(b"%050d" % number) for number in range(6)])
            wait_for_batches(trial, process, 3)

        require_batches(process, Trigger.BYTES, 2, 2, 2)

    def test_batch_is_flushed_when_its_oldest_message_is_old_enough(self) -> None:
        """Expect a batch that does not fill to be flushed after its interval, not before."""
        process, clock = RecordingProcess(), ManualClock()
        with self.trial() as trial, batched(trial, process, flush_interval=5.0, clock=clock) as handler:
            trial.publish(make_messages(3, keys=1))
            handler.wait_calls(3, trial.features.idle_timeout)
            clock.wait_for_waiters(timeout=trial.features.idle_timeout)
            clock.advance(4.9)
            came_early = eventually(lambda: process.batches, QUIET_SECONDS)
            clock.advance(0.1)
            wait_for_batches(trial, process, 1)

        require(not came_early, "the batch was flushed before its time")
        require_batches(process, Trigger.AGE, 3)

    @needs(consumer_groups=True, persistent=True, require_single_instance=False)
    def test_batch_is_flushed_at_a_revoke(self) -> None:
        """Expect the open batch to be flushed before a second member gets its share; of it nothing comes twice if promised."""
        process, second = RecordingProcess(), RecordingHandler()
        with self.trial() as trial, batched(trial, process) as first:
            sent = make_messages(100, keys=16)
            trial.publish(sent)
            first.wait_calls(len(sent), trial.features.idle_timeout)
            trial.open()
            with routed(trial, second):
                later = publish_until_called(trial, second)
                wait_for_all(trial, sent + later, first, second)

        batch = process.batches[0]
        flushed = {each.message.uuid for each in batch}
        require(batch.trigger is Trigger.REVOKE, f"the first batch was flushed for {batch.trigger}")
        require(flushed.issuperset(message.uuid for message in sent), f"only {len(batch)} messages were flushed")
        require_handled(trial, sent + later, first, second)

    def test_batch_is_flushed_at_the_shutdown(self) -> None:
        """Expect the close of the router to flush what is there, and nothing of it to come again."""
        process = RecordingProcess()
        with self.trial() as trial:
            sent = make_messages(100, keys=10)
            with batched(trial, process) as handler:
                trial.publish(sent)
                handler.wait_calls(len(sent), trial.features.idle_timeout)
            came_again = come_back_if_kept(trial, sent)

        require_batches(process, Trigger.SHUTDOWN, 100)
        require(not came_again, f"{len(came_again)} flushed messages came again")

    def test_failed_part_of_a_batch_becomes_one_record_and_nothing_comes_again(self) -> None:
        """Expect the one row that a batch could not store in the poison topic, and all of the batch to be committed."""
        process = RecordingProcess(BatchResult(done=[0, 2], failures={1: PermanentError("no such column")}))
        with self.trial() as trial:
            sent, topic = make_messages(3, keys=1), trial.new_topic()
            records = trial.watch(topic)
            with batched(trial, process, batch_size=3, poison_topic=topic):
                trial.publish(sent)
                wait_for_batches(trial, process, 1)
            poisoned = read_up_to_now(trial, records, topic, [sent[1].key])
            came_again = come_back_if_kept(trial, sent)

        require_batches(process, Trigger.SIZE, 3)
        require(not came_again, f"{len(came_again)} messages of the batch came again")
        require_record(poisoned, "no such column")

    def test_burst_passes_the_throttle_and_the_rest_waits_its_turn(self) -> None:
        """Expect as many messages at once as may follow each other, then one whenever its second has passed."""
        handler, clock = RecordingHandler(), ManualClock()
        with self.trial() as trial, routed(trial, handler, middlewares=[Throttle(1.0, burst=3)], clock=clock):
            trial.publish(make_messages(5, keys=1))
            handler.wait_calls(3, trial.features.idle_timeout)
            passed = []
            for _ in range(2):
                seconds = clock.advance_to_next_deadline(trial.features.idle_timeout)
                passed.append((len(handler.messages), seconds))
                handler.wait_calls(len(handler.messages) + 1, trial.features.idle_timeout)

        require(passed == [(3, 1.0), (4, 1.0)], f"messages handled, and seconds until the next: {passed}")
        require(len(handler.messages) == 5, f"handled otherwise: {handler.payloads}")

    def test_panic_becomes_one_record(self) -> None:
        """Expect a panic to be caught, to put its message into the poison topic, and the others to be handled."""
        with self.trial() as trial:
            sent, topic = make_messages(3, keys=1), trial.new_topic()
            records = trial.watch(topic)

            def panic_once(message: Message) -> None:
                if message.uuid == sent[1].uuid:
                    raise Panic("out of everything")

            handler = RecordingHandler(answer=panic_once)
            with routed(trial, handler, middlewares=[PoisonQueue(), Recoverer()], poison_topic=topic):
                trial.publish(sent)
                handler.wait_calls(3, trial.features.idle_timeout)
            poisoned = read_up_to_now(trial, records, topic, [sent[1].key])

        require(handler.payloads == [message.payload for message in sent], f"handled otherwise: {handler.payloads}")
        require_record(poisoned, "out of everything")


@contextmanager
def batched(
    trial: Trial,
    process: RecordingProcess,
    *,
    poison_topic: str | None = None,
    clock: Clock = MONOTONIC,
    flush_interval: float = NEVER,
    **config: Any,
) -> Iterator[RecordingHandler]:
    """Run a router whose handler adds every message to a batcher, for the length of a `with` block."""
    batcher = MessageBatcher(BatchConfig(flush_interval=flush_interval, **config), process, clock=clock)
    handler = RecordingHandler(answer=lambda message: batcher.add(BatchMessage(message, None)))
    with routed(trial, handler, worker=batcher, poison_topic=poison_topic):
        yield handler


def wait_for_batches(trial: Trial, process: RecordingProcess, count: int) -> None:
    """Wait until *count* batches were flushed; says nothing when they were not."""
    eventually(lambda: len(process.batches) >= count, trial.features.idle_timeout)


def require_batches(process: RecordingProcess, trigger: Trigger, *sizes: int) -> None:
    """Require that batches of these sizes were flushed, all for one reason, and no others."""
    found = [(len(batch), batch.trigger) for batch in process.batches]
    require(found == [(size, trigger) for size in sizes], f"flushed otherwise: {found}")


def come_back_if_kept(trial: Trial, sent: list[Message]) -> list[str]:
    """Return what comes to the group again; nothing can, where nothing is kept for a group."""
    return come_back(trial, sent) if trial.features.persistent and trial.features.consumer_groups else []
