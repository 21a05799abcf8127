"""Every setting of relaywatch in one frozen object, from flags and RELAYWATCH_* variables, checked once. Knows
the environment; knows no socket, and of files only what `security` finds wrong with those it names."""

import dataclasses
import difflib
import logging
import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pipeline.errors import RelayWatchError
from pipeline.shells.security import IN_THE_CLEAR, MECHANISMS, NO_SECRET, PROTOCOLS, Secret, Security, faults

PREFIX: Final = "RELAYWATCH_"
_NAMESPACE: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SERVER: Final = re.compile(r"([\w.-]+|\[[\w:.%]+\]):(?P<port>\d{1,5})")
LOG_FORMATS: Final = ("text", "json")
_LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class SettingsError(RelayWatchError):
    """Settings that cannot be used. Carries every fault found, a line each."""


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where downloads are kept: RELAYWATCH_CACHE, else the user's cache folder."""
    return _folder(environment, "RELAYWATCH_CACHE", "XDG_CACHE_HOME", ".cache")


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where `relaywatch kafka` notes which broker runs: RELAYWATCH_STATE, else the user's state folder."""
    return _folder(environment, "RELAYWATCH_STATE", "XDG_STATE_HOME", ".local/state")


def _folder(environment: Mapping[str, str], own: str, shared: str, fallback: str) -> Path:
    if environment.get(own):
        return Path(environment[own]).expanduser()
    base = environment.get(shared)
    return (Path(base) if base else Path.home() / fallback) / "relaywatch"


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("it is empty")
    return value.strip()


def _servers(value: str) -> str:
    """`host:port[,host:port...]`."""
    for server in value.split(","):
        found = _SERVER.fullmatch(server.strip())
        if not found or not 0 < int(found["port"]) < 65536:
            raise ValueError("give host:port, for example 127.0.0.1:9092 (several joined by commas)")
    return ",".join(server.strip() for server in value.split(","))


def _instance(value: str) -> str:
    if len(value) > 100 or not value.isprintable():
        raise ValueError("give at most 100 printable characters")
    return value


def _namespace(value: str) -> str:
    if not _NAMESPACE.fullmatch(value):
        raise ValueError("give at most 63 of a-z, 0-9, - and _, the first a letter or digit, for example relay")
    return value


def _port(value: str) -> int:
    if not value.isdecimal() or int(value) > 65535:
        raise ValueError("give a port from 1 to 65535, or 0 for any free one")
    return int(value)


def _count(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) <= 10_000:
        raise ValueError("give a whole number from 1 to 10000")
    return int(value)


def _seconds(value: str) -> float:
    seconds = _number(value)
    if not 0 < seconds <= 3600:
        raise ValueError("give seconds as a number above 0 and at most 3600, for example 10")
    return seconds


def _number(value: str) -> float:
    """-1 where it is none, which no setting takes."""
    try:
        return float(value)
    except ValueError:
        return -1.0


def _session(value: str) -> float:
    seconds = _number(value)
    if not 1 <= seconds <= 60:
        raise ValueError(
            "give seconds from 1 to 60, for example 10; the broker's group.min.session.timeout.ms bounds it"
        )
    return seconds


def _yes(value: str) -> bool:
    words = {"true": True, "false": False}
    if value.lower() not in words:
        raise ValueError("give true or false")
    return words[value.lower()]


def _log_level(value: str) -> str:
    if value.lower() not in _LOG_LEVELS:
        raise ValueError(f"give one of {', '.join(_LOG_LEVELS)}")
    return value.lower()


def _log_format(value: str) -> str:
    if value.lower() not in LOG_FORMATS:
        raise ValueError(f"give one of {', '.join(LOG_FORMATS)}")
    return value.lower()


def _protocol(value: str) -> str:
    return _one_of(PROTOCOLS, value)


def _mechanism(value: str) -> str:
    return _one_of(MECHANISMS, value)


def _one_of(words: tuple[str, ...], value: str) -> str:
    if value.upper() not in words:
        raise ValueError(f"give one of {', '.join(words)}")
    return value.upper()


def _path(value: str) -> str:
    return str(Path(value).expanduser()) if value else ""


def _setting(default: Any, parse: Callable[[str], Any], help_text: str) -> Any:
    return field(default=default, metadata={"parse": parse, "help": help_text})


