"""Pipeline: do the workers run, do they keep up, how long does it take, what do they refuse?"""

from typing import Final

from deploy.grafana.source.board import Board, Row
from deploy.grafana.source.choices import (
    LINK,
    MISSION,
    ORIGIN,
    frames_a_second,
    of_links_heard,
    of_mission,
    of_origin,
    of_workers,
)
from deploy.grafana.source.panels import FRAMES, RECORDS, lines, stat_panel, timeline
from deploy.grafana.source.states import (
    BLUISH_GREEN,
    ORANGE,
    STAGE,
    TOPIC,
    VERMILLION,
    WORKER,
    mapping,
)
from deploy.grafana.source.states import (
    ORIGIN as ORIGIN_COLOURS,
)


def _quantile(share: float, metric: str, by: str) -> str:
    """Of nothing there is no quantile: `>= 0` leaves out what is not a number."""
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({metric}[$__rate_interval]))) >= 0"


_LAG: Final = f"max by (mission, topic, partition) ({of_mission('relay_consumer_lag_records')})"
"""A partition that two workers name while it changes hands counts once."""

_NOW: Final = Row(
    title="Now",
    height=4,
    panels=[
        (4, stat_panel(
            "Workers ready",
            (f"sum({of_mission('relay_worker_ready')})", "ready"),
            "Workers that have their partitions and take records.",
            steps=[(1, BLUISH_GREEN)], base=VERMILLION, absent="no worker",
        )),
        (4, stat_panel(
            "Workers not reached",
            (f"count({of_workers('up')} == 0) or vector(0)", "not reached"),
            "Workers that Prometheus knows and could not scrape.",
            steps=[(1, VERMILLION)], base=BLUISH_GREEN,
        )),
        (4, stat_panel(
            "Waiting in all",
            (f"sum({_LAG})", "waiting"),
            "Records that are published and not yet taken, over all topics.",
            base=BLUISH_GREEN, absent="not known",
        )),
        (4, stat_panel(
            "Since the last progress",
            (f"time() - max({of_mission('relay_last_progress_timestamp_seconds')} > 0)", "since"),
            "Wall-clock time since any stage let a batch go. It grows while nothing is published.",
            unit="s", decimals=0, absent="none yet",
        )),
        (4, stat_panel(
            "Rejected in the time range",
            (f"round(sum(increase({of_mission('relay_records_rejected_total')}[$__range])))", "rejected"),
            "Records that could not be taken; they lie on the topic `relay.rejected` with their reason.",
            steps=[(1, ORANGE)], base=BLUISH_GREEN, absent="no worker",
        )),
        (4, stat_panel(
            "Version",
            (f"count by (version) ({of_mission('relay_build_info')})", "{{version}}"),
            "Versions of relaywatch that run.",
            absent="no worker", name=True,
        )),
    ],
)  # fmt: skip

_THROUGHPUT: Final = Row(
    title="Throughput and lag",
    height=8,
    panels=[
        (8, lines(
            "Records taken",
            [(f"sum by (stage) (rate({of_mission('relay_records_taken_total')}[$__rate_interval]))", "{{stage}}")],
            "By stage: frames records decoded, commands passed on, telemetry records watched.",
            unit=RECORDS, decimals=1, colours=STAGE,
        )),
        (8, lines(
            "Frames taken",
            [(of_links_heard(frames_a_second()), "{{link}} · {{origin}}")],
            "Whatever their disposition.",
            unit=FRAMES, decimals=1,
        )),
        (8, lines(
            "Records waiting",
            [(f"sum by (topic) ({_LAG})", "{{topic}}")],
            "Published and not yet taken. A line that only rises says that the workers do not keep up.",
            unit="none", decimals=0, colours=TOPIC,
        )),
    ],
)  # fmt: skip

