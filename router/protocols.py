"""What the router and its neighbours expect of each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Protocol, runtime_checkable

from .delivery.assignment import Assignment
from .delivery.context import Context
from .delivery.message import Message
from .delivery.offset_book import OffsetBook
from .delivery.run import Entry, MessageRun


class HandlerFunc(Protocol):
    """What handles one message: a function, or anything that can be called like one.

    Called on a thread of its handler, in the order of the partition (of the message key with `concurrency=N`).
    """

    def __call__(self, message: Message, /) -> Sequence[Message] | None:
        """Handle *message* and return the messages to publish, or `None`.

        Returning means ack: what was produced is published first, then the message counts as handled, and it is committed once
        every hold is released. Messages come as a list, a tuple or an iterator; a generator is run to its end. Anything else
        stops the router with `HaltedError`, as do messages of a handler without a publisher: the message stays uncommitted.

        Raising means that it was not handled: it goes through retry and poison sink where the chain has them, else it is
        delivered again after `nack_resend_delay`, and later each time; a `PermanentError` goes to the sink at once. A
        `StateError`, a `ConfigurationError` or a `HaltedError` stops the router. `Cancelled` is let through: it is no failure,
        and the message is neither acked nor poisoned.
        """
        ...


class TakeRun(Protocol):
    """What handles many messages at once, in place of a `HandlerFunc`; see `Handler.take_runs`."""

    def __call__(self, run: MessageRun, /) -> bool:
        """Handle all messages of *run*, as a call for each would, and return True; or none of them, and return False.

        Then, and where it raises an error that is some message's fault, each goes through the chain by itself. What holds *run*,
        or releases it, does so for all of them: one owner may, as the last step. A run that is held and then not taken stops the
        router with `HaltedError`: its messages would be handled twice.
        """
        ...


Prepare = Callable[[Sequence[bytes]], None]
"""Does for many payloads at once what would cost more for each; see `Handler.prepare`."""


class Middleware(Protocol):
    """What wraps handlers. The first added is the outermost; chains are built once, at the start of the router.

    Which handler a message is in the chain of says its context: `handler_name`, `subscribe_topic`, `publish_topic`.

    One that changes the message changes a copy, `message = message.copy()`, and passes that on: what was delivered then stays as
    it came, for each further attempt and for the poison record.

    Attributes tell the router more, where there are any: `needs_poison_sink`, that a handler inside must have one;
    `judges_errors`, that an error which it passes on is not for the sink, however often its message comes again; and
    `passes_success`, that it does nothing to a message whose handler returns nothing: where all of a chain say so, a handler that
    takes runs gets them past the chain. One that only counts messages may be passed by as well, if it `Admits`.
    """

    def __call__(self, next_handler: HandlerFunc, /) -> HandlerFunc:
        """Return a handler that calls *next_handler*, or not; called once per handler.

        It ends with `return next_handler(message)`: around a handler that publishes, one that returns `None` where that has
        returned messages stops the router with `HaltedError`. To drop them it returns `[]`.
        """
        ...


@runtime_checkable
class Admits(Protocol):
    """A middleware that may be passed by in runs, as it says how many messages go next; a `Throttle`."""

    def admit(self, context: Context, count: int) -> int:
        """Wait for the next message's turn, and return how many of the next *count* may go with it: at least that one.

        Raises:
            Cancelled: the router closes or the partition goes, as `context.wait` says; none of them goes.
        """
        ...

    def give_back(self, count: int) -> None:
        """Take note that *count* of those that were let go come through the chain one by one after all."""
        ...


@runtime_checkable
class Supervised(Protocol):
    """What works on a thread of its own. A publisher or subscription that has `error` is one; a worker is one always."""

    @property
    def error(self) -> BaseException | None:
        """What it died of: the router looks several times a second, and stops when there is something."""
        ...


@runtime_checkable
class Located(Protocol):
    """A publisher or subscriber that says where its topics are, so that a router can see two of them clash."""

    @property
    def places(self) -> Collection[Hashable]:
        """Addresses, or whatever else tells one place from another: two that have one in common speak of the same topics."""
        ...


@runtime_checkable
class InGroup(Protocol):
    """A subscriber whose subscriptions share a topic's messages with each other and with those of others in the group."""

    @property
    def group_id(self) -> str:
        """The group's name."""
        ...


@runtime_checkable
class TellsLastError(Protocol):
    """A worker that says what keeps it from being done, for the error that names it at the end of the close time-out."""

    @property
    def last_error(self) -> str:
        """What went wrong last, in a line, without secrets; empty when nothing did, or it was mended since."""
        ...


