"""`relaywatch visibility`: where the ground hides a vehicle from a relay, when, and what the plan should say of it."""

import argparse
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, Final

from pipeline.errors import SightError
from pipeline.outputs import rfc3339
from pipeline.shells.files.resources import sight_names
from pipeline.shells.files.sight import read_request, write_mission, write_text
from pipeline.shells.terminal import note, say, say_json, table
from pipeline.sight.drawing import draw
from pipeline.sight.plan import Entry, as_toml, entries
from pipeline.sight.request import Request
from pipeline.sight.track import SECOND
from pipeline.sight.visibility import OutOfSight, Sample, View, distance_between, view_from

EXAMPLE: Final = """\
$ relaywatch visibility hill --into ingenuity -o flight-52.toml --svg hill.svg
behind the hill: ingenuity seen from rover over hill.asc
...
Out of sight of rover from 21.59 s to 62.00 s, where the track ends; in sight there from 7.4 m up.
In sight all that time from north, 222 m from rover.
...
flight-52.toml: mission ingenuity with 1 expected loss
hill.svg: the profile at 30.20 s"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "request",
        metavar="REQUEST",
        help=f"a TOML file with relays, terrain and track, or {' or '.join(sight_names())}, a shipped example",
    )
    parser.add_argument("--relay", metavar="NAME", help="where the relay stands, in place of the first one listed")
    parser.add_argument("--plan", action="store_true", help="print nothing but the expected losses, as TOML")
    parser.add_argument("--into", metavar="MISSION", help="a mission to add the expected losses to; needs -o")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the mission file to write")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the profile and the altitudes over time")
    parser.add_argument(
        "--at", type=float, metavar="SECONDS",
        help="moment of the profile, from the start of the track; without it the worst one",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object a relay, with every sample")


def run(arguments: argparse.Namespace) -> int:
    if (arguments.into is None) != (arguments.output is None):
        raise SightError("--into MISSION and -o FILE belong together: the mission is read, the file is written")
    request, terrain = read_request(arguments.request)
    chosen = request.relays[0] if arguments.relay is None else request.relay(arguments.relay)
    views = [view_from(terrain, request, relay) for relay in request.relays]
    view = views[request.relays.index(chosen)]
    sample = view.worst if arguments.at is None else _sample_at(request, view, arguments.at)
    found = entries(request, view)
    if arguments.json:
        for one in views:
            say_json(_plain(request, one, entries(request, one)))
    elif arguments.plan:
        say(as_toml(found).rstrip() if found else "# No time out of sight that is long enough for an entry.")
    else:
        say("\n".join(_text(request, view, views, found)))
    show = note if arguments.json or arguments.plan else say
    if arguments.output is not None:
        write_mission(arguments.into, found, arguments.output, made_from=f"{request.name!r}, relay {chosen.name}")
        show(f"{arguments.output}: mission {arguments.into} with {_several(found, 'expected loss')}")
    if arguments.svg is not None:
        write_text(arguments.svg, draw(terrain, request, view, sample))
        show(f"{arguments.svg}: the profile at {_after(request, sample.at)}")
    return 0


def _sample_at(request: Request, view: View, seconds: float) -> Sample:
    lasts = (request.track.ends_at - request.track.starts_at) / SECOND
    if not 0 <= seconds <= lasts:
        raise SightError(f"--at is {seconds:g}: the track lasts from 0 to {lasts:g} s")
    moment = request.track.starts_at + round(seconds * SECOND)
    return min(view.samples, key=lambda one: abs(one.at - moment))


def _text(request: Request, view: View, views: Sequence[View], found: list[Entry]) -> Iterator[str]:
    yield f"{request.name}: {request.vehicle} seen from {view.relay.name} over {request.terrain}"
    yield ""
    yield table(("after", "altitude", "masking altitude", "above ground", ""), _rows(request, view))
    yield ""
    for loss in view.losses:
        yield from _loss(request, view, views, loss)
    if not view.losses:
        yield f"Never out of sight of {view.relay.name}."
    if unknown := sum(one.sight == "unknown" for one in view.samples):
        yield f"Not known at {unknown} of {len(view.samples)} moments: the way passes over cells without data."
    yield ""
    yield table(
        ("relay", f"from {view.relay.name}", "out of sight", "longest", "where the track ends"),
        [_relay_row(view, one) for one in views],
    )
    if found:
        yield ""
        yield as_toml(found)


def _rows(request: Request, view: View) -> list[tuple[str | None, ...]]:
    """The points of the track, and the first moments behind each edge of a shadow."""
    wanted = {point.at for point in request.track.points}
    edges = {b.at for a, b in zip(view.samples, view.samples[1:]) if a.sight != b.sight}
    return [
        (
            _after(request, one.at), f"{one.point.altitude:.1f} m", _metres(one.masking_altitude),
            _metres(one.masking_altitude - one.ground), one.sight.replace("_", " "),
        )
        for one in view.samples
        if one.at in wanted | edges
    ]  # fmt: skip


def _loss(request: Request, view: View, views: Sequence[View], loss: OutOfSight) -> Iterator[str]:
    at_end = loss.ends_at == request.track.ends_at
    until = f"to {_after(request, loss.ends_at)}{', where the track ends' if at_end else ''}"
    yield (
        f"Out of sight of {view.relay.name} from {_after(request, loss.starts_at)} {until}; in sight there from "
        f"{loss.masking_altitude:.1f} m up."
    )
    others = sorted((one for one in views if one is not view), key=lambda one: distance_between(view.relay, one.relay))
    throughout = [one for one in others if one.sees_throughout(loss.starts_at, loss.ends_at)]
    later = [one for one in others if one not in throughout and one.sees_at(loss.ends_at)]
    if throughout:
        yield f"In sight all that time from {_named(view, throughout)}."
    if later:
        yield f"In sight at its end from {_named(view, later)}."
    if others and not throughout and not later:
        yield "From no other relay listed would it be in sight again."


def _named(view: View, others: list[View]) -> str:
    return ", ".join(
        f"{one.relay.name}, {distance_between(view.relay, one.relay):.0f} m from {view.relay.name}" for one in others
    )


def _relay_row(view: View, one: View) -> tuple[str | None, ...]:
    last = one.samples[-1]
    return (
        one.relay.name,
        None if one is view else f"{distance_between(view.relay, one.relay):.0f} m",
        f"{sum(loss.seconds for loss in one.losses):.1f} s",
        f"{max((loss.seconds for loss in one.losses), default=0.0):.1f} s",
        f"{last.sight.replace('_', ' ')}, from {_metres(last.masking_altitude)} up",
    )


def _plain(request: Request, view: View, found: list[Entry]) -> dict[str, Any]:
    """As JSON; what is not known is null."""
    return {
        "relay": view.relay.name,
        "vehicle": request.vehicle,
        "losses": [
            {
                "from": rfc3339(loss.starts_at), "until": rfc3339(loss.ends_at), "returns": loss.returns,
                "masking_altitude_m": loss.masking_altitude,
            }
            for loss in view.losses
        ],
        "expected_losses": [
            {
                "name": one.name, "vehicle": one.vehicle, "from": rfc3339(one.starts_at),
                "until": rfc3339(one.ends_at), "below_m": one.below_m, "reason": one.reason,
            }
            for one in found
        ],
        "samples": [
            {
                "at": rfc3339(one.at), "x": one.point.x, "y": one.point.y, "altitude_m": one.point.altitude,
                "ground_m": one.ground, "masking_altitude_m": one.masking_altitude, "sight": one.sight,
            }
            for one in view.samples
        ],
    }  # fmt: skip


def _after(request: Request, at: int) -> str:
    return f"{(at - request.track.starts_at) / SECOND:.2f} s"


def _metres(value: float) -> str | None:
    # Rounded first: what is a hair below nothing would read -0.0.
    return f"{round(value, 1) + 0.0:.1f} m" if isfinite(value) else None


def _several(found: Sequence[Entry], name: str) -> str:
    return f"{len(found)} {name}{'' if len(found) == 1 else 'es'}"
