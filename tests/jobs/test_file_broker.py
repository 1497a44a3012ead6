"""The broker of files passes over what a full disk or a killed process left. All files are real."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from ctms.jobs.file_broker import Transport

# What may stand in a file that was to hold JSON: nothing, half of it, bytes of something else, JSON of something else.
UNREADABLE = [b"", b'{"body": "W10="', b"\x00\xff\xfe", b"[]", b"null", b'{"body": "W10="}']


@contextmanager
def connect(folder: Path) -> Iterator[Connection]:
    """Connect as a process of its own does, which knows nothing of what others bound."""
    Transport.global_state.clear()
    folders = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder / "control"}
    with Connection("filesystem://localhost", transport=Transport, transport_options=folders) as connection:
        yield connection


@pytest.mark.parametrize("content", UNREADABLE)
def test_a_message_file_that_cannot_be_read_is_passed_over(tmp_path: Path, content: bytes) -> None:
    with connect(tmp_path) as broker, broker.SimpleQueue("ticks") as ticks:
        ticks.put({"number": 1})
        (tmp_path / "0_first.ticks.msg").write_bytes(content)
        message = ticks.get(block=False)
        message.ack()
        assert message.payload == {"number": 1}
        with pytest.raises(ticks.Empty):
            ticks.get(block=False)


@pytest.mark.parametrize("content", UNREADABLE[:4])
def test_a_worker_starts_although_the_table_of_an_exchange_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    with connect(tmp_path) as broker, broker.SimpleQueue("ticks") as ticks:
        ticks.put({"number": 1})
    (tmp_path / "control" / "ticks.exchange").write_bytes(content)
    with connect(tmp_path) as broker, broker.SimpleQueue("ticks") as ticks:
        ticks.put({"number": 2})
        # Messages of one millisecond come in any order.
        assert {ticks.get(block=False).payload["number"] for _ in range(2)} == {1, 2}


@pytest.mark.parametrize("content", UNREADABLE[:3])
def test_a_table_that_cannot_be_read_serves_no_queue(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "ticks.exchange").write_bytes(content)
    with connect(tmp_path) as broker:
        channel: Any = broker.default_channel
        assert channel.get_table("ticks") == []
