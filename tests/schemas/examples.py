"""The examples in `schemas/examples`, made by the program itself from flight 72. `python -m tests.schemas.examples`
writes them anew; a test compares them with what the program makes now."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import orjson

from pipeline.commands import Acknowledge, Given, ResumeRun, encode_command, encode_given
from pipeline.errors import RecordError
from pipeline.flow import LinkState, VehicleState, decode, watch
from pipeline.heartbeat import Heartbeat, MissionNames
from pipeline.outputs import Flight, Output, Revision
from pipeline.records import (
    KINDS,
    SECOND,
    DeliveryStopped,
    FramesReceived,
    Listened,
    Origin,
    Record,
    RecordingEnded,
    Run,
    decode_record,
    encode_record,
)
from pipeline.set_aside import Range
from pipeline.shells.files.resources import schemas_dir
from pipeline.telemetry import Telemetry, encode_telemetry
from pipeline.topics import Rejected, frames_message, frames_view, range_message, resumed_message
from tests.build import scenario, scenario_records

FOLDER = schemas_dir() / "examples"
WRITE = "python -m tests.schemas.examples writes them"


def flow(name: str, run: Run) -> Iterator[tuple[Record, Telemetry, tuple[Output, ...]]]:
    """A scenario through both stages, as it would go on Kafka."""
    mission = scenario(name).mission
    links: dict[str, LinkState] = {}
    vehicles: dict[str, VehicleState] = {}
    for offset, record in enumerate(scenario_records(name)):
        origin = Origin("relay.frames", 0, offset)
        for telemetry in decode(links.setdefault(record.link, LinkState()), record, origin, mission):
            state = vehicles.setdefault(telemetry.vehicle, VehicleState())
            yield record, telemetry, watch(state, telemetry, mission, run)


@cache
def made() -> dict[str, bytes]:
    """File name → octets."""
    files: dict[str, bytes] = {}
    records = scenario_records("flight-72")
    for record in (*records, *_others(records)):
        name = f"frames.{KINDS[type(record)]}"
        if isinstance(record, FramesReceived):
            if len(record.relay_receive_times) == 2 and f"{name}.bin" not in files:
                files[f"{name}.bin"], files[f"{name}.json"] = encode_record(record), pretty(frames_view(record))
        elif not (isinstance(record, Listened) and not record.frames_heard) and f"{name}.json" not in files:
            files[f"{name}.json"] = pretty(orjson.loads(encode_record(record)))
    raised: Revision | None = None
    for _, telemetry, outputs in flow("flight-72", Run()):
        in_flight = any("flight" in samples.states for samples in telemetry.samples)
        if in_flight and "telemetry.json" not in files:
            files["telemetry.json"] = pretty(orjson.loads(encode_telemetry(telemetry)))
        for output in outputs:
            if isinstance(output, Revision) and raised is None:
                raised = output
                files["alerts.json"] = pretty(orjson.loads(output.encode()))
            if isinstance(output, Flight) and output.name == "72" and raised is not None:
                files.setdefault("flights.json", pretty(orjson.loads(output.encode())))
    assert raised is not None
    files["rejected.json"] = pretty(orjson.loads(_rejected(records[0]).encode()))
    command = Acknowledge(
        id="7f3a", incident_id=raised.incident_id, vehicle=raised.vehicle, by="m.ortiz",
        why="rover drives to a better place", at=raised.known_at + 600 * SECOND,
    )  # fmt: skip
    files["commands.json"] = pretty(orjson.loads(encode_command(command)))
    given = Given(vehicle=raised.vehicle, origin=Origin("relay.commands", 0, 0), command=command)
    files["telemetry.command.json"] = pretty(orjson.loads(encode_given(given)))
    resume = ResumeRun(
        id="7f3b", vehicle=raised.vehicle, by="m.ortiz", why="the workers have its mission now", at=command.at
    )
    run = Run(id="flight-72-1", origin="replay")
    files["frames.resumed.json"] = pretty(orjson.loads(resumed_message("relay", resume, run, 0).value))
    over = Range(
        reason="set_aside", run=run.id, origin="replay", first=217, last=1414, records=1198, began_at=command.at,
        ended_at=command.at,
    )  # fmt: skip
    files["rejected.range.json"] = pretty(orjson.loads(range_message("relay", "relay.frames", 0, over).value))
    files["heartbeat.json"] = pretty(orjson.loads(_heartbeat(records[-1].earth_receive_time).encode()))
    return files


def _others(records: tuple[Record, ...]) -> tuple[Record, ...]:
    """Kinds that no scenario has: `ingest` and the reader of a cut recording write them."""
    last = records[99]
    common: dict[str, Any] = {
        "link": last.link, "session": last.session, "sequence": 100, "earth_receive_time": last.earth_receive_time,
    }  # fmt: skip
    return DeliveryStopped(**common | {"earth_receive_time": last.earth_receive_time + 3 * SECOND}), RecordingEnded(
        **common, whole=False
    )


def _heartbeat(at: int) -> Heartbeat:
    # Its digest is made up: the real one changes with every word of the mission.
    mission = replace(MissionNames.of(scenario("flight-72").mission), digest="72" * 32)
    return Heartbeat(
        worker="pc-9464", process="5c1d", sequence=12, at=at, version="0.1.0", mission=mission,
        partitions={"frames": [0, 1], "telemetry": [0, 1]}, watermarks={"rover-a": at},
        lag={"frames/0": 0, "frames/1": 12},
    )  # fmt: skip


def _rejected(record: Record) -> Rejected:
    value = encode_record(record)[:-10]
    message = frames_message("relay", record, Run())
    try:
        decode_record(record.link, value)
    except RecordError as fault:
        return Rejected(
            reason=fault.reason, message=str(fault), origin=Origin("relay.frames", 0, 17), key=message.key,
            headers=dict(message.headers), value=value,
        )  # fmt: skip
    raise AssertionError("a cut record was taken")


def pretty(body: Any) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    for name, octets in made().items():
        (FOLDER / name).write_bytes(octets)
