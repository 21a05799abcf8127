"""Settings: flags over variables over defaults, checked once, all faults together."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shells.security import Secret
from pipeline.shells.settings import PREFIX, Settings, SettingsError, cache_folder, load_settings, state_folder

NAMES = [one.name for one in dataclasses.fields(Settings)]


def faults(flags: dict[str, Any] | None = None, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(flags, environment or {})
    return str(caught.value).splitlines()


def test_without_flags_and_variables_all_are_at_their_defaults() -> None:
    assert load_settings({}, {}) == Settings()


def test_a_flag_is_over_a_variable_and_a_variable_over_the_default() -> None:
    environment = {"RELAYWATCH_NAMESPACE": "env", "RELAYWATCH_METRICS_PORT": "7"}
    settings = load_settings({"namespace": "flag", "metrics_port": None}, environment)
    assert (settings.namespace, settings.metrics_port, settings.kafka) == ("flag", 7, Settings().kafka)


def test_a_flag_of_0_is_given() -> None:
    assert load_settings({"metrics_port": 0}, {"RELAYWATCH_METRICS_PORT": "7"}).metrics_port == 0


def test_flags_that_are_no_setting_are_passed_over() -> None:
    assert load_settings({"file": "x", "json": True}, {"HOME": "/", "PATH": ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("kafka", "localhost", "give host:port, for example 127.0.0.1:9092 (several joined by commas)"),
        ("kafka", "a:1,b", "give host:port"),
        ("kafka", "a:0", "give host:port"),
        ("kafka", "a:65536", "give host:port"),
        ("kafka", ":9092", "give host:port"),
        ("kafka", "http://a:9092", "give host:port"),
        ("kafka", "::1:9092", "give host:port"),
        ("kafka", "\udcff:9092", "give host:port"),
        ("kafka", "a b:9092", "give host:port"),
        ("kafka", f"a:{'9' * 5000}", "give host:port"),
        ("instance", "a\nb", "give at most 100 printable characters"),
        ("instance", "a" * 101, "give at most 100 printable characters"),
        ("namespace", "Relay", "give at most 63 of a-z, 0-9, - and _, the first a letter or digit, for example relay"),
        ("namespace", "a.b", "give at most 63"),
        ("namespace", "a" * 64, "give at most 63"),
        ("namespace", "", "give at most 63"),
        ("mission", "  ", "it is empty"),
        ("metrics_host", "", "it is empty"),
        ("metrics_port", "http", "give a port from 1 to 65535, or 0 for any free one"),
        ("metrics_port", "-1", "give a port"),
        ("metrics_port", "65536", "give a port"),
        ("kafka_timeout", "10s", "give seconds as a number above 0 and at most 3600, for example 10"),
        ("kafka_timeout", "0", "give seconds"),
        ("kafka_timeout", "nan", "give seconds"),
        ("kafka_timeout", "inf", "give seconds"),
        ("batch_records", "0", "give a whole number from 1 to 10000"),
        ("batch_records", "1.5", "give a whole number"),
        ("session_seconds", "0.5", "give seconds from 1 to 60"),
        ("log_level", "loud", "give one of debug, info, warning, error"),
    ],
)
def test_a_value_that_cannot_be_used_says_where_it_came_from_and_what_to_give(name: str, value: str, said: str) -> None:
    (flag,) = faults({name: value})
    assert flag.startswith(f"--{name.replace('_', '-')} is {value!r:.120}: {said}")
    (variable,) = faults({}, {f"RELAYWATCH_{name.upper()}": value})
    assert variable.startswith(f"RELAYWATCH_{name.upper()} is {value!r:.120}: {said}")


def test_all_faults_are_told_together() -> None:
    found = faults({"namespace": "?"}, {"RELAYWATCH_METRICS_PORT": "x", "RELAYWATCH_NAMESPCE": "relay"})
    assert [one.split(" is ")[0] for one in found] == ["--namespace", "RELAYWATCH_METRICS_PORT", "RELAYWATCH_NAMESPCE"]
    assert found[2] == "RELAYWATCH_NAMESPCE is not a setting: did you mean RELAYWATCH_NAMESPACE?"


def test_several_servers_are_one_list_without_spaces() -> None:
    assert load_settings({"kafka": "a:1, b:2 ,[::1]:3"}, {}).kafka == "a:1,b:2,[::1]:3"


def test_a_log_level_is_read_in_any_case() -> None:
    assert load_settings({"log_level": "WARNING"}, {}).log_level_number == 30


@given(
    st.integers(0, 65535),
    st.floats(0.001, 3600),
    st.integers(1, 10_000),
    st.from_regex("[a-z0-9]{1,9}", fullmatch=True),
)
def test_settings_come_back_from_the_variables_that_give_them_to_a_child(
    port: int, seconds: float, records: int, namespace: str
) -> None:
    settings = Settings(
        metrics_port=port, kafka_timeout=seconds, batch_records=records, namespace=namespace, instance="w1"
    )
    assert load_settings({}, settings.environment()) == settings


def test_every_setting_has_a_help_sentence_and_a_default_that_it_would_take_itself() -> None:
    for one in dataclasses.fields(Settings):
        assert one.metadata["help"]
        if one.metadata.get("secret"):
            assert one.default == Secret()
            continue
        assert one.metadata["parse"](str(one.default)) == one.default
    assert load_settings({}, Settings().environment()) == Settings()


@pytest.mark.parametrize("name", NAMES)
def test_settings_cannot_be_changed(name: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(Settings(), name, "x")


def test_folders_are_the_user_s_unless_a_variable_names_others() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/relaywatch")
    assert cache_folder({"XDG_CACHE_HOME": "/c", "RELAYWATCH_CACHE": "/own"}) == Path("/own")
    assert cache_folder({}) == Path.home() / ".cache/relaywatch"
    assert state_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/relaywatch")
    assert state_folder({"RELAYWATCH_STATE": "~/x"}) == Path.home() / "x"


def test_the_prefix_of_the_variables_is_the_program_s_name() -> None:
    assert PREFIX == "RELAYWATCH_"
