"""Why a Kafka that is there does not let us in, and what a person can do about it. Knows the faults of aiokafka and of
TLS, and looks for itself where they do not say; knows no topic."""

import asyncio
import ssl
from typing import Any, Final

from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from pipeline.shells.kafka.connections import connection_to
from pipeline.shells.security import Security

_PROBE_SECONDS: Final = 2.0
_PROTOCOL: Final = "RELAYWATCH_SECURITY_PROTOCOL"


async def refusal(server: str, fault: BaseException, security: Security) -> str:
    """What a person can do about a fault that no waiting cures; empty for one that may pass."""
    said = _said_by(server, fault, security)
    if said or not isinstance(fault, KafkaError | ConnectionResetError):
        return said
    # Someone is there and hangs up: he may speak another protocol.
    if security.uses_tls and await _answers(server, security_protocol="PLAINTEXT"):
        return _no_tls(server, security)
    if not security.uses_tls and await _speaks_tls(server):
        wanted = "SASL_SSL" if security.uses_sasl else "SSL or SASL_SSL"
        return (
            f"{server} speaks TLS, and {_PROTOCOL} is {security.security_protocol}: give {wanted}, or "
            "the port of another listener"
        )
    if security.uses_tls and not security.tls_cert_file and _is_alert(fault):
        return (
            f"{server} took no connection without a certificate: give one that it trusts with RELAYWATCH_TLS_CERT_FILE "
            "and RELAYWATCH_TLS_KEY_FILE"
        )
    if security.uses_tls and _is_alert(fault):
        return f"{server} did not take the certificate in {security.tls_cert_file}: is it of an authority it trusts?"
    if not security.uses_sasl and await _wants_login(server, security):
        wanted = "SASL_SSL" if security.uses_tls else "SASL_PLAINTEXT"
        return (
            f"{server} wants a login, and {_PROTOCOL} is {security.security_protocol}: give {wanted} "
            "with RELAYWATCH_SASL_USERNAME and RELAYWATCH_SASL_PASSWORD_FILE"
        )
    return ""


def _said_by(server: str, fault: BaseException, security: Security) -> str:
    """What the fault itself says."""
    if isinstance(fault, SaslAuthenticationFailed | AuthenticationFailedError):
        return (
            f"{server} does not let {security.sasl_username!r:.80} in by {security.sasl_mechanism}: user, password "
            "(RELAYWATCH_SASL_PASSWORD or the file RELAYWATCH_SASL_PASSWORD_FILE) or RELAYWATCH_SASL_MECHANISM is wrong"
        )
    if isinstance(fault, UnsupportedSaslMechanismError):
        return f"{server} takes no {security.sasl_mechanism}: give the one that it takes with RELAYWATCH_SASL_MECHANISM"
    if isinstance(fault, IllegalSaslStateError):
        wanted = "SSL" if security.uses_tls else "PLAINTEXT"
        return (
            f"{server} takes no login, and {_PROTOCOL} is {security.security_protocol}: give {wanted}, "
            "or the port of another listener"
        )
    if isinstance(fault, ssl.SSLCertVerificationError):
        trusted = security.tls_ca_file or "the system's authorities"
        return (
            f"{server} is not trusted: {fault.verify_message.rstrip('.')}. Its certificate is checked against "
            f"{trusted} (RELAYWATCH_TLS_CA_FILE) and against its name in RELAYWATCH_KAFKA"
        )
    if isinstance(fault, ssl.SSLError) and fault.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return _no_tls(server, security)
    if isinstance(fault, ssl.SSLError):
        return f"{server}: no TLS connection came about: {fault.reason or fault}"
    return ""


def _no_tls(server: str, security: Security) -> str:
    wanted = "SASL_PLAINTEXT" if security.uses_sasl else "PLAINTEXT"
    return (
        f"{server} does not speak TLS, and {_PROTOCOL} is {security.security_protocol}: give the port of its TLS "
        f"listener, or {wanted}"
    )


def _is_alert(fault: BaseException) -> bool:
    """Whether the other side ended TLS: in TLS 1.3 what it says of our certificate comes after the handshake."""
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLError | ConnectionResetError):
            return True
        cause = cause.__cause__
    return False


async def _speaks_tls(server: str) -> bool:
    """Whether a TLS handshake comes about. Nothing is sent, so the other side need not be trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    host, port = host_and_port(server)
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


async def _wants_login(server: str, security: Security) -> bool:
    """Whether it answers who begins to log in."""
    protocol = "SASL_SSL" if security.uses_tls else "SASL_PLAINTEXT"
    context = security.ssl_context()
    # No mechanism has this name, so nothing is sent that could be a password.
    return await _answers(server, security_protocol=protocol, ssl_context=context, sasl_mechanism="none")


async def _answers(server: str, **options: Any) -> bool:
    """Whether it says of itself what every Kafka says, also to somebody whom it does not let in."""
    host, port = host_and_port(server)
    try:
        async with connection_to(host, port, request_timeout_ms=_PROBE_SECONDS * 1000, **options):
            return True
    except UnsupportedSaslMechanismError:
        return True
    except (KafkaError, OSError, TimeoutError):
        return False


def host_and_port(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)
