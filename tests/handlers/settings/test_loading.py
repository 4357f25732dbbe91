"""Settings read from files and variables: which wins, how text becomes values, and how every mistake is told."""

import contextlib
from pathlib import Path

import msgspec
import pytest

from millstream.handlers.batching import BatchConfig
from millstream.handlers.events import LAZY, REGULAR, BillingConfig
from millstream.handlers.settings import load_settings
from millstream.handlers.settings.values import WrongValue, convert_text
from millstream.router import ConfigurationError

BOTH_WAYS = [
    pytest.param("clickhouse", "dsn", '"chdb:///data"', "chdb:///data", id="an address"),
    pytest.param("clickhouse", "table", '"usage"', "usage", id="a name"),
    pytest.param("event_processing", "enabled", "false", "False", id="a switch"),
    pytest.param("event_processing_lazy", "rate_limit", "12.5", "12.5", id="a number that may be missing"),
    pytest.param("event_processing", "concurrency", "4", " 4 ", id="a whole number"),
    pytest.param("batch", "flush_interval", "2", "2", id="whole seconds"),
    pytest.param("batch", "max_batch_size", "1000", "1000", id="a size"),
    pytest.param("batch", "on_exhausted", '"poison"', "poison", id="a word of two"),
    pytest.param("post_processing", "topic", '"stored"', "stored", id="a topic"),
    pytest.param("retry", "max_elapsed", "1.5e1", "1.5e1", id="a number with an exponent"),
    pytest.param("router", "close_timeout", "0", "0", id="zero"),
]

MISTAKES = [
    pytest.param(
        "[batch]\nbatch_sise = 5", "batch.batch_sise is no setting; did you mean batch.batch_size?", id="misspelt key"
    ),
    pytest.param(
        "[retry]\nqqq = 5", "retry.qqq is no setting; known are max_retries, initial_interval", id="strange key"
    ),
    pytest.param(
        '[event_processing]\ntopic = "^events.*"',
        "event_processing.topic must be 1 to 249 of the characters",
        id="pattern for a topic",
    ),
    pytest.param(
        '[event_processing_lazy]\nconsumer_group = " lazy"',
        "event_processing_lazy.consumer_group must be text",
        id="group with a blank",
    ),
    pytest.param(
        '[event_processing]\ntopic_dlq = "dead letters"',
        "event_processing.topic_dlq must be 1 to 249 of the characters",
        id="blank in a poison topic",
    ),
    pytest.param(
        '[post_processing]\ntopic = ".."',
        "post_processing.topic must be 1 to 249 of the characters",
        id="post-processing topic",
    ),
    pytest.param(
        '[post_processing]\ntopic = "events_lazy"',
        "post_processing.topic and event_processing_lazy.topic are both 'events_lazy', where each event would be stored again",
        id="post-processing to the topic of a lane",
    ),
    pytest.param("[bach]\nbatch_size = 5", "unknown section [bach]; did you mean [batch]?", id="misspelt section"),
    pytest.param("[bach]", "unknown section [bach]", id="misspelt section without keys"),
    pytest.param(
        "[zzzz]\nx = 5", "unknown section [zzzz]; known are clickhouse, event_processing", id="strange section"
    ),
    pytest.param("batch_size = 5", "batch_size stands outside any section", id="key without section"),
    pytest.param("[[batch]]\nbatch_size = 5", "batch stands outside any section", id="list of sections"),
    pytest.param(
        "[batch.batch_size]\nx = 5", "batch.batch_size must be a whole number, not {'x': 5}", id="section in section"
    ),
    pytest.param(
        '[batch]\nbatch_size = "5"', "batch.batch_size must be a whole number, not '5'", id="text for a number"
    ),
    pytest.param("[batch]\nbatch_size = 5.5", "batch.batch_size must be a whole number, not 5.5", id="fraction"),
    pytest.param(
        "[batch]\nbatch_size = true", "batch.batch_size must be a whole number, not True", id="switch for a number"
    ),
    pytest.param("[batch]\nflush_interval = nan", "batch.flush_interval must be a number of at most", id="nan"),
    pytest.param("[retry]\nmax_elapsed = inf", "retry.max_elapsed must be a number of at most", id="infinity"),
    pytest.param(
        "[router]\nclose_timeout = -1e10",
        "router.close_timeout must be a number of at most",
        id="longer than a wait can be",
    ),
    pytest.param("[clickhouse]\ntable = 5", "clickhouse.table must be text, not 5", id="number for text"),
    pytest.param(
        "[event_processing]\nenabled = 1",
        "event_processing.enabled must be true or false, not 1",
        id="number for a switch",
    ),
    pytest.param(
        '[batch]\non_exhausted = "x"', "batch.on_exhausted must be 'wait' or 'poison', not 'x'", id="none of the words"
    ),
    pytest.param("[batch]\nbatch_size = 0", "batch.batch_size must be at least 1, not 0", id="empty batches"),
    pytest.param(
        "[batch]\nmax_batch_size = 5",
        "batch.max_batch_size must be at least batch_size=250, not 5",
        id="two that disagree",
    ),
    pytest.param(
        '[event_processing]\ntopic_dlq = ""', "event_processing.topic_dlq must be chosen", id="no poison topic"
    ),
    pytest.param(
        "[event_processing_lazy]\nrate_limit = 0",
        "event_processing_lazy.rate_limit must be more than 0",
        id="zero rate",
    ),
    pytest.param('[billing]\ntenant_id = "t"', "billing.environment_id is empty", id="half of billing"),
    pytest.param("[billing]", "billing.tenant_id is empty", id="billing without ids"),
    pytest.param("[retry]\njitter = 3", "retry.jitter must be", id="range of the middleware"),
    pytest.param(
        "[router]\nclose_timeout = -1", "router.close_timeout must not be negative, not -1", id="range of the router"
    ),
    pytest.param("[batch]\nbatch_size =\n", "Invalid value", id="broken TOML"),
    pytest.param(
        "[clickhouse]\ndsn = http://host:8123", "line 2, column 7: Invalid value; text stands in quotes", id="no quotes"
    ),
    pytest.param(
        '[kafka]\nbrokers = "host:9092"',
        """kafka.brokers must be a list of texts, such as ["one", "two"], not 'host:9092'""",
        id="text for a list",
    ),
    pytest.param("[batch]\nbatch_size = 1\nbatch_size = 2", "Cannot overwrite a value", id="a key twice"),
    pytest.param("a = " + "[" * 50_000, "", id="nested too deeply"),
]

