"""What names and texts must be like before librdkafka gets to see them.

It takes more than Kafka does, and means something else by it: a topic with a leading `^` is a pattern that reads several topics,
text ends at a NUL, blanks at its beginning are cut off. So every name is checked here first, and its error says which one it was
and what is right.

Topics and instance ids have the rule that the brokers have for them. For group and client ids there is none but what can be sent.
"""

from __future__ import annotations

import hashlib
import re

from ..errors import ConfigurationError

MAX_NAME = 249
"""Characters; Kafka's own limit, as partitions are folders of that name and a number."""
NAME = re.compile(rf"(?!\.{{1,2}}$)[a-zA-Z0-9._-]{{1,{MAX_NAME}}}")
UNFIT = re.compile(r"[^a-zA-Z0-9._-]")
HASH_CHARACTERS = 12
"""48 bits: among the handlers of a group no two are alike."""
NAME_RULE = f"be 1 to {MAX_NAME} of the characters a-z A-Z 0-9 . _ - and not . or .. alone"
MAX_TEXT_BYTES = 32_000
"""Kafka's texts have 32,767 bytes at most, and brokers make longer ones of these: a member's id is its client's and 37 more."""
TEXT_RULE = "be text in UTF-8 that is not empty, begins with no blank and has no NUL in it"
ID_RULE = f"{TEXT_RULE}, of at most {MAX_TEXT_BYTES:,} bytes"
CLIENT_RULE = f'{ID_RULE}, printable and without " and \\'
"""librdkafka writes it as it is into its statistics, which are JSON: without them nobody sees that a client has lost its way."""
MAX_SHOWN = 60
"""Characters of a wrong value that an error shows."""


def checked_name(what: str, value: object) -> str:
    """Return the name of a topic or a static member, as exactly a `str`; *what* it names begins the error.

    Raises:
        ConfigurationError: it is of another type, or against Kafka's rule.
    """
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise misfit(what, NAME_RULE, value)
    return str.__str__(value)


def checked_topic(topic: object) -> str:
    """Return the name of a topic; see `checked_name`."""
    return checked_name("the name of a Kafka topic", topic)


def name_of(*parts: str) -> str:
    """Return a name made of *parts*, of which the first is one already; the same for the same parts, whenever it is asked for.

    What no name can hold is replaced, and what is too long cut; a hash of the whole then tells it from others.
    """
    whole = "-".join(parts)
    if NAME.fullmatch(whole):
        return whole
    digest = hashlib.sha256(whole.encode(errors="backslashreplace")).hexdigest()[:HASH_CHARACTERS]
    return f"{UNFIT.sub('_', whole)[: MAX_NAME - 1 - HASH_CHARACTERS]}-{digest}"


def checked_id(what: str, value: object) -> str:
    """Return the id of a group or client, as exactly a `str`; *what* it names begins the error.

    Raises:
        ConfigurationError: it is of another type, or Kafka or librdkafka could not take it as it is.
    """
    if not isinstance(value, str) or not is_text(value) or len(value.encode()) > MAX_TEXT_BYTES:
        raise misfit(what, ID_RULE, value)
    return str.__str__(value)


def checked_client(what: str, value: object) -> str:
    """Return the id of a client, as `checked_id` does for that of a group.

    Raises:
        ConfigurationError: as there, or it cannot stand in librdkafka's statistics.
    """
    if not isinstance(value, str) or not value.isprintable() or '"' in value or "\\" in value:
        raise misfit(what, CLIENT_RULE, value)
    return checked_id(what, value)


def is_text(value: str) -> bool:
    """Whether *value* reaches librdkafka as it is, and is not empty."""
    return is_sendable(value) and bool(value) and not value[0].isspace()


def is_sendable(value: str) -> bool:
    """Whether *value* has a form in UTF-8, and nothing that would end it early."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def misfit(what: str, rule: str, value: object) -> ConfigurationError:
    """Return the error for *value*, which shows no more of it than a line holds."""
    shown = repr(value)
    return ConfigurationError(
        f"{what} must {rule}, not {shown if len(shown) <= MAX_SHOWN else shown[:MAX_SHOWN] + '…'}"
    )
