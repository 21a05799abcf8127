from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecordError
from pipeline.report.alert import Alert, Episode, alert_of, read_alert
from pipeline.report.statement import news, statement
from pipeline.shells.files.resources import schemas_dir

RAISED = "2024-01-18T12:00:33.000000000Z"


def example() -> dict[str, Any]:
    """The alert that stands in schemas/examples."""
    return orjson.loads((schemas_dir() / "examples/alerts.json").read_bytes())


def test_the_published_example_is_an_alert():
    alert = read_alert(orjson.dumps(example()))
    assert (alert.type, alert.state, alert.severity, alert.flight) == ("ended_before_landing", "open", "critical", "72")
    assert alert.raised_at == "2024-01-18T12:00:33.000000000Z"
    assert alert.not_known[-1] == "Why communications ended: frames do not say."
    assert alert.episodes == (Episode(raised_at=alert.raised_at, ended_at=None),)
    assert alert.id == "live:ingenuity:72:ended_before_landing/1"


def test_every_field_of_the_schema_is_a_field_of_the_alert():
    schema = orjson.loads((schemas_dir() / "alerts.json").read_bytes())
    assert set(schema["properties"]) == set(Alert.__dataclass_fields__)


def test_a_field_that_a_later_version_wrote_is_passed_over():
    assert alert_of({**example(), "assessed_by": "someone"}) == alert_of(example())


@pytest.mark.parametrize(
    "name,value",
    [
        ("revision", "1"), ("revision", True), ("revision", None), ("state", "resolved"), ("severity", ["critical"]),
        ("known", "one"), ("known", [1]), ("episodes", [3]), ("episodes", [{}]), ("episodes", {}),
        ("confirmed", 0), ("raised_at", None), ("ended_at", 5), ("evidence", []), ("flight", 72),
        ("raised_at", "x"), ("starts_at", "2024-13-01T00:00:00Z"), ("ended_at", "2024-01-18T12:00:00+01:00"),
        ("known_at", "2024-01-18T12:00:00.0000000000Z"), ("episodes", [{"raised_at": "x", "ended_at": None}]),
        ("people", []), ("people", {"history": 3}), ("people", {"history": [{}]}),
        ("people", {"history": [{"what": "close", "id": "", "by": 1, "why": "", "refused": None, "at": RAISED}]}),
        ("people", {"history": [{"what": "close", "id": "", "by": "", "why": "", "refused": None, "at": "x"}]}),
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_named(name, value):
    with pytest.raises(RecordError, match=r"episode|" + name):
        alert_of({**example(), name: value})


def test_a_field_that_is_not_there_is_named():
    body = example()
    del body["statement"]
    with pytest.raises(RecordError, match="alert has no statement"):
        alert_of(body)


WRONG: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.just(RAISED)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3)),
    max_leaves=5,
)


@given(name=st.sampled_from(sorted(example())), value=WRONG)
def test_whatever_stands_in_a_field_an_alert_is_refused_or_can_be_shown(name, value):
    try:
        alert = alert_of({**example(), name: value})
    except RecordError:
        return
    assert news(alert)
    assert statement(alert)


@pytest.mark.parametrize(
    "value", [b"", b"[1]", b"null", b"{", b"\xff\x00", b"3", b'{"incident_id":' + b"[" * 1000 + b"]" * 1000 + b"}"]
)
def test_octets_that_are_no_alert_are_refused(value):
    with pytest.raises(RecordError):
        read_alert(value)
