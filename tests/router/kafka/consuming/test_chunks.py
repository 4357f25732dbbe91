"""How records come and go, a chunk at a time."""

from millstream.router.kafka.consuming import poll_loop
from millstream.router.testing import eventually
from tests.router.kafka.scripted_consumer import Listener, Loop, handle, record


def test_settled_messages_are_let_go_at_the_next_poll(monkeypatch):
    """Though offsets are stored less often: what was let go of is memory for what comes."""
    monkeypatch.setattr(poll_loop, "STORE_SECONDS", 60.0)
    pending = []

    def look():
        pending.append(loop.owned.books[0].pending)
        return []

    def handle_all():
        for message in loop.receive(3):
            handle(message)
        return [record(3)]

    with Loop(Listener()) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(record(0), record(1), record(2))
        loop.consumer.do(look)
        loop.consumer.do(handle_all)
        loop.consumer.do(look)
        loop.consumer.do(look)
        assert eventually(lambda: len(pending) == 3)

    assert pending[2] == 1


def test_after_a_whole_chunk_the_next_is_asked_for_at_once(monkeypatch):
    """One call for each chunk while there are many; otherwise one waits for the first record, and one asks for more."""
    monkeypatch.setattr(poll_loop, "CHUNK_MESSAGES", 3)
    with Loop(Listener()) as loop:
        loop.consumer.call("assign", 0)

        def give_all():
            loop.consumer.give(record(0))
            loop.consumer.give(record(1), record(2))
            loop.consumer.give(record(3), record(4))
            return []

        loop.consumer.do(give_all)  # by the poll thread, so that it finds all of them
        loop.receive(3)
        loop.receive(2)
        assert loop.polls_on()
        asked_for = loop.consumer.asked_for

    assert asked_for[asked_for.index(2) :][:3] == [2, 3, 1]
