"""From WARNING on the reason stands in the text: loguru's default format shows no bound field."""

import pytest

from tests.guards.log_calls import find_log_calls
from tests.guards.sources import Source


def test_reason_stands_in_the_text(library: list[Source]) -> None:
    """Expect no warning or error that keeps what it is about for those who read the fields; and all to be looked at."""
    calls = [(source.name, call) for source in library for call in find_log_calls(source)]

    assert [f"{name}:{call.line} {fault}" for name, call in calls for fault in call.faults] == []
    assert len(calls) > 45


def faults_of(code: str) -> list[str]:
    """Return what the guard says of *code*."""
    calls = find_log_calls(Source.of("router/sample.py", code))
    return [fault for call in calls for fault in call.faults]


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
    assert len(faults_of(code)) == 1


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
    assert faults_of(code) == []