WRONG_VARIABLES = [
    pytest.param(
        "BATCH__BATCH_SIZE", "many", "batch.batch_size must be a whole number, not 'many'", id="word for a number"
    ),
    pytest.param("BATCH__BATCH_SIZE", "", "batch.batch_size must be a whole number, not ''", id="nothing for a number"),
    pytest.param("BATCH__FLUSH_INTERVAL", "nan", "batch.flush_interval must be a number", id="nan"),
    pytest.param(
        "EVENT_PROCESSING__ENABLED", "on", "event_processing.enabled must be true or false, not 'on'", id="switch"
    ),
    pytest.param("EVENT_PROCESSING__TOPIC_DLQ", "", "event_processing.topic_dlq must be chosen", id="no poison topic"),
    pytest.param("CLICKHOUSE__DSN", "", "clickhouse.dsn: the store address has no scheme", id="address not filled in"),
    pytest.param("BATCH__SIZE", "5", "did you mean MILLSTREAM_BATCH__BATCH_SIZE?", id="misspelt key"),
    pytest.param("BATHC__BATCH_SIZE", "5", "did you mean MILLSTREAM_BATCH__BATCH_SIZE?", id="misspelt section"),
    pytest.param("BATCH__", "5", "batch. is no setting", id="no key"),
    pytest.param("ZZZZ__BROKERS", "x", "unknown section [zzzz]", id="strange section"),
    pytest.param("CLICKHOUSE_DSN", "x", "did you mean MILLSTREAM_CLICKHOUSE__DSN?", id="one underscore"),
]


