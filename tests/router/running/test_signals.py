"""Signals to a process that runs a router. Each test has a process of its own and speaks with it over pipes."""

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from millstream.router import ForcedExit, Router, SignalsHandler
from millstream.router.running import signals
from millstream.router.testing import FakeSubscriber, RecordingHandler

pytestmark = pytest.mark.slow  # a process for each test

PROGRAM = """
import os
import signal
import sys
import threading

from millstream.router import Router, RouterConfig, SignalsHandler
from millstream.router.testing import FakeSubscriber, FakeWorker, eventually

def say(text):
    os.write(1, f"{text}\\n".encode())  # in one piece, whichever threads speak at the same time

def handle(message):
    if message.payload == b"signal":
        threading.Event().wait(0.5)  # by now the main thread waits, too
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    if message.payload == b"slow":
        say("entered")
        sys.stdin.readline()
        say("handled")

subscriber = FakeSubscriber(record=say)
router = Router(RouterConfig(close_timeout=60.0))
router.add_plugin(SignalsHandler())
router.add_worker(FakeWorker(on_drain=lambda deadline: say("drained") is None))
router.add_consumer_handler("h", "t", subscriber, handle)
router.add_plugin(lambda given: threading.Thread(target=deliver, daemon=True).start())

def deliver():
    router.wait_running(60)
    subscriber.subscription.deliver(*PAYLOADS)
    say("running")
    eventually(lambda: not router.is_running)
    say("closing")

try:
    router.run()
finally:
    say(f"committed {subscriber.subscription.commits[-1][1] if subscriber.subscription.commits else 0}")
"""


@contextmanager
def program(*payloads):
    """Run PROGRAM in a process of its own with *payloads* delivered; ends it whatever happens."""
    code = PROGRAM.replace("PAYLOADS", repr(list(payloads)))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    guard = threading.Timer(120.0, process.kill)
    guard.start()
    try:
        yield process
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def read_until(process, *texts):
    """Read lines of the process until all of *texts* were seen; returns all lines."""
    lines, missing = [], set(texts)
    while missing:
        line = process.stdout.readline()
        assert line, f"the process ended with {process.wait()} before it said {sorted(missing)}: {lines}"
        lines.append(line.strip())
        missing.discard(lines[-1])
    return lines


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_drains_and_ends_with_code_zero(signum):
    """The first signal is a close in order: workers drain, offsets are committed, `run` returns."""
    with program(b"a", b"b") as process:
        read_until(process, "running")
        process.send_signal(signum)
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    lines = output.split("\n")
    assert [line for line in lines if line in ("drained", "close subscription t")] == [
        "drained",
        "close subscription t",
    ]


def test_signal_that_does_not_wake_the_main_thread_closes_too():
    """It reached another thread, or came right before the main thread began to wait: Python only notes it."""
    with program(b"signal") as process:
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "drained" in output.split("\n")


def test_one_signal_waits_for_a_running_handler():
    """The handler finishes its message, and that message is committed."""
    with program(b"slow", b"never") as process:
        read_until(process, "running", "entered")
        process.send_signal(signal.SIGTERM)
        read_until(process, "closing")
        process.stdin.write("go on\n")
        process.stdin.flush()
        lines = read_until(process, "committed 1")
        code = process.wait(20)

    assert code == 0
    assert lines.index("handled") < lines.index("drained")


def test_second_signal_ends_a_hanging_process_at_once():
    """With a handler that hangs, the second SIGTERM commits what is durable and ends with 128 + 15, without a flush."""
    with program(b"done", b"slow") as process:
        read_until(process, "running", "entered")
        process.send_signal(signal.SIGTERM)
        read_until(process, "closing")
        process.send_signal(signal.SIGTERM)
        lines = read_until(process, "committed 1")
        code = process.wait(20)

    assert code == 143
    assert "drained" not in lines
    assert lines.index("close subscription t") < lines.index("committed 1")


def test_handler_of_signals_counts_and_restores():
    """`received` counts, and `restore` puts back what was there before."""
    earlier = signal.getsignal(signal.SIGUSR1)
    handler, router = SignalsHandler([signal.SIGUSR1]), Router()
    handler(router)
    router.start()
    try:
        signal.raise_signal(signal.SIGUSR1)
        closed = router.wait_closed(10)
        received = handler.received
        with pytest.raises(ForcedExit) as caught:
            signal.raise_signal(signal.SIGUSR1)
    finally:
        handler.restore()

    assert (closed, received, handler.received) == (True, 1, 2)
    assert caught.value.code == 128 + signal.SIGUSR1
    assert signal.getsignal(signal.SIGUSR1) == earlier


def listening(*signals):
    """Return a started router that listens to *signals*, and its plugin."""
    handler, router = SignalsHandler(signals or [signal.SIGUSR1]), Router()
    router.add_plugin(handler)
    router.add_consumer_handler("h", "t", FakeSubscriber(), RecordingHandler())
    router.start()
    return router, handler