_LATENCY: Final = Row(
    title="How long it takes",
    height=8,
    panels=[
        (8, lines(
            "From Kafka to the alert",
            [
                (_quantile(0.5, of_origin("relay_delivery_seconds_bucket"), "origin"), "{{origin}}, half within"),
                (_quantile(0.99, of_origin("relay_delivery_seconds_bucket"), "origin"), "{{origin}}, 99 % within"),
            ],
            "From Kafka's timestamp of a frames record to the acknowledgement of the alert that it led to. A gap: no"
            " alert.",
            unit="s", colours=ORIGIN_COLOURS, dashed="99 %",
        )),
        (8, lines(
            "Processing of a batch",
            [
                (_quantile(0.5, of_mission("relay_processing_seconds_bucket"), "stage"), "{{stage}}, half within"),
                (_quantile(0.99, of_mission("relay_processing_seconds_bucket"), "stage"), "{{stage}}, 99 % within"),
            ],
            "From a batch's arrival to the acknowledgement of all that came of it. A gap: no batch.",
            unit="s", colours=STAGE, dashed="99 %",
        )),
        (8, lines(
            "Lateness of the data",
            [
                (_quantile(0.5, of_origin("relay_lateness_seconds_bucket"), "origin"), "{{origin}}, half within"),
                (_quantile(0.99, of_origin("relay_lateness_seconds_bucket"), "origin"), "{{origin}}, 99 % within"),
            ],
            "Earth receive time less relay receive time of a record's newest frame: what the relay held back, not this"
            " pipeline. A week is the most that is told apart.",
            unit="s", colours=ORIGIN_COLOURS, dashed="99 %",
        )),
    ],
)  # fmt: skip

_REJECTS: Final = Row(
    title="Rejected, repeated, batches",
    height=8,
    panels=[
        (8, lines(
            "Rejected records",
            [(f"sum by (reason) (rate({of_mission('relay_records_rejected_total')}[$__rate_interval])) > 0",
              "{{reason}}")],
            "By reason. No line: none.",
            unit=RECORDS, decimals=2,
        )),
        (8, lines(
            "Rejected and repeated, share",
            [
                (f"max by (stage) ({of_mission('relay_records_rejected_ratio')})", "{{stage}}, rejected"),
                (
                    f"sum by (stage) (rate({of_mission('relay_records_repeated_total')}[$__rate_interval]))"
                    f" / (sum by (stage) (rate({of_mission('relay_records_taken_total')}[$__rate_interval])"
                    f" + rate({of_mission('relay_records_repeated_total')}[$__rate_interval])) > 0)",
                    "{{stage}}, repeated",
                ),
            ],
            "Rejected: of the stage's newest records. Repeated: of those that came; a restart repeats some and they"
            " change nothing.",
            unit="percentunit", decimals=1, most=1, colours=STAGE, dashed="repeated",
        )),
        (8, lines(
            "Records a batch",
            [(
                f"sum by (stage) (rate({of_mission('relay_batch_records_sum')}[$__rate_interval]))"
                f" / (sum by (stage) (rate({of_mission('relay_batch_records_count')}[$__rate_interval])) > 0)",
                "{{stage}}",
            )],
            "Mean number of records that a stage took at once. A gap: no batch.",
            unit="none", decimals=1, colours=STAGE,
        )),
    ],
)  # fmt: skip

_WORKERS: Final = Row(
    title="Workers",
    height=7,
    panels=[
        (24, timeline(
            "State of the workers",
            [(
                f"sum by (instance) ({of_workers('up')}) + (sum by (instance) ({of_mission('relay_worker_ready')})"
                f" or sum by (instance) ({of_workers('up')}) * 0)",
                "{{instance}}",
            )],
            "Of each worker that Prometheus knows: whether it can be scraped, and whether it is ready.",
            mappings=[mapping(WORKER)], most=2,
        )),
        (8, lines(
            "Event loop lag",
            [(f"max by (instance) ({of_mission('relay_event_loop_lag_seconds')})", "{{instance}}")],
            "How late the worker's event loop came round at most, in the last 15 s.",
            unit="s",
        )),
        (8, lines(
            "Memory",
            [(of_workers("process_resident_memory_bytes"), "{{instance}}")],
            "Resident memory of each worker.",
            unit="bytes", decimals=0,
        )),
        (8, lines(
            "Processor time",
            [(f"rate({of_workers('process_cpu_seconds_total')}[$__rate_interval])", "{{instance}}")],
            "Share of one core that each worker uses.",
            unit="percentunit", decimals=0,
        )),
    ],
)  # fmt: skip

BOARD: Final = Board(
    uid="relaywatch-pipeline",
    title="Pipeline",
    description="Do the workers run, do they keep up, how long does it take, what do they refuse? All times are UTC.",
    variables=[MISSION, LINK, ORIGIN],
    rows=[_NOW, _THROUGHPUT, _LATENCY, _REJECTS, _WORKERS],
)