def write(folder: Path, text: str) -> Path:
    """Write a settings file and return its path."""
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def error_of(path: Path | None, environ: dict[str, str] | None = None, **options: str) -> str:
    """Return the text of the error that loading raises."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, environ or {}, **options)
    return str(caught.value)


@pytest.mark.parametrize(("section", "key", "toml", "text"), BOTH_WAYS)
def test_a_setting_is_the_same_from_a_file_and_from_a_variable(
    tmp_path: Path, section: str, key: str, toml: str, text: str
) -> None:
    """What is written either way gives equal settings, which differ from the defaults."""
    from_file = load_settings(write(tmp_path, f"[{section}]\n{key} = {toml}"), {})
    from_variable = load_settings(write(tmp_path, ""), {f"MILLSTREAM_{section}__{key}".upper(): text})

    assert from_file == from_variable
    assert from_file != load_settings(write(tmp_path, ""), {})


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    """The variable replaces its own key only; the other keys of the section are the file's."""
    path = write(tmp_path, "[batch]\nbatch_size = 10\nmax_retries = 7")
    batch = load_settings(path, {"MILLSTREAM_BATCH__BATCH_SIZE": "20"}).batch

    assert batch == BatchConfig(batch_size=20, max_retries=7)


def test_the_store_of_the_command_line_wins_over_both(tmp_path: Path) -> None:
    """Its database follows it, unless one is set by itself."""
    path = write(tmp_path, '[clickhouse]\ndsn = "http://file/one"')
    clickhouse = load_settings(
        path, {"MILLSTREAM_CLICKHOUSE__DSN": "http://env/two"}, store="http://given/three"
    ).clickhouse

    assert (clickhouse.address.host, clickhouse.database) == ("given", "three")


def test_a_lane_that_is_set_in_part_keeps_its_other_defaults(tmp_path: Path) -> None:
    """Topic, group and poison topic stay those of the lane that the section is about."""
    path = write(tmp_path, '[event_processing]\nrate_limit = 5\n[event_processing_lazy]\ntopic = "slow"')
    settings = load_settings(path, {})

    assert settings.event_processing == msgspec.structs.replace(REGULAR, rate_limit=5.0)
    assert settings.event_processing_lazy == msgspec.structs.replace(LAZY, topic="slow")


def test_billing_comes_from_its_section(tmp_path: Path) -> None:
    """Both ids may come from different places."""
    path = write(tmp_path, '[billing]\ntenant_id = "biller"')
    settings = load_settings(path, {"MILLSTREAM_BILLING__ENVIRONMENT_ID": "prod"})

    assert settings.billing == BillingConfig(tenant_id="biller", environment_id="prod")


def test_an_empty_variable_is_no_limit() -> None:
    """For a number that may be missing, a variable set to nothing means missing."""
    settings = load_settings(
        environ={"MILLSTREAM_RETRY__MAX_ELAPSED": "", "MILLSTREAM_EVENT_PROCESSING__RATE_LIMIT": " "}
    )

    assert settings.retry.max_elapsed is None
    assert settings.event_processing.rate_limit is None


@pytest.mark.parametrize(
    ("choice", "topic"),
    [("none", None), ("halt", None), ("drop", None), ("redeliver", None), ("events.dlq", "events.dlq")],
)
def test_a_poison_topic_may_be_a_choice_instead(choice: str, topic: str | None) -> None:
    """The words are those of `poison=`, and everything else is a topic."""
    settings = load_settings(environ={"MILLSTREAM_EVENT_PROCESSING__TOPIC_DLQ": choice})

    assert settings.event_processing.topic_dlq == choice
    assert settings.event_processing.poison_topic == topic


def test_other_variables_are_left_alone() -> None:
    """Only the prefix with two underscores behind the section is ours to check."""
    settings = load_settings(environ={"MILLSTREAM_HOME": "x", "BATCH__BATCH_SIZE": "0", "MILLSTREAMS__X": "y"})

    assert settings == load_settings(environ={})


def test_the_file_of_the_current_folder_is_read(tmp_path: Path) -> None:
    """`millstream.toml` needs no option; without it the defaults hold. A byte order mark before it does no harm."""
    with contextlib.chdir(tmp_path):
        before = load_settings(environ={})
        Path("millstream.toml").write_bytes(b"\xef\xbb\xbf[batch]\nbatch_size = 7")
        after = load_settings(environ={})

    assert (before.batch.batch_size, after.batch.batch_size) == (250, 7)


