#!/usr/bin/env bash
# What a KafkaError of confluent-kafka may be compared with: a number. With anything else an exception comes, and not always there.
#
# Seen with confluent-kafka 2.16.1 on CPython 3.11.
#
# `error == KafkaError._PARTITION_EOF` works, and so does `error is None`. But `error == None` does not answer False: a TypeError
# ("'NoneType' object cannot be interpreted as an integer") is set and not told, so that it comes up at that place or at one of the
# next, as itself or as a SystemError ("returned a result with an exception set"). `list.count` and `in` compare so, too. It takes an
# error: as long as `message.error()` is None, as of good messages, the same line works.
#
# Whoever looks for errors among messages asks for identity: [each for each in messages if each.error() is not None].
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check confluent-kafka==2.16.1

"$folder/venv/bin/python" - <<'PYTHON'
import subprocess
import sys

SEEN = {
    "error == KafkaError._PARTITION_EOF": "True",
    "error == KafkaError._TIMED_OUT": "False",
    "error is None": "False",
    "error == None": "an exception",
    "error != None": "an exception",
    "error == 'text'": "an exception",
    "[error].count(None)": "an exception",
    "None in [error]": "an exception",
}
PROGRAM = """
from confluent_kafka import KafkaError
error = KafkaError(KafkaError._PARTITION_EOF)
answer = {}
print(answer, len([answer]))
"""
found = {}
for line, before in SEEN.items():
    # In a process of its own, as nobody knows where the exception comes up.
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(line)], capture_output=True, text=True)
    is_told = "TypeError: 'NoneType' object" in done.stderr or "TypeError: 'str' object" in done.stderr
    found[line] = "an exception" if done.returncode and is_told else done.stdout.split()[0]
    print(f"  {line:36} {found[line]:14} ({before} seen before)")
if found != SEEN:
    sys.exit("the behaviour has changed")
PYTHON