class Publisher(Protocol):
    """Sends messages to a topic. Thread-safe. One with a thread of its own should be `Supervised`."""

    def publish(self, topic: str, *messages: Message) -> None:
        """Send *messages*, in order, and return once all are confirmed. Not atomic.

        Raises:
            PublishError: names the messages that were not confirmed; the others were.
        """
        ...

    def close(self) -> None:
        """Send what is still on the way and release everything. May be called twice."""
        ...


class Subscription(Protocol):
    """A stream of messages from one topic, read by one thread at a time.

    One with a thread of its own should be `Supervised`; one that takes its time to close, `ClosesSlowly`.
    """

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Return the next chunk: up to *max_messages*, as soon as there is one; `[]` after *timeout* seconds.

        Who does not call lets the bounded buffer fill up; that is all the back-pressure there is.

        Raises:
            SubscriptionClosed: closed, and everything in it was received.
        """
        ...

    def close(self) -> None:
        """Commit what is settled and give the assignments back. May be called twice, and while another thread receives."""
        ...


@runtime_checkable
class ClosesSlowly(Subscription, Protocol):
    """A subscription that takes its time to close."""

    def begin_close(self, seconds: float = ..., /) -> None:
        """Begin to close and return, so that several close side by side; in *seconds*, if given."""
        ...


@runtime_checkable
class DeliversRuns(Subscription, Protocol):
    """A subscription that delivers messages in runs to a handler that takes them so."""

    def receive_entries(self, max_messages: int, timeout: float) -> list[Entry]:
        """Return the next chunk as `receive` does: messages, or runs of up to *max_messages* altogether."""
        ...


@runtime_checkable
class ShowsBooks(Subscription, Protocol):
    """A subscription that shows what it keeps: a handler that stops by itself waits for it before the subscription closes."""

    @property
    def books(self) -> Sequence[OffsetBook]:
        """The offset books of its partitions, up to date, to look at. From any thread."""
        ...


class AssignmentListener(Protocol):
    """Who is told when partitions come and go: the router. Called by the subscription's own thread."""

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """*assignments* are ours; none of their messages has been delivered yet."""
        ...

    def revoked(self, assignments: Sequence[Assignment], deadline: float) -> None:
        """*assignments* are about to go: already marked closing; finish what runs and start the flush of what is held.

        Returns by *deadline* (monotonic seconds). The subscription then waits for its offset books, commits and closes them.
        """
        ...

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """*assignments* are gone already and closed: drop what was not sent, commit nothing."""
        ...


@runtime_checkable
class Named(Protocol):
    """A listener that says whose it is, as that of a router does. What a subscriber calls its member is then made of it."""

    @property
    def name(self) -> str:
        """The name of its handler."""
        ...


@runtime_checkable
class ChecksTopics(Protocol):
    """A publisher or subscriber that tells at once whether a topic may be called so: before anything was sent or subscribed."""

    def check_topic(self, topic: object) -> None:
        """Raise ConfigurationError unless *topic* may be the name of one. Asks no broker."""
        ...


@runtime_checkable
class FindsTopics(Protocol):
    """A publisher that can look for a topic before anything is sent to it."""

    def find_topic(self, topic: str) -> None:
        """Return where *topic* takes messages. May ask a broker, for some seconds at most.

        Raises:
            ConfigurationError: there is no such topic, or we may not write to it; says what to do.
            TransientError: that cannot be told now, or may change without us; says why.
        """
        ...


class Subscriber(Protocol):
    """Opens subscriptions. Thread-safe."""

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> Subscription:
        """Start receiving from *topic*; the listener, if any, hears of assignments before their first message."""
        ...

    def close(self) -> None:
        """Close every subscription. May be called twice."""
        ...


class Worker(Supervised, Protocol):
    """What works behind a handler on a thread of its own: a batcher. The router starts it, drains it and watches over it."""

    @property
    def name(self) -> str:
        """What it is called in logs and errors."""
        ...

    def start(self) -> None:
        """Begin to work. Called before the first message is delivered; calling it again does nothing."""
        ...

    def seal(self, assignments: Sequence[Assignment], deadline: float) -> None:
        """Ask for the flush of what belongs to *assignments*, ahead of everything else, and return at once."""
        ...

    def drain(self, deadline: float) -> bool:
        """Finish everything and stop; returns whether nothing was left at *deadline* (monotonic seconds)."""
        ...

    def abandon(self, assignments: Sequence[Assignment]) -> None:
        """Drop what belongs to *assignments* and was never sent: they were lost."""
        ...


@runtime_checkable
class KnowsItsThreads(Protocol):
    """A worker that knows whether it is one of its own threads that asks: that one cannot wait for its own end."""

    @property
    def is_on_own_thread(self) -> bool:
        """Whether the caller runs on one of them."""
        ...


PublisherDecorator = Callable[[Publisher], Publisher]
SubscriberDecorator = Callable[[Subscriber], Subscriber]
