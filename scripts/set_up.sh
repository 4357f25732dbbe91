#!/bin/sh
# Make a virtual environment and install the project into it, with uv where it is there and pip otherwise.
#
#   PYTHON=python3.12 sh scripts/set_up.sh .venv
#
# An environment that is there already is brought up to date, so that a failed or an old set-up mends itself.
set -eu

venv=$1

fail() {
    echo "millstream: $1" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and none was found; name one with PYTHON=/path/to/python3"
}

if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" >/dev/null || fail "PYTHON=$PYTHON is not a program"
    is_new_enough "$PYTHON" || fail "Python 3.11 or newer is needed, PYTHON=$PYTHON is $("$PYTHON" -V 2>&1)"
    python=$PYTHON
else
    python=$(find_python)
fi

has_uv() {
    command -v uv >/dev/null
}

# Half an environment, or one whose interpreter has gone, cannot be mended; the stamp goes with it.
is_new_enough "$venv/bin/python" || rm -rf "$venv"

# A first installation fetches for a minute or more: on a terminal the installer shows how far it is.
quiet=--quiet
if [ ! -d "$venv" ]; then
    echo "Making $venv with $python ($("$python" -V 2>&1))"
    [ ! -t 1 ] || quiet=
fi

if has_uv; then
    [ -d "$venv" ] || uv venv --quiet --python "$python" "$venv"
    echo "Installing Millstream and what it needs into $venv with uv; the embedded ClickHouse is most of it"
    uv pip install $quiet --python "$venv/bin/python" -c constraints.txt -e '.[embedded,dev]'
    echo "$venv is ready"
    exit
fi

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "the venv module of $python is missing; install it (Debian, Ubuntu: apt install python3-venv), or install uv"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
echo "Installing Millstream and what it needs into $venv with pip (about a minute the first time); the embedded ClickHouse is most of it"
"$venv/bin/python" -m pip install $quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,dev]'
echo "$venv is ready"
