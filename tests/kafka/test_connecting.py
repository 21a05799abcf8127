"""Every way to connect to a real Kafka that asks who is there; and what is said where it does not let us in."""

import asyncio
import dataclasses
import logging

import pytest

from pipeline.shells.cli import main
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.kafka.reach import KafkaRefusedError, reachable
from pipeline.shells.security import Secret
from tests.kafka.secured import ALICE, PASSWORD, SecuredKafka

pytestmark = pytest.mark.kafka

MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


async def try_every_client(cluster: Cluster) -> None:
    async with cluster.admin() as admin:
        assert await admin.describe_cluster()
    async with cluster.consumer() as consumer:
        assert await consumer.topics() is not None
    async with cluster.producer():
        pass


@pytest.mark.parametrize("listener", ["SASL", "SASLTLS"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_login_opens_every_kind_of_client(secured: SecuredKafka, listener: str, mechanism: str) -> None:
    asyncio.run(try_every_client(secured.login(ALICE, listener, mechanism)))


def test_tls_without_a_login_opens_every_kind_of_client(secured: SecuredKafka) -> None:
    asyncio.run(try_every_client(secured.tls("TLS")))


@pytest.mark.parametrize("key", ["client_key", "client_locked_key", None])
def test_a_certificate_opens_every_kind_of_client(secured: SecuredKafka, key: str | None) -> None:
    """Mutual TLS: with its key, with one that has a password, with certificate and key in one file."""
    files = secured.certificates
    if key is None:
        cluster = secured.tls("MUTUAL", tls_cert_file=files.client_both)
    else:
        password = Secret(PASSWORD) if "locked" in key else Secret()
        cluster = secured.tls(
            "MUTUAL", tls_cert_file=files.client, tls_key_file=getattr(files, key), tls_key_password=password
        )
    asyncio.run(try_every_client(cluster))


def refused(cluster: Cluster) -> str:
    """What is said, at once: no waiting helps."""
    with pytest.raises(KafkaRefusedError) as caught:
        asyncio.run(reachable(cluster.servers, 60.0, cluster.security))
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def elsewhere(cluster: Cluster, server: str) -> Cluster:
    return dataclasses.replace(cluster, servers=server)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password_is_said(secured: SecuredKafka, mechanism: str) -> None:
    said = refused(secured.login(ALICE, "SASLTLS", mechanism, sasl_password=Secret("wrong-one")))
    assert f"does not let 'alice' in by {mechanism}: user, password (RELAYWATCH_SASL_PASSWORD or the file" in said
    assert "wrong-one" not in said


def test_a_broker_of_another_authority_is_not_trusted(secured: SecuredKafka) -> None:
    for ca in (secured.certificates.stranger, ""):
        said = refused(secured.tls("TLS", tls_ca_file=ca))
        assert "is not trusted: unable to get local issuer certificate." in said
        assert f"is checked against {ca or 'the system'}" in said


def test_a_broker_of_another_name_is_not_trusted(secured: SecuredKafka) -> None:
    cluster = secured.tls("TLS")
    said = refused(elsewhere(cluster, cluster.servers.replace("127.0.0.1", "localhost")))
    assert "is not trusted: Hostname mismatch, certificate is not valid for 'localhost'." in said


def test_a_client_in_the_clear_at_a_tls_port_is_told_so(secured: SecuredKafka) -> None:
    for listener, given in (("TLS", "SSL or SASL_SSL"), ("MUTUAL", "SSL or SASL_SSL"), ("SASLTLS", "SSL or SASL_SSL")):
        said = refused(Cluster(secured.listeners[listener]))
        assert f"speaks TLS, and RELAYWATCH_SECURITY_PROTOCOL is PLAINTEXT: give {given}" in said
    said = refused(elsewhere(secured.login(ALICE), secured.listeners["SASLTLS"]))
    assert "speaks TLS, and RELAYWATCH_SECURITY_PROTOCOL is SASL_PLAINTEXT: give SASL_SSL" in said


def test_a_tls_client_at_a_port_in_the_clear_is_told_so(secured: SecuredKafka) -> None:
    said = refused(elsewhere(secured.tls("TLS"), secured.open))
    assert "does not speak TLS, and RELAYWATCH_SECURITY_PROTOCOL is SSL: give the port of its TLS listener" in said
    assert "or SASL_PLAINTEXT" in refused(elsewhere(secured.login(ALICE, "SASLTLS"), secured.listeners["SASL"]))


def test_a_client_that_does_not_log_in_is_told_to(secured: SecuredKafka) -> None:
    assert "wants a login, and RELAYWATCH_SECURITY_PROTOCOL is PLAINTEXT: give SASL_PLAINTEXT" in refused(
        Cluster(secured.listeners["SASL"])
    )
    assert "wants a login, and RELAYWATCH_SECURITY_PROTOCOL is SSL: give SASL_SSL" in refused(
        elsewhere(secured.tls("TLS"), secured.listeners["SASLTLS"])
    )


def test_a_client_that_logs_in_where_nobody_asks_is_told_so(secured: SecuredKafka) -> None:
    assert "takes no login, and RELAYWATCH_SECURITY_PROTOCOL is SASL_PLAINTEXT: give PLAINTEXT" in refused(
        elsewhere(secured.login(ALICE), secured.open)
    )


def test_a_certificate_that_is_missing_or_of_another_authority_is_said(secured: SecuredKafka) -> None:
    files = secured.certificates
    assert "took no connection without a certificate: give one that it trusts with" in refused(secured.tls("MUTUAL"))
    said = refused(secured.tls("MUTUAL", tls_cert_file=files.impostor, tls_key_file=files.impostor_key))
    assert f"did not take the certificate in {files.impostor}: is it of an authority it trusts?" in said


def test_a_command_says_it_in_one_line_and_ends(
    secured: SecuredKafka, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELAYWATCH_SASL_PASSWORD", "wrong-one")
    words = ["--kafka", secured.listeners["SASL"], "--security-protocol", "SASL_PLAINTEXT", "--sasl-username", ALICE]
    assert main(["alerts", *words]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if "does not let 'alice' in" in line] == said[-1:]
    assert "wrong-one" not in "".join(said)


def test_no_level_of_logging_shows_a_password(secured: SecuredKafka, caplog: pytest.LogCaptureFixture) -> None:
    # A command has silenced the library, where one was run before.
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "aiokafka"):
        for mechanism in MECHANISMS:
            asyncio.run(try_every_client(secured.login(ALICE, "SASL", mechanism)))
    assert "Request to" in caplog.text
    assert PASSWORD not in caplog.text
