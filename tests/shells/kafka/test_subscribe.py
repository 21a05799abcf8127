"""What a program asks of a subscription is checked before it waits for anything."""

import asyncio
from typing import Any

import pytest

from pipeline.shells.settings import SettingsError
from pipeline.subscribe import alerts


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"origins": ["replayed"]}, "origins is ['replayed']: give a list of some of live, replay, test"),
        ({"origins": []}, "origins is []: give a list"),
        ({"origins": "replay"}, "origins is 'replay': give a list"),
        ({"kafka": "localhost"}, "kafka is 'localhost': give host:port, for example 127.0.0.1:9092"),
        ({"kafka": None}, "kafka is None: give host:port"),
        ({"kafka": ["a:1"]}, "kafka is ['a:1']: give host:port"),
        ({"namespace": "a/b"}, "namespace is 'a/b': give at most 63 of a-z"),
        ({"wait_seconds": float("nan")}, "wait_seconds is nan: give seconds as a number above 0 and at most 3600"),
        ({"wait_seconds": 0}, "wait_seconds is 0: give seconds"),
    ],
)
def test_what_could_never_give_an_alert_is_refused_at_once(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        asyncio.run(anext(alerts(**asked)))  # type: ignore[arg-type]
    assert str(refused.value).startswith(said)
