"""How a middleware is tested: by calling it, and in a router with a broker that the test plays.

cd examples && python -m pytest test_ex03_own_middleware.py
"""

import pytest
from ex03_own_middleware import SkipTenants

from millstream import DROP, HALT, Message, PermanentError, Router
from millstream.router import HaltedError
from millstream.router.testing import FakeSubscriber, RecordingHandler, running


def test_what_is_of_others_passes_with_its_answer() -> None:
    answer = [Message(b"thanks")]
    handler = RecordingHandler(answer=lambda _: answer)
    skip = SkipTenants([b"globex"])
    handle = skip(handler)

    assert handle(Message(b"1", key=b"acme")) is answer
    assert handle(Message(b"2", key=b"globex")) is None
    assert handle(Message(b"3")) is answer
    assert handler.payloads == [b"1", b"3"]
    assert skip.skipped == {b"globex": 1}


def test_what_is_left_out_is_committed_though_its_handler_would_fail() -> None:
    subscriber, handler, router = FakeSubscriber(), RecordingHandler([PermanentError("bad")]), Router()
    router.add_middleware(SkipTenants([b"globex"]))
    added = router.add_consumer_handler("orders", "orders", subscriber, handler, poison=DROP)

    with running(router):
        subscriber.subscription.deliver(b"1", b"2", key=b"globex")
        assert subscriber.subscription.wait_committed(2)

    assert handler.payloads == []
    assert added.poisoned == 0


def test_error_of_the_handler_passes() -> None:
    subscriber, handler, router = FakeSubscriber(), RecordingHandler([PermanentError("bad")]), Router()
    router.add_middleware(SkipTenants([b"globex"]))
    router.add_consumer_handler("orders", "orders", subscriber, handler, poison=HALT)

    router.start()
    subscriber.subscription.deliver(b"1", key=b"acme")

    with pytest.raises(HaltedError, match="bad"):
        router.wait_closed(10.0)
    assert subscriber.subscription.committed() == 0
