"""The store on a server, through every way an exchange over HTTP can fail."""

import contextlib

import backports.zstd
import lz4.frame
import pytest

from millstream.handlers.events import EventRepository
from millstream.handlers.store import (
    DataError,
    QueryError,
    ShapeError,
    StoreMisconfigured,
    StoreUnavailable,
    UnknownOutcome,
    ViewFailed,
    driver,
    open_store,
)
from millstream.router import MONOTONIC
from millstream.router.errors import ConfigurationError, StateError
from scripts.clickhouse_server.fault_server import fault_server
from scripts.clickhouse_server.faults import HANG_AFTER
from tests.handlers.store.scripted_server import running_server

BLOCK = b'{"id":"a"}\n{"id":"b"}'


@pytest.fixture
def server():
    """A server that fails as told."""
    with running_server() as running:
        yield running


@pytest.fixture
def store(server):
    """The store on it."""
    opened = open_store(server.dsn, insert_deadline=30)
    yield opened
    opened.close()


def insert(store, **options):
    """Send one INSERT."""
    store.insert_lines("`db`.`t`", ["id"], BLOCK, "tok", **options)


def test_insert_carries_token_deadline_and_settings(store, server):
    """One request with the bytes as given, under the token, answered when stored, one block, with a deadline."""
    insert(store, settings={"date_time_input_format": "basic"})

    parameters, body = server.inserts[0]
    assert (len(server.inserts), body) == (1, BLOCK)
    assert parameters["query"] == "INSERT INTO `db`.`t` (`id`) FORMAT JSONEachRow"
    expected = {
        "insert_deduplication_token": "tok",
        "async_insert": "0",
        "insert_deduplicate": "1",
        "wait_end_of_query": "1",
        "date_time_input_format": "basic",
        "max_execution_time": "25",
    }
    assert {name: parameters.get(name) for name in expected} == expected
    assert "input_format_null_as_default" not in parameters  # this server does not know it
    assert "session_id" not in parameters
    assert "database" not in parameters


def test_settings_of_the_address_do_not_change_what_an_insert_means(server):
    """Whoever writes them there gets them for queries; an INSERT carries ours."""
    store = open_store(f"{server.dsn}?async_insert=1")

    insert(store)
    store.query("SELECT 1")

    assert server.inserts[0][0]["async_insert"] == "0"
    assert server.questions[-1][0]["async_insert"] == "1"
    store.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param((400, 41, "Code: 41. DB::Exception: Cannot read: (at row 2)"), DataError, id="data"),
        pytest.param((500, 252, "Code: 252. DB::Exception: Too many partitions for"), ShapeError, id="shape"),
        pytest.param(
            (500, 252, "Code: 252. DB::Exception: Too many parts (300)"), StoreUnavailable, id="too many parts"
        ),
        pytest.param((200, 745, "Code: 745. DB::Exception: too busy"), StoreUnavailable, id="error after status 200"),
        pytest.param((500, 243, "Code: 243. DB::Exception: no space"), UnknownOutcome, id="halfway"),
        pytest.param((404, 60, "Code: 60. DB::Exception: no table hush-hush"), StoreMisconfigured, id="no table"),
        pytest.param(
            (403, 516, "Code: 516. DB::Exception: wrong hush-hush"), StoreMisconfigured, id="password changed"
        ),
        pytest.param((503, None, "busy"), StoreUnavailable, id="busy proxy"),
        pytest.param((502, None, "bad gateway"), UnknownOutcome, id="gateway"),
        pytest.param((500, None, ""), UnknownOutcome, id="nothing known"),
        pytest.param((500, 77_777, "Code: 77777. DB::Exception: new"), UnknownOutcome, id="unknown code"),
        pytest.param(None, UnknownOutcome, id="connection dropped"),
    ],
)
def test_every_answer_becomes_one_of_our_errors(store, server, answer, expected):
    """No error of the driver slips through, and none shows the password."""
    server.script.append(answer)

    with pytest.raises(expected) as caught:
        insert(store)

    assert type(caught.value) is expected
    assert "hush-hush" not in str(caught.value)


