"""How a client proves who it is to Kafka, and Kafka to it: SASL and TLS in one frozen value, checked in full before
anything is sent. Knows key files and passwords; knows no Kafka client and no setting's name."""

import logging
import shlex
import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.errors import RelayWatchError

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
"""Kafka's words."""
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
_OTHERS: Final = stat.S_IROTH | stat.S_IWOTH
_MOST_OCTETS: Final = 64 << 10
"""Of a file that holds a password: one that is longer is another file."""


class SecurityError(RelayWatchError):
    """Credentials that cannot be used. Carries every fault found, a line each."""


class Secret:
    """A text that is shown to nobody: not printed, not logged, not in a traceback. `reveal` gives it to the client."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(***)" if self._text else "Secret()"


NO_SECRET: Final = Secret()


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Credentials and what is trusted. Without any: as a broker of this machine is reached, in the clear."""

    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: Secret = NO_SECRET
    sasl_password_file: str = ""
    """Read each time a client is opened, so that it may be changed; one line end is cut off."""
    tls_ca_file: str = ""
    """PEM; empty: those that the system trusts."""
    tls_cert_file: str = ""
    tls_key_file: str = ""
    """PEM; empty: the key stands in the certificate's file."""
    tls_key_password: Secret = NO_SECRET
    tls_key_password_file: str = ""

    @property
    def uses_tls(self) -> bool:
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL_")

    @property
    def principal(self) -> str:
        """As a broker names whoever uses it, where no rule of the broker maps it to another name."""
        if self.uses_sasl:
            return f"User:{self.sasl_username}"
        if self.tls_cert_file:
            return f"the subject of {self.tls_cert_file}"
        return "User:ANONYMOUS"

    def check(self) -> None:
        """Raises SecurityError with every fault there is."""
        found = [f"{name}: {fault}" for name, fault in faults(self)]
        if found:
            raise SecurityError("\n".join(found))

    def ssl_context(self) -> ssl.SSLContext | None:
        """What a client needs for TLS 1.2 or later; None where it uses none. The broker's name is always checked
        against its certificate. Raises OSError, ssl.SSLError among them."""
        if not self.uses_tls:
            return None
        context = ssl.create_default_context(cafile=self.tls_ca_file or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.tls_cert_file:
            password = _text(self.tls_key_password, self.tls_key_password_file)
            # Always given: OpenSSL would ask for it on the terminal, and wait.
            context.load_cert_chain(self.tls_cert_file, self.tls_key_file or None, lambda: password)
        return context

    def client_options(self) -> dict[str, Any]:
        """The options of aiokafka's clients. Raises SecurityError where a file is not there any more."""
        self.check()
        options: dict[str, Any] = {
            "security_protocol": self.security_protocol, "ssl_context": self.ssl_context(),
        }  # fmt: skip
        if self.uses_sasl:
            options |= {
                "sasl_mechanism": self.sasl_mechanism, "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": _text(self.sasl_password, self.sasl_password_file),
            }  # fmt: skip
        return options


IN_THE_CLEAR: Final = Security()


def faults(security: Security) -> Iterator[tuple[str, str]]:
    """(field, what is wrong with it and what to do), all there are."""
    yield from _combination_faults(security)
    unreadable = list(_file_faults(security))
    yield from unreadable
    if security.uses_tls and not unreadable:
        yield from _tls_faults(security)


def _combination_faults(security: Security) -> Iterator[tuple[str, str]]:
    protocol = security.security_protocol
    if protocol not in PROTOCOLS:
        yield "security_protocol", f"it is {protocol!r:.40}: give one of {', '.join(PROTOCOLS)}"
        return
    sasl = ("sasl_username", "sasl_password", "sasl_password_file")
    tls = ("tls_ca_file", "tls_cert_file", "tls_key_file", "tls_key_password", "tls_key_password_file")
    # What was given and would not be used is a wrong protocol, and maybe a password in the clear.
    for names, used, kind in ((sasl, security.uses_sasl, "SASL_"), (tls, security.uses_tls, "SSL")):
        for name in [] if used else [one for one in names if getattr(security, one)]:
            fitting = " or ".join(one for one in PROTOCOLS if kind in one)
            yield (
                name,
                f"it is given, and security_protocol {protocol} does not use it: give {fitting}, or leave it out",
            )
    if security.uses_sasl:
        if security.sasl_mechanism not in MECHANISMS:
            yield "sasl_mechanism", f"it is {security.sasl_mechanism!r:.40}: give one of {', '.join(MECHANISMS)}"
        if not security.sasl_username:
            yield "sasl_username", f"it is not given, and security_protocol {protocol} needs one"
        if not security.sasl_password and not security.sasl_password_file:
            yield "sasl_password", f"neither it nor sasl_password_file is given; security_protocol {protocol} needs one"
    for name in ("sasl_password", "tls_key_password"):
        if getattr(security, name) and getattr(security, f"{name}_file"):
            yield name, f"it is given, and {name}_file too: leave one of them out"
    if security.tls_key_file and not security.tls_cert_file:
        yield "tls_key_file", "a key is given without its certificate: give tls_cert_file too"
    if (security.tls_key_password or security.tls_key_password_file) and not security.tls_cert_file:
        yield "tls_key_password", "the password of a key is given without a key: give tls_cert_file and tls_key_file"


def _file_faults(security: Security) -> Iterator[tuple[str, str]]:
    for name in ("sasl_password_file", "tls_ca_file", "tls_cert_file", "tls_key_file", "tls_key_password_file"):
        path = getattr(security, name)
        if not path:
            continue
        try:
            if Path(path).is_fifo():
                yield name, f"{path} is a pipe, which can be read once only, and each connection reads it: give a file"
                continue
            octets = Path(path).read_bytes()
            mode = Path(path).stat().st_mode
        except OSError as fault:
            yield name, f"{path} cannot be read: {fault.strerror}"
            continue
        is_secret = name.endswith("_password_file") or _holds_open_key(octets)
        if is_secret and mode & _OTHERS:
            yield name, f"every user of the machine may read or write {path}: chmod 600 {shlex.quote(path)}"
        if name.endswith("_password_file"):
            if not octets.rstrip(b"\r\n"):
                yield name, f"{path} is empty"
            elif len(octets) > _MOST_OCTETS or not _is_text(octets):
                yield name, f"{path} holds {len(octets)} octets that are no password: a text of UTF-8 is expected"
        elif b"-----BEGIN " not in octets:
            yield name, f"{path} is not PEM: it has no line -----BEGIN ...-----"


def _tls_faults(security: Security) -> Iterator[tuple[str, str]]:
    """By doing what a client will do: first with the authority alone, then with certificate and key."""
    try:
        ssl.create_default_context(cafile=security.tls_ca_file or None)
    except (OSError, ValueError) as fault:
        yield "tls_ca_file", f"{security.tls_ca_file} holds no certificate that can be used: {fault}"
        return
    if not security.tls_cert_file:
        return
    try:
        security.ssl_context()
    except ssl.SSLError as fault:
        key = security.tls_key_file or security.tls_cert_file
        if fault.reason == "KEY_VALUES_MISMATCH":
            yield "tls_key_file", f"{key} is not the key of the certificate in {security.tls_cert_file}"
        elif security.tls_key_password or security.tls_key_password_file:
            yield "tls_key_password", f"{key} cannot be opened with it, or is no key: {fault.reason or fault}"
        else:
            yield "tls_key_file", f"{key} holds no key, or needs tls_key_password: {fault.reason or fault}"
    except (OSError, ValueError) as fault:
        yield "tls_cert_file", f"{security.tls_cert_file} cannot be used: {fault}"


def _holds_open_key(octets: bytes) -> bool:
    return b"PRIVATE KEY-----" in octets and b"ENCRYPTED" not in octets


def _is_text(octets: bytes) -> bool:
    try:
        return "\0" not in octets.decode()
    except UnicodeDecodeError:
        return False


def _text(given: Secret, path: str) -> str:
    """What a secret or the file in its place holds."""
    if not path:
        return given.reveal()
    return Path(path).read_bytes().decode().removesuffix("\n").removesuffix("\r")


def _hides_login(record: logging.LogRecord) -> bool:
    """A filter: aiokafka logs each request in full at debug level, that of a login with its password too."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    return not any(type(one).__name__.startswith("SaslAuthenticateRequest") for one in arguments)


# On the logger itself, so that it holds whatever a program that subscribes does with its log.
logging.getLogger("aiokafka.conn").addFilter(_hides_login)