@pytest.mark.parametrize("is_shared", [False, True], ids=["a plugin each", "one plugin for both"])
def test_one_signal_closes_all_routers_that_listen(is_shared):
    """Python has one handler per signal: the second router would otherwise take it away from the first."""
    first, handler = listening()
    if is_shared:
        second = Router()
        second.add_plugin(handler)
        second.add_consumer_handler("h", "t", FakeSubscriber(), RecordingHandler())
        second.start()
        handlers = [handler]
    else:
        second, other = listening()
        handlers = [handler, other]
    try:
        signal.raise_signal(signal.SIGUSR1)
        closed = [first.wait_closed(10), second.wait_closed(10)]
        with pytest.raises(ForcedExit):
            signal.raise_signal(signal.SIGUSR1)
    finally:
        for each in handlers:
            each.restore()

    assert closed == [True, True]
    assert [each.received for each in handlers] == [2] * len(handlers)


def test_earlier_handler_is_back_after_the_last_restore_in_any_order():
    """A restore of the first that began does not silence the second."""
    earlier = signal.getsignal(signal.SIGUSR1)
    first, one = listening()
    second, two = listening()
    first.close()
    one.restore()
    one.restore()
    signal.raise_signal(signal.SIGUSR1)
    closed = second.wait_closed(10)
    two.restore()

    assert (closed, one.received, two.received) == (True, 0, 1)
    assert signal.getsignal(signal.SIGUSR1) == earlier


def test_router_that_has_closed_makes_no_second_signal_of_the_first_of_another():
    """A program that runs one router after another is closed in order each time."""
    first, one = listening()
    signal.raise_signal(signal.SIGUSR1)
    assert first.wait_closed(10)
    second, two = listening()
    try:
        signal.raise_signal(signal.SIGUSR1)
        closed = second.wait_closed(10)
    finally:
        one.restore()
        two.restore()

    assert (closed, one.received, two.received) == (True, 1, 1)


def test_restore_leaves_a_handler_alone_that_was_set_since():
    """It is not ours to take away."""
    earlier = signal.getsignal(signal.SIGUSR1)
    router, handler = listening()
    router.close()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    handler.restore()
    found = signal.signal(signal.SIGUSR1, earlier)

    assert found == signal.SIG_IGN


FORKED = """
import os
import signal
import sys
import threading

from millstream.router import InMemoryPubSub, Message, Router, RouterConfig, SignalsHandler, StateError

def say(text):
    os.write(1, f"{text}\\n".encode())

def child():
    calls = [router.close, router.wait_closed, router.abort, handler.stop]
    for call in calls:
        try:
            call()
        except StateError as error:
            say("refused" if "fork" in str(error) else error)
    say("child")
    threading.Event().wait(10)
    os._exit(7)

def handle(message):
    pid = os.fork()
    if pid == 0:
        child()
    children.append(pid)

children, pubsub = [], InMemoryPubSub()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a process that was started in the background ignores it
router = Router(RouterConfig(close_timeout=5.0))
router.add_plugin(SignalsHandler())
handler = router.add_consumer_handler("h", "t", pubsub, handle)
router.start()
pubsub.publish("t", Message(b"x"))
for line in sys.stdin:
    os.kill(children[0], getattr(signal, line.strip()))
    _, status = os.waitpid(children[0], 0)
    say(f"ended by {os.waitstatus_to_exitcode(status)}, router running {router.is_running}")
    break
router.close()
say("closed")
"""


CHAINED = """router.start()
ours = signal.getsignal(signal.SIGTERM)
signal.signal(signal.SIGTERM, lambda signum, frame: ours(signum, frame))
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("signum", "code", "start"),
    [("SIGTERM", -15, "router.start()\n"), ("SIGINT", 0, "router.start()\n"), ("SIGTERM", -15, CHAINED)],
    ids=["SIGTERM", "SIGINT", "a handler of the user's on ours"],
)
def test_forked_child_owns_nothing_and_dies_of_a_signal(signum, code, start):
    """As a worker of a `multiprocessing.Pool` has to: it inherits the handler, which would swallow every signal."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", FORKED.replace("router.start()\n", start)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    guard = threading.Timer(120.0, process.kill)
    guard.start()
    try:
        lines = read_until(process, "child")
        output, _ = process.communicate(f"{signum}\n", timeout=60)
    finally:
        guard.cancel()
        process.kill()

    assert lines == ["refused"] * 4 + ["child"]
    assert output.splitlines()[-2:] == [f"ended by {code}, router running True", "closed"]
    assert process.returncode == 0


def test_signals_can_only_be_heard_in_the_main_thread(monkeypatch):
    """Elsewhere the start fails with the reason, instead of running deaf; where somebody listens already nobody need be asked."""
    monkeypatch.setattr(
        signals, "_switchboard", signals._Switchboard()
    )  # another test may have left somebody listening
    errors = []
    router = Router()
    router.add_plugin(SignalsHandler())

    def run():
        try:
            router.run()
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)

    assert "main thread" in str(errors[0])
    assert router.is_closed
