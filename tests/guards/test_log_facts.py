"""From WARNING on the reason stands in the text: loguru's default format shows no bound field."""

import pytest

from tests.guards.log_calls import find_hidden_facts, find_log_calls
from tests.guards.sources import Source


def test_reason_stands_in_the_text(library: list[Source]) -> None:
    """Expect no warning or error of the library that keeps what it is about for those who read the fields."""
    assert [fault for source in library for fault in find_hidden_facts(source)] == []


def test_every_loud_call_is_looked_at(library: list[Source]) -> None:
    """Expect the finder to know the loggers by whatever name: as many calls as there are in the rooms."""
    assert sum(len(find_log_calls(source)) for source in library) > 45


HIDING = [
    pytest.param("logger.bind(reason=str(e)).warning('store down')", id="bound"),
    pytest.param("log = logger.bind(topic=t, error=e)\nlog.error('not written')", id="by a name"),
    pytest.param("self._log = logger.bind(client=c)\nself._log.bind(reason=r).warning('away')", id="of an object"),
    pytest.param("logger.opt(exception=e).bind(code=3).critical('ended')", id="with options"),
    pytest.param("a, log = 1, logger.bind(cause=c)\nlog.exception('died')", id="by one of two names"),
    pytest.param("logger.bind(error=e).log(level, 'not processed')", id="of any level"),
    pytest.param("logger.bind(**facts).error('not written')", id="nobody knows what"),
    pytest.param("logger.warning('store down', reason=r)", id="passed and not shown"),
    pytest.param("text = 'store down'\nlogger.warning(text, reason=r)", id="passed to a text of another line"),
    pytest.param("logger.warning(f'store down: {r}', reason=r)", id="formatted twice"),
    pytest.param("logger.warning('store down: ' + r, 1)", id="put together and formatted"),
]


@pytest.mark.parametrize("code", HIDING)
def test_hidden_reason_is_found(code: str) -> None:
    """Expect the guard to name each way of hiding one."""
    assert len(find_hidden_facts(Source.of("router/sample.py", code))) == 1


SHOWING = [
    pytest.param("logger.bind(topic=t).warning('store down: {reason}', reason=r)", id="passed"),
    pytest.param("text = 'down: {reason}'\nlogger.warning(text, reason=r)", id="passed to a text of another line"),
    pytest.param("logger.bind(batcher=b, attempts=3).warning('again')", id="only where and how much"),
    pytest.param("logger.warning(f'store down: {r}')", id="not formatted again"),
    pytest.param("logger.bind(reason=r).info('store back')", id="below WARNING"),
    pytest.param("parser.bind(reason=r).error('not a logger')", id="no logger"),
]


@pytest.mark.parametrize("code", SHOWING)
def test_shown_reason_is_no_fault(code: str) -> None:
    """Expect nothing where the text says it."""
    assert find_hidden_facts(Source.of("router/sample.py", code)) == []
