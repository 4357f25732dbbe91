"""A store in a process that was forked from its owner."""

import os

import pytest

from millstream.router import StateError


def test_store_of_another_process_is_refused(chdb_store, monkeypatch):
    """A forked child has the connections of its parent, and would read the answers to it."""
    process = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: process + 1)

    calls = [
        lambda: chdb_store.query("SELECT 1"),
        lambda: chdb_store.command("SELECT 1"),
        lambda: chdb_store.insert_lines("`d`.`t`", ["a"], b"{}", "token"),
        lambda: list(chdb_store.stream("SELECT 1", None)),
    ]
    for call in calls:
        with pytest.raises(StateError, match="fork; open a store in the child"):
            call()
    chdb_store.close()
    monkeypatch.undo()

    assert chdb_store.query("SELECT 1").rows == [(1,)]
