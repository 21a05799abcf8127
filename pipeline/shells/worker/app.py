"""The Faust worker: agents of a few lines around the pure functions. Knows how Faust is set up and when it is
ready; what it does with a batch is Guard's."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, Final

import uvloop
from faust.types import StreamT

from pipeline import metrics
from pipeline.errors import RelayWatchError
from pipeline.heartbeat import MissionNames
from pipeline.mission.model import Mission
from pipeline.shells.exits import EXIT_FAILED, EXIT_NEVER_AGAIN, RAN, leave
from pipeline.shells.files.resources import read_mission
from pipeline.shells.kafka.access import access
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.connections import mend_connections
from pipeline.shells.kafka.log_offsets import LogEnds
from pipeline.shells.kafka.permissions import check_permissions
from pipeline.shells.kafka.topics_admin import partitions_of
from pipeline.shells.kafka.topics_needed import application_id
from pipeline.shells.kafka.unpacking import bound_batches
from pipeline.shells.settings import Settings
from pipeline.shells.worker.allocator import give_back
from pipeline.shells.worker.backlog import Backlog
from pipeline.shells.worker.exporter import Exporter
from pipeline.shells.worker.guard import Guard
from pipeline.shells.worker.heart import Heart, Vitals
from pipeline.shells.worker.inbox import Inbox
from pipeline.shells.worker.instance import named
from pipeline.shells.worker.lease import Lease
from pipeline.shells.worker.lives import Lives
from pipeline.shells.worker.logs import log_to_stderr
from pipeline.shells.worker.meter import Display, Meter
from pipeline.shells.worker.open_files import check_open_files
from pipeline.shells.worker.pulse import Pulse, Readiness
from pipeline.shells.worker.stages import PURE_FLOW, CommandStage, DecodeStage, Partitions, Stage, WatchStage
from pipeline.shells.worker.tables import Tables, VersionedTable
from pipeline.shells.worker.transport import App, credentials
from pipeline.topics import TOPICS, TopicName

logger = logging.getLogger(__name__)

PINNED: Final[Mapping[str, str]] = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0", "mode-streaming": "0.7.1"}
"""What the guards were written and proven against: another version may lose records in another way."""
_REBALANCE_SECONDS: Final = 60.0
_LARGEST_REQUEST: Final = 16 << 20
_FETCH_OCTETS: Final = 4 << 20
DROP_EVERY_SECONDS: Final = 600.0
_GIVE_BACK_SECONDS: Final = 60.0
_OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000
_COMMIT_SECONDS: Final = 0.2
"""Between two commits. They decide nothing, but whoever waits for an answer of the workers waits for them."""
_BEAT_SECONDS: Final = 0.1
_SHOW_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 8.0
"""So long is waited for Kafka at the end. Who runs containers waits ten."""


class VersionError(RelayWatchError):
    """A library of another version than the one that was proven."""


@dataclass(slots=True)
class Worker:
    """The app, its guards, and what /ready and /live say of them."""

    app: App
    partitions: Partitions
    pulse: Pulse
    origins: LogEnds
    """How far the logs reach from which telemetry is made."""
    guards: list[Guard] = field(default_factory=list)
    lag: dict[str, int] = field(default_factory=dict)
    """topic/partition → records that wait, as Kafka last said."""

    def starts(self) -> Mapping[Any, int]:
        return {place: offset for guard in self.guards for place, offset in guard.starts().items()}

    def done(self) -> Mapping[Any, int]:
        return {place: offset for guard in self.guards for place, offset in guard.done().items()}

    def vitals(self) -> Vitals:
        guards = [guard for guard in self.guards if guard.owned]
        return Vitals(
            partitions={guard.lives.stage.source: sorted(guard.partitions) for guard in guards},
            watermarks={link: at for guard in guards for link, at in guard.meter.watermarks.items()},
            lag=dict(self.lag),
        )

    def not_ready(self) -> str:
        """Why records are not taken yet; empty once they are. Asked from another thread: only looks."""
        for guard in self.guards:
            if not guard.owned or self.app.rebalancing:
                return f"not ready: state of {guard.lives.stage.table} is being read back"
        most = max(self.partitions[guard.lives.stage.source] for guard in self.guards)
        for guard in self.guards:
            # Faust says ready of a topic that it did not find when it started, and reads nothing of it for ever. A
            # worker may have nothing to do, where there are more of them than partitions, but not half of it.
            others = any(one.partitions for one in self.guards)
            if others and not guard.partitions and self.partitions[guard.lives.stage.source] == most:
                return (
                    f"not ready: no partition of {guard.source} is assigned (`relaywatch topics check` says whether "
                    "it is there)"
                )
        return ""


def check_versions(pinned: Mapping[str, str] = PINNED) -> None:
    """Raises VersionError."""
    others = [
        f"{name} {version(name)} (needed: {needed})" for name, needed in pinned.items() if version(name) != needed
    ]
    if others:
        raise VersionError(
            f"the worker's guards are proven for exact versions; found {', '.join(others)}. "
            "Install those of requirements.lock"
        )


def build_app(settings: Settings, mission: Mission, partitions: Partitions, display: Display) -> Worker:
    """The worker of one namespace, not yet started. May be called more than once in a process."""
    app = App(
        application_id(settings.namespace),
        broker=[f"kafka://{server}" for server in settings.kafka.split(",")],
        broker_credentials=credentials(settings.security),
        store="memory://",
        TableManager=Tables,
        web_enabled=False,
        autodiscover=False,
        # Topics are made by `relaywatch topics create`, all of them, before the first start.
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=partitions["frames"],
        table_standby_replicas=0,
        # Without a name the group takes it for another worker at each start.
        consumer_group_instance_id=settings.instance_name or None,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=_FETCH_OCTETS,
        broker_session_timeout=settings.session_seconds,
        broker_heartbeat_interval=settings.session_seconds / 5,
        broker_rebalance_timeout=_REBALANCE_SECONDS,
        broker_commit_interval=_COMMIT_SECONDS,
        broker_max_poll_records=settings.batch_records,
        stream_wait_empty=False,
        producer_acks=-1,
        producer_max_batch_size=1 << 20,
        producer_max_request_size=_LARGEST_REQUEST,
    )
    app.lease = Lease(settings.session_seconds, _REBALANCE_SECONDS)
    sources: tuple[TopicName, ...] = ("frames", "commands")
    origins = LogEnds(
        Cluster.of(settings),
        {(TOPICS[one].full_name(settings.namespace), place) for one in sources for place in range(partitions[one])},
    )
    worker = Worker(app, partitions, Pulse(settings.stalled_after), origins)
    for stage in (
        DecodeStage(settings.namespace, mission, partitions, PURE_FLOW),
        CommandStage(settings.namespace, mission, partitions),
        WatchStage(settings.namespace, mission, partitions, PURE_FLOW, origins.known),
    ):
        worker.guards.append(_guard(app, stage, settings, partitions, display))
    worker.guards[-1].origins = origins
    app.starts, app.done = worker.starts, worker.done
    app.inboxes = {guard.source: guard.inbox for guard in worker.guards}
    _connect(worker)
    return worker


def _guard(app: App, stage: Stage, settings: Settings, partitions: Partitions, display: Display) -> Guard:
    """A stage's table and its agent."""
    table = VersionedTable(app, name=stage.table, partitions=partitions[stage.source])
    table.unreadable = lambda message: leave(EXIT_NEVER_AGAIN, message)
    app.tables.add(table)
    lives = Lives(stage, settings.namespace, table.versions)
    meter = Meter(lives, display)
    guard = Guard(app, Cluster.of(settings), lives, table, Inbox(settings.batch_records), meter)
    source = app.topic(guard.source, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def agent(_: StreamT[Any]) -> None:
        # Not by the stream: its records go to the guard's inbox (`transport.Consumer`).
        await guard.run()

    app.agent(source, name=f"{settings.namespace}.{stage.source}")(agent)
    return guard


def _connect(worker: Worker) -> None:
    app = worker.app

    @app.on_partitions_revoked.connect(weak=False)
    async def revoked(sender: App, revoked: Iterable[Any], **_: Any) -> None:
        for guard in worker.guards:
            guard.revoked()
        for guard in worker.guards:
            async with guard.lock:
                """The batch in flight is finished first."""

    @app.on_rebalance_complete.connect(weak=False)
    async def restored(sender: App, **_: Any) -> None:
        # Faust seeks next, and then clears what came in between: nothing may come, from here on.
        app.consumer.stop_flow()
        await asyncio.gather(*(guard.restored() for guard in worker.guards))

    @app.timer(DROP_EVERY_SECONDS)  # type: ignore[untyped-decorator]
    async def drop_finished_runs(_: App) -> None:
        for guard in worker.guards:
            await guard.drop_finished()

    @app.timer(_GIVE_BACK_SECONDS)  # type: ignore[untyped-decorator]
    async def give_back_memory(_: App) -> None:
        give_back()

    @app.timer(_SHOW_SECONDS)  # type: ignore[untyped-decorator]
    async def show_what_moved(_: App) -> None:
        for guard in worker.guards:
            await guard.show_what_moved()
            await guard.say_what_was_passed_over()


def run_worker(settings: Settings, *, supervised: bool = False) -> int:
    """Run until SIGTERM or SIGINT, or `supervised`, until the parent process is gone. The exit status: 0 ended as
    asked.

    Raises RelayWatchError where it cannot start. Where a batch fails the process ends at once (Guard).
    """
    check_versions()
    check_open_files()
    # A supervisor has the name, and its child with it.
    settings = replace(settings, instance=settings.instance_name) if supervised else named(settings)
    mission = read_mission(settings.mission)
    log_to_stderr(settings.log_level_number, settings.log_format)
    bound_batches()
    mend_connections()
    # Else what stays is looked through for cycles every few records; batches make many objects and hardly a cycle.
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    # By policy: Faust's consumer makes a loop of its own, in a thread.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    with asyncio.Runner() as runner:
        return runner.run(_run(settings, mission, os.getppid() if supervised else None))


async def _run(settings: Settings, mission: Mission, parent: int | None) -> int:
    cluster = Cluster.of(settings)
    await check_permissions(cluster, access(settings.namespace, "worker"))
    partitions = await partitions_of(cluster, settings.namespace)
    exporter = Exporter()
    exporter.bear(metrics.births("worker"))
    exporter.apply([metrics.Sample(metrics.BUILD, (version("relaywatch"),), 1)])
    worker = build_app(settings, mission, partitions, exporter)
    server = exporter.serve(
        settings.metrics_host, settings.metrics_port, live=worker.pulse.stalled, ready=worker.not_ready
    )
    logger.info(
        "worker %s of %s at %s, mission %s, metrics at http://%s:%d/metrics", settings.instance_name,
        application_id(settings.namespace), settings.kafka, mission.name, settings.metrics_host, server.port,
    )  # fmt: skip
    heart = Heart(
        cluster, settings.namespace, settings.instance_name, MissionNames.of(mission), worker.vitals,
        settings.replace_mission,
    )  # fmt: skip
    looking: asyncio.Task[None] | None = None
    try:
        async with heart.beating():
            backlog = Backlog(cluster, worker.guards, exporter, worker.pulse, lag=worker.lag)
            looking = asyncio.create_task(backlog.follow())
            return await _serve(worker, exporter, parent)
    finally:
        if looking is not None:
            looking.cancel()
        server.close()
        await worker.origins.close()


async def _serve(worker: Worker, exporter: Exporter, parent: int | None) -> int:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sent in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sent, asked.set)
    app = worker.app
    app.finalize()
    starting = asyncio.ensure_future(app.start())
    ended = asyncio.ensure_future(asked.wait())
    await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        leave(RAN, "ending as asked, before Kafka has answered")
    await starting
    readiness = Readiness()
    while not (asked.is_set() or app.should_stop or app.crashed):
        lag, reason = worker.pulse.beat(_BEAT_SECONDS), worker.not_ready()
        exporter.apply([metrics.Sample(metrics.LOOP_LAG, (), lag), metrics.Sample(metrics.READY, (), not reason)])
        if news := readiness.news(reason):
            logger.warning("%s", news)
        elif news is not None:
            logger.info("ready: state is read back, records are taken")
        if given_up := app.given_up():
            leave(EXIT_FAILED, f"Kafka's client has given up {given_up}; starting again from the state")
        if parent is not None and os.getppid() != parent:
            logger.error("the supervisor is gone")
            asked.set()
        await asyncio.sleep(_BEAT_SECONDS)
    if not asked.is_set():
        logger.error("Faust gave up: %r", app.crash_reason, exc_info=app.crash_reason)
        leave(EXIT_FAILED, "starting again from the state")
    logger.info("ending as asked")
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await app.stop()
    except TimeoutError:
        # Whatever is in flight is made again from the state: nothing is lost by not waiting.
        leave(RAN, f"Kafka has not answered for {_STOP_SECONDS:.0f} s; ending without it")
    return RAN
