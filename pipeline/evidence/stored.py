"""The evidence as it is stored: chunks by time, so that no entry grows with the length of a flight. Knows the form of a
chunk; knows no Kafka and no state but this.

A batch of records writes every chunk that it changed, whole. So where much stands, and in the minute of the newest
frames much changes at each record, chunks are short:

    evidence/{ten minutes}      stretches of time by their beginning, and totals
    sessions/{ten minutes}      what is known of sessions, by their start
    levels/{minute}             signal levels
    runs/{20 s}                 runs of counts by their beginning: at 50 Hz and 20 % loss there are 170 of them
    readings/{20 s}             what MAVLink messages say
    bins/{link}/{minute}        receptions by tenths of a second
"""

import base64
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from pipeline.evidence.maxima import MaximumMap
from pipeline.evidence.runs import Run
from pipeline.evidence.segments import Key, Segment
from pipeline.evidence.summary import GRID_FIELDS, SEGMENT_FIELDS, STORED_BY, TOTAL_FIELDS, Evidence

_OF_SESSIONS: Final = ("ended", "stopped", "reached", "last_sequence")
_SEGMENTS: Final = {
    "evidence": tuple(field for field in SEGMENT_FIELDS if field not in ("records", "levels")),
    "levels": ("levels",),
}
_TOTALS: Final = {
    "evidence": tuple(field for field in TOTAL_FIELDS if field not in _OF_SESSIONS),
    "sessions": _OF_SESSIONS,
}
PACK_ABOVE: Final = 1024
"""Octets of JSON above which a stored chunk is compressed."""
_FAST: Final = 1
"""Level of compression: what is compressed now is compressed again with the next batch."""


def dump(evidence: Evidence, name: str) -> Any:
    """What is stored under a chunk's name, as JSON."""
    kind, _, place = name.partition("/")
    link, _, number = place.rpartition("/")
    if kind == "bins":
        return evidence.bins.dump(link, int(number))
    low = int(number) * STORED_BY[kind]
    high = low + STORED_BY[kind]
    if kind == "runs":
        return pack([[key, *run] for key, run in evidence.runs.between(low, high)])
    chunk = {}
    if kind == "readings":
        for field in GRID_FIELDS:
            chunk[field] = [[key, list(point)] for key, point in getattr(evidence, field).between(low, high)]
    for field in _SEGMENTS.get(kind, ()):
        chunk[field] = _listed(getattr(evidence, field).between(low, high))
    for field in _TOTALS.get(kind, ()):
        totals: MaximumMap = getattr(evidence, field)
        chunk[field] = [[key, value] for key, value in totals.values.items() if low <= totals.place(key) < high]
    if kind == "sessions":
        chunk["records"] = _listed((key, one) for key, one in evidence.records.items() if low <= key[1] < high)
    return pack({field: items for field, items in chunk.items() if items})


def load(evidence: Evidence, name: str, value: Any) -> None:
    """The inverse of `dump`."""
    kind, _, place = name.partition("/")
    link, _, number = place.rpartition("/")
    if kind == "bins":
        evidence.bins.load(link, int(number), value)
    elif kind == "runs":
        for key, *run in unpack(value):
            evidence.add_run(_tuple(key), Run(*run))
    else:
        for field, items in unpack(value).items():
            place_of = getattr(evidence, field)
            for key, *rest in items:
                place_of.add(_tuple(key), *_tuple(rest))
        evidence.joined.refresh()


def _listed(items: Iterable[tuple[Key, Segment]]) -> list[Any]:
    return [[key, *segment] for key, segment in items]


def _tuple(value: Any) -> Any:
    return tuple(_tuple(part) for part in value) if isinstance(value, list) else value


def pack(value: Any) -> Any:
    """JSON as it is, or compressed where it is long: {"z": base64 of zlib}."""
    octets = orjson.dumps(value)
    if len(octets) <= PACK_ABOVE:
        return value
    return {"z": base64.b64encode(zlib.compress(octets, _FAST)).decode()}


def unpack(value: Any) -> Any:
    if isinstance(value, Mapping) and value.keys() == {"z"}:
        return orjson.loads(zlib.decompress(base64.b64decode(value["z"])))
    return value
