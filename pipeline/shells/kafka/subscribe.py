"""Alerts as a program reads them from the alert topic: `async for alert in alerts("127.0.0.1:9092")`. Knows Kafka and
what an alert is; decides nothing."""

import logging
from collections import Counter
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import RecordError
from pipeline.metrics import ORIGINS
from pipeline.records import OriginKind
from pipeline.report.alert import Alert, read_alert
from pipeline.shells.kafka.access import topic_access
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.permissions import check_permissions
from pipeline.shells.security import IN_THE_CLEAR, Secret, Security
from pipeline.shells.settings import SettingsError, checked
from pipeline.topics import TOPICS

__all__ = ["Alert", "Secret", "Security", "Tally", "alerts"]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Tally:
    """What a subscription did not hand over. Counts go on while it runs."""

    hidden: Counter[OriginKind] = field(default_factory=Counter)
    """Origin → alerts of it that were not asked for."""
    repeated: int = 0
    """Revisions that had been handed over before."""
    unreadable: int = 0
    """Records of the topic that are no alert. The first is named in the log."""


async def alerts(
    kafka: str = "127.0.0.1:9092",
    *,
    namespace: str = "relay",
    origins: Collection[OriginKind] | None = None,
    run: str | None = None,
    follow: bool = True,
    from_beginning: bool = True,
    wait_seconds: float = 8.0,
    security: Security = IN_THE_CLEAR,
    tally: Tally | None = None,
) -> AsyncGenerator[Alert, None]:
    """Every revision of every incident, once each, in the order of the topic.

    Gives what is happening (`live`), unless `origins` names replays or tests, or `run` one run. What is hidden is
    said once in the log, and counted in `tally`. With `follow` it goes on until the reader stops; it waits for a Kafka
    that goes away, and says in the log when it is away and when it is back. Without, it ends with what the topic holds
    as it starts. Who stops before its end closes it: `async with contextlib.aclosing(alerts(...)) as found`. A record
    that is no alert is passed over and counted. `security` says how to connect.

    Raises security.SecurityError where that cannot be, settings.SettingsError where another argument cannot,
    reach.KafkaUnreachableError where no Kafka answers within `wait_seconds`, reach.KafkaRefusedError where it does not
    let us in, permissions.NotAllowedError where it does not let us read, and KafkaUnavailableError where it has no such
    topic.
    """
    asked = _Asked(_known(origins), run, Tally() if tally is None else tally)
    topic = TOPICS["alerts"].full_name(checked("namespace", namespace))
    cluster = Cluster(checked("kafka", kafka), checked("kafka_timeout", wait_seconds, called="wait_seconds"), security)
    await check_permissions(cluster, [topic_access(namespace, "alerts", "Read")])
    async with cluster.consumer() as consumer:
        partitions = await cluster.subscribe(consumer, topic)
        ends = await cluster.within(consumer.end_offsets(partitions))
        if not from_beginning:
            for partition in partitions:
                consumer.seek(partition, ends[partition])
        async with aclosing(cluster.read_on(consumer) if follow else cluster.read_until(consumer, ends)) as records:
            async for record in records:
                alert = asked.take(record)
                if alert is not None:
                    yield alert


def _known(origins: Collection[OriginKind] | None) -> Collection[OriginKind] | None:
    """Raises SettingsError where nothing could ever be of one of them: who waits for alerts must not wait in vain."""
    if origins is not None and (isinstance(origins, str) or not origins or set(origins) - set(ORIGINS)):
        raise SettingsError(f"origins is {origins!r:.120}: give a list of some of {', '.join(ORIGINS)}")
    return origins


class _Asked:
    """Which records a subscriber asked for, and which it has had."""

    def __init__(self, origins: Collection[OriginKind] | None, run: str | None, tally: Tally) -> None:
        self.origins = origins
        self.run = run
        self.tally = tally
        self.newest: dict[str, int] = {}
        """Incident id → the last revision handed over. Revisions of an incident come in order, and again from the
        first where a worker repeats itself."""

    def take(self, record: Any) -> Alert | None:
        """The alert in a record of the topic; None where it is none, was not asked for, or was handed over before."""
        try:
            alert = read_alert(record.value or b"")
        except RecordError as fault:
            self.tally.unreadable += 1
            if self.tally.unreadable == 1:
                logger.warning(
                    "%s/%d@%d is passed over, as all like it: %s", record.topic, record.partition, record.offset, fault
                )
            return None
        if not self._wants(alert):
            return None
        if alert.revision <= self.newest.get(alert.incident_id, 0):
            self.tally.repeated += 1
            return None
        self.newest[alert.incident_id] = alert.revision
        return alert

    def _wants(self, alert: Alert) -> bool:
        if self.run is not None and alert.run != self.run:
            return False
        # A run is named by whoever made it: to name it is to name its origin.
        default = ("live",) if self.run is None else ORIGINS
        if alert.origin in (default if self.origins is None else self.origins):
            return True
        if not self.tally.hidden[alert.origin]:
            logger.warning("alerts of origin %s are hidden: ask for this origin to have them", alert.origin)
        self.tally.hidden[alert.origin] += 1
        return False
