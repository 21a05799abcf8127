"""A Kafka that asks who is there and lets each do only what rules say: certificates, users, and the rules, set from the
lines that `relaywatch acls` prints."""

import argparse
import asyncio
import dataclasses
import os
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trustme
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pipeline.shells.kafka.access import Role, access, acl_command, topic_access
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.local import Extras, start_broker
from pipeline.shells.security import IN_THE_CLEAR, Secret, Security
from pipeline.shells.settings import Settings

ALICE: Final = "alice"
"""Logs in by every mechanism, and may publish to a namespace of her own that nobody uses."""
PASSWORD: Final = "wonderland-4711"
LISTENERS: Final = {"SASL": "SASL_PLAINTEXT", "SASLTLS": "SASL_SSL", "TLS": "SSL", "MUTUAL": "SSL"}
ROLES: Final[tuple[Role, ...]] = ("publisher", "worker", "subscriber", "operator", "administrator")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Files of an authority, the broker, and a client; and of an authority that nobody knows."""

    folder: Path

    def __getattr__(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")


def make_certificates(folder: Path) -> Certificates:
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    stranger.cert_pem.write_to_path(folder / "stranger.pem")
    issued = {
        "broker": authority.issue_cert("127.0.0.1"),
        "elsewhere": authority.issue_cert("kafka.example"),
        "client": authority.issue_cert(f"{ALICE}.example", common_name=ALICE),
        "impostor": stranger.issue_cert(f"{ALICE}.example", common_name=ALICE),
    }
    for name, one in issued.items():
        key = load_pem_private_key(one.private_key_pem.bytes(), None)
        certificate = b"".join(part.bytes() for part in one.cert_chain_pems)
        # Kafka reads no other form of key.
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode()))
        (folder / f"{name}.pem").write_bytes(certificate)
        for which in ("key", "both"):
            (folder / f"{name}_{which}.pem").touch(mode=0o600)
        (folder / f"{name}_key.pem").write_bytes(plain)
        (folder / f"{name}_locked_key.pem").write_bytes(locked)
        (folder / f"{name}_both.pem").write_bytes(plain + certificate)
    return Certificates(folder=folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuredKafka:
    open: str
    """The listener in the clear; who comes by it may do everything."""
    listeners: Mapping[str, str]
    certificates: Certificates

    def login(self, user: str, listener: str = "SASL", mechanism: str = "SCRAM-SHA-512", **more: Any) -> Cluster:
        protocol = LISTENERS[listener]
        trusted = {"tls_ca_file": self.certificates.ca} if protocol.endswith("SSL") else {}
        fields = {
            "security_protocol": protocol, "sasl_mechanism": mechanism, "sasl_username": user,
            "sasl_password": Secret(PASSWORD), **trusted, **more,
        }  # fmt: skip
        return Cluster(self.listeners[listener], 8.0, Security(**fields))

    def tls(self, listener: str, **more: Any) -> Cluster:
        fields = {"security_protocol": "SSL", "tls_ca_file": self.certificates.ca, **more}
        return Cluster(self.listeners[listener], 8.0, Security(**fields))

    def administer(self) -> Cluster:
        return Cluster(self.open, 20.0, IN_THE_CLEAR)

    def environment(self, user: str) -> dict[str, str]:
        """The settings of a process of this user, by TLS and login."""
        return environment_of(self.login(user, "SASLTLS"))

    def allow(self, namespace: str, *roles: Role) -> None:
        """What `relaywatch acls` says, for users with the names of the roles."""
        lines = [acl_command(self.open, f"User:{role}", one) for role in roles for one in access(namespace, role)]
        allow(self.administer(), lines)


def environment_of(cluster: Cluster) -> dict[str, str]:
    """The settings of a process that connects so."""
    how = {one.name: getattr(cluster.security, one.name) for one in dataclasses.fields(Security)}
    return Settings(kafka=cluster.servers, **how).environment()


@contextmanager
def secured_kafka(folder: Path) -> Iterator[SecuredKafka]:
    certificates = make_certificates(folder)
    users = (ALICE, *ROLES)
    scram = [
        word
        for user in users
        for mechanism in _MECHANISMS[1:]
        for word in ("--add-scram", f"{mechanism}=[name={user},password={PASSWORD}]")
    ]
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Who comes by a listener that asks nobody.
        "super.users": "User:ANONYMOUS",
        "sasl.enabled.mechanisms": ",".join(_MECHANISMS),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": certificates.broker_both,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": certificates.ca,
        "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
        "listener.name.mutual.ssl.client.auth": "required",
    }
    for listener in ("sasl", "sasltls"):
        plain = " ".join(f'user_{user}="{PASSWORD}"' for user in users)
        modules = {
            "plain": f"org.apache.kafka.common.security.plain.PlainLoginModule required {plain};",
            "scram-sha-256": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "scram-sha-512": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        }
        for mechanism, module in modules.items():
            properties[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"] = module
    broker = start_broker(extras=Extras(listeners=LISTENERS, properties=properties, format_words=tuple(scram)))
    try:
        secured = SecuredKafka(open=broker.bootstrap, listeners=broker.listeners, certificates=certificates)
        line = acl_command(secured.open, f"User:{ALICE}", topic_access(ALICE, "frames", "Write"))
        allow(secured.administer(), [line])
        yield secured
    finally:
        broker.stop()


_TYPES: Final = {"topic": 2, "group": 3}
_PATTERNS: Final = {"literal": 3, "prefixed": 4}
_OPERATIONS: Final = {
    "Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Alter": 7, "Describe": 8, "DescribeConfigs": 10,
    "AlterConfigs": 11,
}  # fmt: skip
_ALLOW: Final = 3


def allow(cluster: Cluster, lines: Iterable[str]) -> None:
    """By Kafka's own tool where KAFKA_ACLS says which (it starts a Java machine for each line), else as it would: the
    class path that is fetched here does not hold it."""
    if tool := os.environ.get("KAFKA_ACLS"):
        for line in lines:
            subprocess.run([tool, *shlex.split(line)[1:]], check=True, capture_output=True, timeout=60)
    else:
        asyncio.run(_allow(cluster, lines))


async def _allow(cluster: Cluster, lines: Iterable[str]) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--allow-principal", required=True)
    parser.add_argument("--operation", action="append", choices=_OPERATIONS, required=True)
    parser.add_argument("--resource-pattern-type", choices=_PATTERNS, default="literal")
    named = parser.add_mutually_exclusive_group(required=True)
    for kind in _TYPES:
        named.add_argument(f"--{kind}")
    async with cluster.admin() as client:
        for line in lines:
            tool, *words = shlex.split(line)
            assert tool == "kafka-acls.sh"
            said = parser.parse_args(words)
            kind = "topic" if said.topic else "group"
            for operation in said.operation:
                answer = await client._send_request(
                    CreateAclsRequest(
                        _TYPES[kind], said.topic or said.group, _PATTERNS[said.resource_pattern_type],
                        said.allow_principal, "*", _OPERATIONS[operation], _ALLOW,
                    )
                )  # fmt: skip
                ((code, message),) = answer.creation_responses
                assert not code, f"{line}: {for_code(code).__name__} {message}"
