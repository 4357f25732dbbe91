"""Settings written as TOML: the documented file changes nothing, and what is in force tells its source."""

import re
import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.settings import Settings, load_settings
from millstream.handlers.settings.documented import documentation
from millstream.handlers.settings.loading import find_given, known_sections
from millstream.handlers.settings.sources import find_lines
from millstream.handlers.settings.toml_text import in_force, template, toml_value

KEYS = [
    pytest.param(section, kind, key, id=f"{section}.{key}")
    for section, kind in known_sections().items()
    for key in kind.__struct_fields__
]
PLAIN = st.text() | st.integers() | st.floats(allow_nan=False) | st.booleans()
FILE = """\
retry.max_retries = 4

[ "batch" ]   # a comment
batch_size = 5
'flush_interval' = 2.5

[kafka]
brokers = [
  "one:9092",
]
use_sasl = true
sasl_user = "user"
sasl_password = "hidden"

[kafka.properties]
"sasl.oauthbearer.client.secret" = "hidden too"
"""


def load(tmp_path, text, environ=None, **options):
    """Return the settings that *text* makes, and what was given."""
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return load_settings(path, environ or {}, **options), find_given(path, environ or {}, **options)


def said_in(text):
    """Return the explanations of a documented file as one line."""
    return " ".join(line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   "))


def test_a_documented_file_changes_nothing(tmp_path):
    """All of it is comments."""
    settings, given = load(tmp_path, template())

    assert settings == Settings()
    assert not any(key for _, key in given)


def test_a_documented_file_holds_every_default(tmp_path):
    """With the sign of a comment taken away each key is there, and nothing has changed."""
    text = re.sub(r"(?m)^# (\w+ = .+)$", r"\1", template())
    settings, given = load(tmp_path, text)
    defaults = Settings()
    expected = {
        (section, key)
        for section, kind in known_sections().items()
        for key in kind.__struct_fields__
        if getattr(getattr(defaults, section), key, None) is not None
    }

    assert settings == defaults
    assert set(given) == {*expected, ("post_processing", "")}


TEMPLATE = template()
"""Made once: it is the same for each key."""


@pytest.mark.parametrize(("section", "kind", "key"), KEYS)
def test_a_documented_file_says_of_each_key_what_its_docstring_says(section, kind, key):
    """Nothing is written twice by hand, and no key is left out."""
    part = re.search(rf"(?ms)^(# )?\[{section}\]$(.*?)(^(# )?\[|\Z)", TEMPLATE)
    text = documentation(kind)[key]

    assert text
    assert text.replace("`None`", "not set") in said_in(part[2])
    assert re.search(rf"(?m)^# {key} =", part[2])


def test_every_section_is_explained():
    """By the docstring of the settings as a whole."""
    said = said_in(template())

    assert all(documentation(Settings)[section] in said for section in known_sections())


def test_what_is_in_force_is_the_same_settings_again(tmp_path):
    """Where there is no secret, the text is a file that makes them."""
    settings, given = load(tmp_path, '[batch]\nbatch_size = 5\n[billing]\ntenant_id = "a"\nenvironment_id = "b"\n')

    assert repr(load(tmp_path, in_force(settings, given))[0]) == repr(settings)


@pytest.mark.parametrize(
    "line",
    [
        "max_retries = 4  # {file}, line 1",
        "batch_size = 5  # {file}, line 4",
        "flush_interval = 2.5  # {file}, line 5",
        'brokers = ["one:9092"]  # {file}, line 8',
        'sasl_password = "***"  # {file}, line 13',
        'table = "usage"  # MILLSTREAM_CLICKHOUSE__TABLE',
        'dsn = "http://u:***@h:8123/x"  # --store',
        'database = "x"  # the address',
        "max_retries = 3  # default",
        'client_id = "millstream"  # default',
        "# max_elapsed is not set  # MILLSTREAM_RETRY__MAX_ELAPSED",
        "# tls_ca_cert_file is not set  # default",
    ],
)
def test_each_value_in_force_tells_where_it_comes_from(tmp_path, line):
    """File and line, variable, option, address or default."""
    variables = {"MILLSTREAM_CLICKHOUSE__TABLE": "usage", "MILLSTREAM_RETRY__MAX_ELAPSED": ""}
    found = in_force(*load(tmp_path, FILE, variables, store="http://u:pw@h:8123/x"))

    assert line.format(file=tmp_path / "settings.toml") in re.sub(r" {2,}#", "  #", found)


def test_no_secret_is_shown(tmp_path):
    """Neither that of the login nor one in a property, nor the password of the store."""
    found = in_force(*load(tmp_path, FILE, store="http://u:hidden@h:8123/x"))

    assert "hidden" not in found


def test_what_is_in_force_without_billing_says_so():
    """A section that is off has no values."""
    assert "# [billing] is not set" in in_force(Settings(), {})


@given(value=PLAIN | st.lists(PLAIN) | st.dictionaries(st.text(), PLAIN))
def test_a_value_is_read_back_as_it_was(value):
    """Whatever characters it has."""
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


def test_lines_of_keys_are_found():
    """Of headers, of keys in quotes, and of dotted ones."""
    assert find_lines(FILE) == {
        ("retry", "max_retries"): 1,
        ("batch", ""): 3,
        ("batch", "batch_size"): 4,
        ("batch", "flush_interval"): 5,
        ("kafka", ""): 7,
        ("kafka", "brokers"): 8,
        ("kafka", "use_sasl"): 11,
        ("kafka", "sasl_user"): 12,
        ("kafka", "sasl_password"): 13,
        ("kafka", "properties"): 15,
        ("kafka", "sasl.oauthbearer.client.secret"): 16,
    }


def test_documentation_is_missing_where_docstrings_are():
    """As with `python -OO`: the file has its keys all the same."""

    class Bare(msgspec.Struct):
        key: int = 1

    assert documentation(Bare) == {}