def test_view_is_named_however_long_the_error_is(store, server):
    """A text cut before the name of the view would have rows poisoned that are stored."""
    text = f"Code: 72. DB::Exception: Cannot parse '{'hush-hush' * 1000}': while pushing to view db.v. (CANNOT_PARSE_NUMBER)"
    server.script.append((400, 72, text))

    with pytest.raises(ViewFailed, match=r"the view db\.v raised CANNOT_PARSE_NUMBER"):
        insert(store)


def test_dropped_connection_is_not_sent_again_behind_our_back(store, server):
    """An INSERT whose answer got lost was sent once: whether to send it again is the plan's to decide."""
    server.script.append(None)

    with pytest.raises(UnknownOutcome):
        insert(store)

    assert len(server.inserts) == 1


@pytest.mark.slow
def test_answer_that_never_comes_is_waited_for_until_the_deadline(server):
    """A connection that stays open and silent is as good as a broken one: the outcome is unknown."""
    with fault_server(server.dsn) as door, contextlib.closing(open_store(door.address(), insert_deadline=1)) as store:
        door.fail_next(HANG_AFTER)
        began = MONOTONIC.now()
        with pytest.raises(UnknownOutcome):
            insert(store)
        seconds = MONOTONIC.now() - began

    assert len(server.inserts) == 1
    assert seconds < 6


def test_row_the_server_points_at_is_passed_on(store, server):
    """The hint of a data error over HTTP is as good as one of the embedded engine."""
    server.script.append((400, 41, "Code: 41. DB::Exception: Cannot read: (at row 2)"))

    with pytest.raises(DataError) as caught:
        insert(store)

    assert (caught.value.row, caught.value.code) == (2, 41)


def test_server_that_went_away_is_unavailable():
    """A refused connection proves that nothing was stored."""
    with running_server() as server:
        store = open_store(server.dsn)

    with pytest.raises(StoreUnavailable, match="Connection refused"):
        insert(store)
    with pytest.raises(StoreUnavailable, match="Connection refused"):
        store.query("SELECT 1")

    store.close()


def test_unreachable_server_is_told_in_one_line():
    """Opening names the address without its password, and the reason."""
    with running_server() as server:
        dsn = server.dsn

    with pytest.raises(StoreUnavailable) as caught:
        open_store(dsn)

    assert str(caught.value) == f"cannot reach {dsn.replace('hush-hush', '***')}: Connection refused"


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        pytest.param((403, 516, "Code: 516. DB::Exception: wrong password"), StoreMisconfigured, id="wrong password"),
        pytest.param((404, None, "not here"), StoreMisconfigured, id="no ClickHouse at that path"),
        pytest.param((503, None, "busy"), StoreUnavailable, id="busy"),
        pytest.param((200, None, "<html>hello</html>\n"), ConfigurationError, id="some other server"),
    ],
)
def test_refused_opening_is_told_in_one_line(server, refusal, expected):
    """Login, path and kind of server are the user's to mend; a busy one is tried later."""
    server.refusal = refusal

    with pytest.raises(expected) as caught:
        open_store(server.dsn)

    assert "hush-hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_setting_the_user_may_not_change_is_a_matter_of_configuration(store):
    """The driver refuses such an INSERT by itself; nothing is sent and no row is to blame."""
    with pytest.raises(StoreMisconfigured, match="locked"):
        insert(store, settings={"locked": 1})


def test_locked_setting_is_told_before_the_first_insert(store, server):
    """A server that would store in its own way gets nothing to store; reading from it goes on."""
    server.states["async_insert"] = ("1", "", "", True)

    with pytest.raises(StoreMisconfigured, match="async_insert is 1, must be 0"):
        store.prepare_inserts()
    with pytest.raises(StoreMisconfigured, match="async_insert is 1, must be 0"):
        insert(store)

    store.query("SELECT 1")
    assert server.inserts == []


