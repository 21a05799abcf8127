"""One number for everything that was found: two runs of the same frames, in whatever order and by whatever way,
have the same digest."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

INCIDENT_FIELDS: Final = (
    "type", "subject", "flight", "severity", "highest_severity", "state", "episodes", "starts_at", "raised_at",
    "ended_at", "close_reason", "statement", "known", "inferred", "not_known",
)  # fmt: skip


def digest(incidents: Iterable[Mapping[str, Any]], flights: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 over the final result in canonical JSON. Takes the last body of each incident (`Revision.body`) and
    of each flight (`Flight.body`); retracted and superseded incidents, and superseded flights, are no part of it."""
    found = {
        body["incident_id"].split(":", 1)[1]: {name: body[name] for name in INCIDENT_FIELDS}
        for body in incidents
        if body["state"] != "retracted" and body["close_reason"] != "superseded"
    }
    ledger = {
        f"{body['vehicle']}/{body['name']}": {name: part for name, part in body["facts"].items() if name != "arrival"}
        for body in flights
        if body["facts"].get("state") != "superseded"
    }
    whole = {"incidents": found, "flights": ledger}
    return hashlib.sha256(orjson.dumps(whole, option=orjson.OPT_SORT_KEYS)).hexdigest()
