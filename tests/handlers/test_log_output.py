"""What a program's log shows: by `log_to_stderr`, by loguru's own sink, and by what was enabled before the import."""

import subprocess
import sys

import pytest
from loguru import logger

from millstream import log_to_stderr
from millstream.handlers.log_output import switch_off_by_default
from millstream.router import ConfigurationError

TABLE = "table `db`.`{events}` does not exist"
TOPIC = "no topic 'orders-{dlq}'"
PROGRAM = f"""
from loguru import logger
logger.enable("millstream")  # before the import, as a program may that sets up its log first
from millstream import BatchConfig, BatchMessage, MessageBatcher, PoisonTopic, Retry, Router, RouterConfig
from millstream.router import ConfigurationError, PublishError, UndrainedError
from millstream.router.testing import FakeSubscriber, RecordingPublisher

def store(batch):
    raise ConfigurationError({TABLE!r})

def handle(message):
    if message.payload == b"row":
        return batcher.add(BatchMessage(message, None))
    return message.payload["{{amount}}"]

publisher, subscriber = RecordingPublisher(), FakeSubscriber()
publisher.break_down(PublishError("orders-dlq", {{"u": {TOPIC!r}}}))
batcher = MessageBatcher(BatchConfig(batch_size=1, max_retries=0), store, name="rows")
router = Router(RouterConfig(close_timeout=0.4, nack_resend_delay=0.0, max_redeliveries=2))
router.add_worker(batcher)
handler = router.add_consumer_handler("orders", "t", subscriber, handle, poison=PoisonTopic(publisher, "orders-dlq"))
handler.add_middleware(Retry(max_retries=2, initial_interval=0.0))
router.start()
subscriber.subscription.deliver(b"row", b"bad")
publisher.wait_attempts(1) or exit("nothing was poisoned")
try:
    router.close()
except UndrainedError as error:
    print(error)
"""


@pytest.mark.slow
def test_every_reason_stands_in_the_format_that_loguru_begins_with() -> None:
    """A missing table, a missing topic, a handler's mistake, a close that is not done: each with its reason, braces and all."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    lines = done.stderr.splitlines()

    def said(level: str, text: str, reason: str) -> bool:
        return any(f"| {level}" in line and text in line and reason in line for line in lines)

    mistake = "TypeError: byte indices must be integers or slices, not str"
    assert said("ERROR", "no batch can be processed until somebody mends this", TABLE), done.stderr
    assert said("ERROR", "poison record not written, intake stops", TOPIC), done.stderr
    assert said("ERROR", "handler 'orders' failed in its own code", mistake), done.stderr
    assert said("WARNING", "message not handled, it will be tried again", mistake.replace(": ", "('")), done.stderr
    assert said("WARNING", "still running at the end of the close time-out: rows", TABLE), done.stderr
    assert said("WARNING", "still running at the end of the close time-out: poison-orders", TOPIC), done.stderr
    assert done.stderr.count("Traceback (most recent call last)") == 1
    assert f"rows (last error: {TABLE}, 0 s ago)" in done.stdout
    assert TOPIC in done.stdout.partition("poison-orders (last error: ")[2]


WRONG = [
    pytest.param({"level": "LOUD"}, "no log level 'LOUD': take one of TRACE, DEBUG, INFO", id="level"),
    pytest.param({"log_format": "xml"}, "log_format must be 'text' or 'json', not 'xml'", id="format"),
]


@pytest.mark.parametrize(("options", "text"), WRONG)
def test_wrong_options_are_refused(options: dict[str, str], text: str) -> None:
    """Before anything of the log is changed."""
    with pytest.raises(ConfigurationError, match=text):
        log_to_stderr(**options)


@pytest.fixture
def heard():
    """A function that logs as each of three modules, and returns whose record came through; nothing was chosen before."""
    texts: list[str] = []
    sink = logger.add(lambda text: texts.append(str(text).strip()), format="{message}")

    def listen() -> list[str]:
        texts.clear()
        for name in ("millstream.x", "millstream.router.y", "other"):
            exec("logger.warning(__name__)", {"__name__": name, "logger": logger})
        return list(texts)

    logger.enable("")  # forgets what was said of any name
    yield listen
    logger.disable("millstream")
    logger.remove(sink)


CHOICES = [
    pytest.param([], ["other"], id="nothing"),
    pytest.param([("millstream", True)], ["millstream.x", "millstream.router.y", "other"], id="all of it"),
    pytest.param([("millstream.router", True)], ["millstream.router.y", "other"], id="a room"),
    pytest.param([("millstream", True), ("millstream.router", False)], ["millstream.x", "other"], id="all but a room"),
    pytest.param([("millstream", False)], ["other"], id="silence"),
]


@pytest.mark.parametrize(("choices", "names"), CHOICES)
def test_what_was_chosen_before_the_import_stays(choices, names, heard) -> None:
    """And without a choice the library is silent, as ever; what is enabled later is heard."""
    for name, is_on in choices:
        (logger.enable if is_on else logger.disable)(name)

    switch_off_by_default()
    before = heard()
    logger.enable("millstream")

    assert before == names
    assert heard() == ["millstream.x", "millstream.router.y", "other"]
