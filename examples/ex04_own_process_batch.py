"""Batches of one's own: readings of a topic into files of many lines each, committed once the file is on the disk.

    python examples/ex04_own_process_batch.py && ls readings

Needs neither a broker nor a store.
"""

import os
from pathlib import Path

import msgspec
from loguru import logger

from millstream import (
    Batch,
    BatchConfig,
    InMemoryConfig,
    InMemoryPubSub,
    Message,
    MessageBatcher,
    PoisonFile,
    Router,
)


class Reading(msgspec.Struct):
    sensor: str
    celsius: float


decode = msgspec.json.Decoder(Reading).decode


class Files:
    """Writes each batch into a file of its own in *folder*."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def process(self, batch: Batch) -> None:
        """Write *batch*; returning says that all of it is done, so it comes last.

        Named by the token: after an error the same batch comes again with the same one, and replaces what there is of it.
        """
        path = self._folder / f"{batch.token}.ndjson"
        with path.with_suffix(".part").open("wb") as file:
            file.writelines(msgspec.json.encode(each.item) + b"\n" for each in batch)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".part").replace(path)


def make_router(broker: InMemoryPubSub, folder: Path) -> Router:
    """Return the service: readings of the topic into files in *folder*, what is none of them into another file."""
    router = Router()
    batcher = MessageBatcher(BatchConfig(batch_size=1000, flush_interval=1.0), Files(folder).process, name="readings")
    batcher.attach(router, "readings", "readings", broker, decode=decode, poison=PoisonFile(folder / "refused.ndjson"))
    return router


def main() -> None:
    logger.enable("millstream")
    folder = Path("readings")
    folder.mkdir(exist_ok=True)
    broker = InMemoryPubSub(InMemoryConfig(block_publish_until_ack=True))
    router = make_router(broker, folder)
    router.start()
    readings = [Reading(f"s-{number % 7}", number / 100) for number in range(2500)]
    broker.publish("readings", *(Message(msgspec.json.encode(each)) for each in readings), Message(b"no reading"))
    router.close()
    lines = [len(path.read_bytes().splitlines()) for path in folder.glob("*.ndjson") if path.stem != "refused"]
    print(f"{sum(lines)} readings in {len(lines)} files")


if __name__ == "__main__":
    main()
