"""Whether a gap between two offsets is a hole: a record that is in the log and was not delivered. Knows aiokafka."""

from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

_WAIT_MS: Final = 5000


async def first_offset_from(bootstrap: str, topic: str, partition: int, offset: int) -> int | None:
    """The first record in the log at `offset` or after it: a later one where no record stands there, as after
    compaction or at the end of a transaction. None where the log did not say in time."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    await consumer.start()
    try:
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        consumer.seek(place, offset)
        found = await consumer.getmany(place, timeout_ms=_WAIT_MS, max_records=1)
        return next((record.offset for records in found.values() for record in records), None)
    finally:
        await consumer.stop()