def _secret(help_text: str) -> Any:
    """By variable alone: other users of the machine see the words of a command."""
    return field(default=NO_SECRET, metadata={"parse": Secret, "help": help_text, "secret": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field a setting: flag `--metrics-port` and variable `RELAYWATCH_METRICS_PORT` both set `metrics_port`."""

    kafka: str = _setting("127.0.0.1:9092", _servers, "Kafka's bootstrap servers, host:port joined by commas")
    namespace: str = _setting("relay", _namespace, "prefix of topics, consumer group and worker name")
    mission: str = _setting("ingenuity", _text, "a shipped mission's name, or the path of a mission file")
    instance: str = _setting(
        "",
        _instance,
        "name of this worker in its group; empty: host name and metrics port or, with port 0, a free number",
    )
    metrics_host: str = _setting("127.0.0.1", _text, "address on which /metrics, /live and /ready are served")
    metrics_port: int = _setting(9464, _port, "port of /metrics, /live and /ready; 0 takes any free one")
    kafka_timeout: float = _setting(8.0, _seconds, "seconds to wait for Kafka before giving up")
    batch_records: int = _setting(200, _count, "records a worker takes at once at most")
    session_seconds: float = _setting(
        10.0, _session, "seconds without a sign of life of a worker after which others take its partitions"
    )
    stalled_after: float = _setting(
        60.0, _seconds, "seconds without progress, while records wait, after which a worker is started again"
    )
    replace_mission: bool = _setting(
        False, _yes, "whether the workers that run have an older version of this mission, and are being replaced"
    )
    log_level: str = _setting("info", _log_level, "least severity that is logged")
    log_format: str = _setting("text", _log_format, "text, or json: an object a line")
    security_protocol: str = _setting("PLAINTEXT", _protocol, "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    sasl_mechanism: str = _setting("SCRAM-SHA-512", _mechanism, "SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN")
    sasl_username: str = _setting("", str, "who logs in at Kafka")
    sasl_password: Secret = _secret("the password")  # noqa: RUF009 (a field)
    sasl_password_file: str = _setting("", _path, "or the file that holds it")
    tls_ca_file: str = _setting("", _path, "PEM file of the authorities to trust; empty: the system's")
    tls_cert_file: str = _setting("", _path, "PEM file of this client's certificate, where Kafka asks for one")
    tls_key_file: str = _setting("", _path, "PEM file of its key; empty: it stands in the certificate's file")
    tls_key_password: Secret = _secret("the password of the key, where it has one")  # noqa: RUF009 (a field)
    tls_key_password_file: str = _setting("", _path, "or the file that holds it")

    @property
    def security(self) -> Security:
        """Those of them that say how to connect."""
        return Security(**{name: getattr(self, name) for name in _SECURITY})

    def without_security(self) -> "Settings":
        """For a broker of our own, whatever others need."""
        return dataclasses.replace(self, **{name: getattr(IN_THE_CLEAR, name) for name in _SECURITY})

    def environment(self) -> dict[str, str]:
        """These settings as the variables that give them again: how a process passes them to its child. Passwords
        are among them: it is for nothing else."""
        given = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return {
            _variable(name): value.reveal() if isinstance(value, Secret) else str(value)
            for name, value in given.items()
        }

    @property
    def instance_name(self) -> str:
        """Empty with port 0 and no name of its own (`instance.named` finds one)."""
        return self.instance or (f"{socket.gethostname()}-{self.metrics_port}" if self.metrics_port else "")

    @property
    def log_level_number(self) -> int:
        return logging.getLevelNamesMapping()[self.log_level.upper()]


_SECURITY: Final = tuple(one.name for one in dataclasses.fields(Security))


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def load_settings(flags: Mapping[str, object] | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from flags (None: not given) over RELAYWATCH_* over defaults.

    Flags that are no setting are passed over, so a whole argparse namespace may be given. Raises SettingsError
    with every fault, each naming where the value came from.
    """
    flags = flags or {}
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    found = []
    for one in dataclasses.fields(Settings):
        where, given = f"--{one.name.replace('_', '-')}", flags.get(one.name)
        if given is None or one.metadata.get("secret"):
            where, given = _variable(one.name), environment.get(_variable(one.name))
        if given is None:
            continue
        try:
            values[one.name] = one.metadata["parse"](str(given))
            places[one.name] = where
        except ValueError as fault:
            found.append(f"{where} is {str(given)!r:.120}: {fault}")
    settings = Settings(**values)
    # With a protocol that cannot be read, nothing can be said of what belongs to it.
    is_known = not any("SECURITY_PROTOCOL" in one.split(" is ")[0].upper().replace("-", "_") for one in found)
    for name, what in faults(settings.security) if is_known else ():
        found.append(f"{places.get(name, _variable(name))}: {_NAMED.sub(lambda one: _variable(one[0]), what)}")
    found += _misspelt(environment)
    if found:
        raise SettingsError("\n".join(found))
    return settings


def checked(setting: str, value: object, *, called: str = "") -> Any:
    """One setting as a program gives it, who may have another name for it. Raises SettingsError."""
    (one,) = (one for one in dataclasses.fields(Settings) if one.name == setting)
    try:
        return one.metadata["parse"](str(value))
    except ValueError as fault:
        raise SettingsError(f"{called or setting} is {value!r:.120}: {fault}") from None


_NAMED: Final = re.compile(rf"\b({'|'.join(sorted(_SECURITY, key=len, reverse=True))})\b")
"""The settings that a fault of Security names."""


def _misspelt(environment: Mapping[str, str]) -> list[str]:
    known = [_variable(one.name) for one in dataclasses.fields(Settings)] + [
        "RELAYWATCH_CACHE",
        "RELAYWATCH_STATE",
    ]
    found = []
    for name in sorted(set(environment) - set(known)):
        near = difflib.get_close_matches(name, known, 1, 0.85) if name.startswith(PREFIX) else []
        if near:
            found.append(f"{name} is not a setting: did you mean {near[0]}?")
    return found
