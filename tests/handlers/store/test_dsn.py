"""Store addresses: taken apart, and shown without their secrets."""

from pathlib import Path
from urllib.parse import quote

import pytest

from millstream.handlers.store.dsn import StoreDsn
from millstream.router.errors import ConfigurationError

SECRET = "p/w:se@cr#et?1"
SECRET_IN_URL = "p%2Fw%3Ase%40cr%23et%3F1"


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        pytest.param("chdb:///var/lib/millstream", "/var/lib/millstream", id="absolute"),
        pytest.param("chdb://millstream-data", "millstream-data", id="relative"),
        pytest.param("chdb://./data/store", "data/store", id="relative with folders"),
        pytest.param("CHDB:///a%20b", "/a b", id="percent-encoded"),
        pytest.param("chdb:///a#b", "/a#b", id="hash in the name"),
    ],
)
def test_chdb_address_names_a_folder(text, folder):
    """What follows the scheme is the folder, absolute or relative."""
    dsn = StoreDsn.parse(text)

    assert (dsn.folder, dsn.is_embedded) == (Path(folder), True)


def test_server_address_is_taken_apart():
    """Login, host, port, database and settings of a server address are told apart and decoded."""
    dsn = StoreDsn.parse(f"http://us%40er:{SECRET_IN_URL}@store.example:9000/metering?max_threads=2")

    assert (dsn.user, dsn.password, dsn.host, dsn.port) == ("us@er", SECRET, "store.example", 9000)
    assert (dsn.database, dsn.settings, dsn.is_embedded) == ("metering", (("max_threads", "2"),), False)


@pytest.mark.parametrize(
    ("text", "port"),
    [pytest.param("http://h", 8123, id="http"), pytest.param("https://h/db", 8443, id="https")],
)
def test_default_port_depends_on_the_scheme(text, port):
    """Without a port the one ClickHouse uses for the scheme is taken."""
    dsn = StoreDsn.parse(text)

    assert dsn.port == port


def test_login_may_stand_among_the_settings():
    """User and password given as ClickHouse's HTTP parameters are a login, not settings."""
    dsn = StoreDsn.parse("http://h/?user=u&password=hush")

    assert (dsn.user, dsn.password, dsn.settings) == ("u", "hush", ())


def test_database_may_stand_among_the_settings():
    """As ClickHouse's HTTP parameter, and as other clients write it; two that differ are refused."""
    assert StoreDsn.parse("http://h/?database=shop").database == "shop"
    assert StoreDsn.parse("http://h/shop?database=shop") == StoreDsn.parse("http://h/shop")
    with pytest.raises(ConfigurationError, match="two databases, 'shop' and 'other'"):
        StoreDsn.parse("http://h/shop?database=other")


def test_ipv6_host_is_shown_as_it_is_written():
    """An IPv6 address keeps its brackets when shown."""
    dsn = StoreDsn.parse("http://[::1]:8123/db")

    assert (dsn.host, str(dsn)) == ("::1", "http://[::1]:8123/db")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("mysql://x", id="another database"),
        pytest.param("clickhouse://user:hush@h", id="native protocol"),
        pytest.param("millstream-data", id="no scheme"),
        pytest.param("", id="empty"),
    ],
)
def test_unknown_scheme_is_refused_with_the_known_ones(text):
    """An address the driver might take for a host name is refused, and the error lists what would work."""
    with pytest.raises(ConfigurationError) as caught:
        StoreDsn.parse(text)

    assert "chdb:///" in str(caught.value)
    assert "http://" in str(caught.value)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("http://u:hu/sh@h:8123/db", id="slash in the password"),
        pytest.param("http://u:1/hush@h:8123/db", id="slash after a digit"),
        pytest.param("http://u:1/hush@h", id="slash after a digit, no database"),
        pytest.param("http://u:hu#sh@h:8123/db", id="hash in the password"),
        pytest.param("http://u:1#hush@h/db", id="hash after a digit"),
        pytest.param("http://u:1?hush@h", id="question mark after a digit"),
        pytest.param("http://u:hu?sh@h:8123/db", id="question mark in the password"),
        pytest.param("http://u:hush@h:port/db", id="port is no number"),
        pytest.param("http://u:hush@h:99999/db", id="port out of range"),
        pytest.param("http://u:hush@/db", id="no host"),
        pytest.param("http://u:hush@h/db/table", id="more than a database"),
        pytest.param("http://u:hush@h/db?no-name=1", id="setting that is no name"),
        pytest.param("chdb://", id="no folder"),
        pytest.param("chdb:///", id="root folder"),
        pytest.param("chdb://:memory:", id="in memory"),
        pytest.param("chdb:///a%3Fb", id="question mark in the folder"),
    ],
)
def test_malformed_address_is_refused_without_showing_it(text):
    """An address that cannot be taken apart safely is a configuration error that holds no part of a password."""
    with pytest.raises(ConfigurationError) as caught:
        StoreDsn.parse(text)

    assert "hu" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_password_is_shown_nowhere():
    """Neither str nor repr nor an f-string shows a password or a secret setting, encoded or not."""
    dsn = StoreDsn.parse(f"https://u:{SECRET_IN_URL}@h/db?access_token=tok-1&max_threads=2")

    for shown in (str(dsn), repr(dsn), f"{dsn}", dsn.redacted):
        assert SECRET not in shown
        assert SECRET_IN_URL not in shown
        assert "tok-1" not in shown
    assert dsn.redacted == "https://u:***@h:8443/db?access_token=***&max_threads=2"
    assert repr(dsn) == f"StoreDsn({dsn.redacted!r})"


def test_secrets_are_blotted_out_of_foreign_texts():
    """A driver's text loses the password in every form in which it may quote it."""
    dsn = StoreDsn.parse(f"http://u:{SECRET_IN_URL}@h/db")

    shown = dsn.without_secrets(f"bad login {SECRET} at http://u:{SECRET_IN_URL}@h")

    assert shown == "bad login *** at http://u:***@h"


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_login_of_a_proxy_is_shown_nowhere(scheme):
    """Neither with the address nor in a text that quotes it, or the password alone."""
    dsn = StoreDsn.parse(f"http://h/db?https_proxy={quote(f'{scheme}me:{SECRET_IN_URL}@proxy:3128', safe='')}")

    assert repr(dsn) == "StoreDsn('http://h:8123/db?https_proxy=***')"
    assert dsn.without_secrets(f"no way through {scheme}me:{SECRET_IN_URL}@proxy:3128") == "no way through ***"
    assert dsn.without_secrets(f"{SECRET} and {SECRET_IN_URL}") == "*** and ***"


def test_what_is_no_address_of_a_proxy_is_hidden_as_well():
    """It is refused later, by the driver."""
    dsn = StoreDsn.parse("http://h/db?http_proxy=http://[me")

    assert (dsn.redacted, dsn.without_secrets("http://[me")) == ("http://h:8123/db?http_proxy=***", "***")


def test_addresses_are_values():
    """Two parses of one address are equal and cannot be changed."""
    one, other = StoreDsn.parse("http://u:p@h/db"), StoreDsn.parse("http://u:p@h/db")

    assert one == other
    with pytest.raises(AttributeError):
        one.host = "elsewhere"