@pytest.mark.parametrize(("text", "told"), MISTAKES)
def test_a_mistake_in_a_file_is_one_line_that_names_it(tmp_path: Path, text: str, told: str) -> None:
    """The line begins with the file and says what is wrong where."""
    path = write(tmp_path, text)
    error = error_of(path)

    assert error.startswith(str(path))
    assert told in error
    assert "\n" not in error
    assert len(error) < 500 + len(str(path))


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    """The place is that of the mistake, for wrong TOML as for wrong UTF-8."""
    path = write(tmp_path, "[batch]\n\nbatch_size = = 5")
    broken = error_of(path)
    path.write_bytes(b'[clickhouse]\ntable = "\xff"')
    not_text = error_of(path)

    assert broken.startswith(f"{path}, line 3, column 14:")
    assert not_text == f"{path}, line 2: not UTF-8"


@pytest.mark.parametrize(("name", "text", "told"), WRONG_VARIABLES)
def test_a_mistake_in_a_variable_is_one_line_that_names_it(tmp_path: Path, name: str, text: str, told: str) -> None:
    """The line begins with the variable."""
    error = error_of(write(tmp_path, ""), {f"MILLSTREAM_{name}": text})

    assert error.startswith(f"MILLSTREAM_{name}: ")
    assert told in error
    assert "\n" not in error


def test_an_error_of_two_settings_names_the_place_of_the_one_it_is_about(tmp_path: Path) -> None:
    """Of a section that comes from a file and a variable, the one with the wrong value is told."""
    path = write(tmp_path, "[batch]\nflush_interval = 2\nmax_retries = 4")
    error = error_of(path, {"MILLSTREAM_BATCH__BATCH_SIZE": "0"})

    assert error.startswith("MILLSTREAM_BATCH__BATCH_SIZE: batch.batch_size must be")


@pytest.mark.parametrize(
    ("dsn", "told"),
    [
        pytest.param("mysql://u:hunter2@x", "unknown store scheme 'mysql'", id="unknown scheme"),
        pytest.param("http://u:hunter/2@x", "not well formed", id="not well formed"),
        pytest.param("hunter2", "no scheme", id="no scheme"),
    ],
)
def test_a_wrong_address_is_told_without_its_password(tmp_path: Path, dsn: str, told: str) -> None:
    """Its file, variable or option is named, and nothing of the address that may be secret."""
    file = error_of(write(tmp_path, f"[clickhouse]\ndsn = {dsn!r}"))
    variable = error_of(write(tmp_path, ""), {"MILLSTREAM_CLICKHOUSE__DSN": dsn})
    option = error_of(write(tmp_path, ""), store=dsn)
    number = error_of(write(tmp_path, "[clickhouse]\ndsn = [12345]"))

    assert all(told in error and "hunter" not in error for error in (file, variable, option))
    assert variable.startswith("MILLSTREAM_CLICKHOUSE__DSN: clickhouse.dsn")
    assert option.startswith("--store: ")
    assert number.endswith("clickhouse.dsn must be text")


def test_a_named_file_must_be_readable(tmp_path: Path) -> None:
    """A file that is not there, or a folder, is told with the reason."""
    missing, folder = error_of(tmp_path / "none.toml"), error_of(tmp_path)

    assert missing == f"cannot read {tmp_path / 'none.toml'}: No such file or directory"
    assert folder == f"cannot read {tmp_path}: Is a directory"


@pytest.mark.parametrize(
    ("text", "items"),
    [
        pytest.param("a:1, b:2", ["a:1", "b:2"], id="two"),
        pytest.param("a:1", ["a:1"], id="one"),
        pytest.param(" ,a,, ", ["a"], id="blanks and gaps"),
        pytest.param("", [], id="none"),
    ],
)
def test_a_list_is_separated_by_commas(text: str, items: list[str]) -> None:
    """Blanks around items and empty items do not count."""
    converted = convert_text(text, list[str])

    assert converted == items


def test_each_item_of_a_list_is_checked() -> None:
    """A list of numbers takes no word, and says what it takes."""
    with pytest.raises(WrongValue, match="a list, each a whole number"):
        convert_text("1,x", list[int])