@pytest.mark.parametrize("code", [115, 452])
def test_settings_are_asked_for_again_when_one_is_refused(store, server, code):
    """Servers of several versions stand behind one address while they are upgraded, or brought back to an older one."""
    insert(store)
    name = next(name for name in server.states if name in server.inserts[0][0])
    del server.states[name]
    server.script.append((404, code, f"Code: {code}. DB::Exception: Setting {name} is neither a builtin setting"))
    with pytest.raises(StoreMisconfigured):
        insert(store)
    insert(store)

    assert [name in parameters for parameters, _ in server.inserts] == [True, True, False]


def test_locked_setting_ends_the_start(server):
    """A repository that is got ready for writing says so at once, not after its first batch."""
    server.states["async_insert"] = ("1", "", "", True)

    with pytest.raises(ConfigurationError, match="async_insert is 1, must be 0"):
        EventRepository.open(server.dsn)


def test_refused_query_shows_no_password(store, server):
    """A text of the server that quotes the password loses it."""
    store.query("SELECT 1")
    server.refusal = (500, 62, "Code: 62. DB::Exception: near hush-hush")

    with pytest.raises(QueryError, match=r"near \*\*\*"):
        store.query("SELECT hush")


@pytest.mark.parametrize(("read_only", "expected"), [(True, "1"), (False, None)], ids=["reading", "writing"])
def test_query_is_read_only_unless_told_otherwise(store, server, read_only, expected):
    """The server itself is asked to refuse what writes, in the database of the address."""
    store.query("SELECT 1", read_only=read_only)

    parameters, body = server.questions[-1]
    assert (parameters.get("readonly"), parameters["database"]) == (expected, "db")
    assert body.startswith(b"SELECT 1")


def test_closed_store_refuses_every_call(store):
    """Closing twice is harmless, and using a closed store is a bug of the caller."""
    store.close()
    store.close()

    with pytest.raises(StateError):
        insert(store)
    with pytest.raises(StateError):
        store.query("SELECT 1")


@pytest.mark.parametrize(
    ("compression", "unpack"), [("lz4", lz4.frame.decompress), ("zstd", backports.zstd.decompress)], ids=["lz4", "zstd"]
)
def test_rows_are_packed_as_the_setting_says(server, compression, unpack):
    """The body is smaller, says how it is packed, and unpacks to the very same bytes."""
    block = b"\n".join([BLOCK] * 1000)
    with contextlib.closing(open_store(server.dsn, compression=compression)) as store:
        store.insert_lines("`db`.`t`", ["id"], block, "tok")
        store.insert_block("`db`.`t`", ["id"], block, "tok")

    [(parameters, lines), (_, rows)] = server.inserts
    assert server.encodings == [compression] * 2
    assert (unpack(lines), unpack(rows)) == (block, block)
    assert len(lines) < len(block) / 10
    assert parameters["query"] == "INSERT INTO `db`.`t` (`id`) FORMAT JSONEachRow"


def test_rows_are_not_packed_unless_told(store, server):
    """As they were given."""
    insert(store)

    assert (server.encodings, server.inserts[0][1]) == ([None], BLOCK)


@pytest.mark.parametrize(
    ("compression", "said"),
    [("gzip", "compression='gzip' must be one of none, lz4, zstd"), ("lz4", "pip install lz4")],
    ids=["unknown", "without its package"],
)
def test_a_compression_that_cannot_be_is_told_at_the_opening(server, monkeypatch, compression, said):
    """Not by the first INSERT."""
    monkeypatch.setattr(driver, "available_compression", ["zstd"])
    with pytest.raises(ConfigurationError, match=said):
        open_store(server.dsn, compression=compression)
