"""What is wrong with credentials is said in full before anything is sent; and a secret is shown to nobody."""

import logging
import os
import re
import traceback
from pathlib import Path

import pytest
from aiokafka.protocol.admin import SaslAuthenticateRequest

from pipeline.shells.cli import main, parser_for
from pipeline.shells.commands import COMMANDS
from pipeline.shells.kafka.clients import Cluster
from pipeline.shells.security import IN_THE_CLEAR, Secret, Security, SecurityError, faults
from pipeline.shells.settings import Settings, SettingsError, load_settings
from tests.build import root

HIDDEN = "hunter2-never-shown"


def said(**fields: object) -> dict[str, str]:
    return dict(faults(Security(**fields)))  # type: ignore[arg-type]


def test_without_any_setting_the_connection_is_in_the_clear_and_nothing_is_wrong() -> None:
    assert list(faults(IN_THE_CLEAR)) == []
    assert IN_THE_CLEAR.client_options() == {"security_protocol": "PLAINTEXT", "ssl_context": None}


def test_a_login_gives_the_client_its_user_and_password(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{HIDDEN}\r\n")
    (tmp_path / "password").chmod(0o600)
    given = {
        "by value": Security(security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password=Secret(HIDDEN)),
        "by file": Security(
            security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password_file=str(tmp_path / "password")
        ),
    }
    for security in given.values():
        assert security.client_options() == {
            "security_protocol": "SASL_PLAINTEXT", "ssl_context": None, "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "u", "sasl_plain_password": HIDDEN,
        }  # fmt: skip


def test_a_password_file_is_read_anew_for_each_client(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old")
    path.chmod(0o640)
    security = Security(security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password_file=str(path))
    assert security.client_options()["sasl_plain_password"] == "old"
    path.write_text("new\n")
    assert security.client_options()["sasl_plain_password"] == "new"


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"security_protocol": "SASL_SSL", "sasl_password": Secret("x")}, "sasl_username", "needs one"),
        ({"security_protocol": "SASL_SSL", "sasl_username": "u"}, "sasl_password", "neither it nor sasl_password_file"),
        ({"security_protocol": "TLS"}, "security_protocol", "give one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ({"security_protocol": "SASL_SSL", "sasl_mechanism": "GSSAPI"}, "sasl_mechanism", "give one of SCRAM-SHA-512"),
        ({"sasl_username": "u"}, "sasl_username", "give SASL_PLAINTEXT or SASL_SSL, or leave it out"),
        ({"tls_ca_file": "/nowhere/ca.pem"}, "tls_ca_file", "/nowhere/ca.pem cannot be read: No such file"),
        ({"security_protocol": "SSL", "tls_key_file": "/nowhere/key.pem"}, "tls_key_file", "/nowhere/key.pem cannot"),
        ({"security_protocol": "SSL", "tls_key_password": Secret("x")}, "tls_key_password", "without a key"),
    ],
)
def test_a_fault_names_its_setting_and_what_to_do(fields: dict[str, object], field: str, words: str) -> None:
    assert words in said(**fields)[field]


def test_a_key_without_its_certificate_is_a_fault(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\n")
    key.chmod(0o600)
    assert said(security_protocol="SSL", tls_key_file=str(key)) == {
        "tls_key_file": "a key is given without its certificate: give tls_cert_file too"
    }


@pytest.mark.parametrize(
    ("octets", "words"), [(b"\n", "is empty"), (b"\xff\xfe", "no password"), (b"x" * 70_000, "no password")]
)
def test_a_password_file_that_holds_none_is_a_fault(tmp_path: Path, octets: bytes, words: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(octets)
    path.chmod(0o600)
    given = {"security_protocol": "SASL_SSL", "sasl_username": "u", "sasl_password_file": str(path)}
    assert words in said(**given)["sasl_password_file"]


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_password_or_key_that_every_user_may_read_is_refused_with_the_line_that_mends_it(
    mode: int, tmp_path: Path
) -> None:
    path = tmp_path / "pass word"
    path.write_text(HIDDEN)
    path.chmod(mode)
    given = {"security_protocol": "SASL_SSL", "sasl_username": "u", "sasl_password_file": str(path)}
    words = f"every user of the machine may read or write {path}: chmod 600 '{path}'"
    assert said(**given) == {"sasl_password_file": words}
    path.write_text("-----BEGIN PRIVATE KEY-----\n")
    assert said(security_protocol="SSL", tls_cert_file=str(path)) == {"tls_cert_file": words}
    path.write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert words not in said(security_protocol="SSL", tls_cert_file=str(path)).values()
    path.chmod(0o640)
    assert "sasl_password_file" not in said(**given)


def test_a_pipe_is_no_password_file_since_each_connection_reads_it(tmp_path: Path) -> None:
    """As a shell's <(...) is one: the first reading would empty it, and the second wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    found = said(security_protocol="SASL_SSL", sasl_username="u", sasl_password_file=str(tmp_path / "pipe"))
    assert found["sasl_password_file"].endswith("and each connection reads it: give a file")


def test_what_is_no_pem_file_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "ca.jks"
    path.write_bytes(b"\xfe\xed\xfe\xed")
    assert "is not PEM" in said(security_protocol="SSL", tls_ca_file=str(path))["tls_ca_file"]
    path.write_text("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    assert (
        "holds no certificate that can be used" in said(security_protocol="SSL", tls_ca_file=str(path))["tls_ca_file"]
    )


def test_all_faults_are_told_together_each_under_the_flag_or_variable_that_it_came_from() -> None:
    environment = {
        "RELAYWATCH_SECURITY_PROTOCOL": "sasl_ssl", "RELAYWATCH_TLS_CA_FILE": "/nowhere/ca", "RELAYWATCH_KAFKA": "x",
    }  # fmt: skip
    with pytest.raises(SettingsError) as caught:
        load_settings({"tls_key_file": "/nowhere/key"}, environment)
    assert [line.split(":")[0].split(" is ")[0] for line in str(caught.value).splitlines()] == [
        "RELAYWATCH_KAFKA", "RELAYWATCH_SASL_USERNAME", "RELAYWATCH_SASL_PASSWORD", "--tls-key-file",
        "RELAYWATCH_TLS_CA_FILE", "--tls-key-file",
    ]  # fmt: skip
    assert "neither it nor RELAYWATCH_SASL_PASSWORD_FILE is given" in str(caught.value)


def test_a_program_that_subscribes_is_told_the_same() -> None:
    with pytest.raises(SecurityError, match="sasl_username: it is not given"):
        Security(security_protocol="SASL_SSL").client_options()


@pytest.mark.parametrize("flag", ["--sasl-password", "--tls-key-password"])
@pytest.mark.parametrize("form", ["{} {}", "{}={}", "{}"])
@pytest.mark.parametrize("command", ["worker", "replay f", "alerts", "topics create", "demo", "ack i"])
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(
    command: str, flag: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), *form.format(flag, HIDDEN).split()])
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert HIDDEN not in printed.out + printed.err
    assert f"RELAYWATCH_{flag[2:].replace('-', '_').upper()}" in printed.err


def test_no_help_offers_to_take_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser_for(["worker"]).parse_args(["worker", "--help"])
    assert "--sasl-password " not in capsys.readouterr().out


def test_a_secret_is_in_no_text_that_is_made_of_it() -> None:
    secret = Secret(HIDDEN)
    settings = Settings(security_protocol="SASL_SSL", sasl_username="u", sasl_password=secret)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!a}", repr(settings)]
    shown += [repr(settings.security), str([settings.security]), repr(Cluster.of(settings))]
    assert [text for text in shown if HIDDEN in text] == []


def test_a_traceback_through_the_credentials_does_not_show_them() -> None:
    security = Security(
        security_protocol="SASL_SSL", sasl_username="u", sasl_password=Secret(HIDDEN), tls_ca_file="/nowhere/ca"
    )
    try:
        security.client_options()
    except SecurityError as fault:
        text = "".join(traceback.TracebackException.from_exception(fault, capture_locals=True).format())
    assert "/nowhere/ca" in text
    assert HIDDEN not in text


def test_a_child_gets_the_secret_by_its_environment() -> None:
    settings = Settings(security_protocol="SASL_PLAINTEXT", sasl_username="u", sasl_password=Secret(HIDDEN))
    assert settings.environment()["RELAYWATCH_SASL_PASSWORD"] == HIDDEN
    assert load_settings({}, settings.environment()) == settings


def test_a_login_is_not_in_the_log_of_the_client_library_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("aiokafka.conn")
    login = SaslAuthenticateRequest(HIDDEN.encode()).prepare({36: (0, 1)})
    with caplog.at_level(logging.DEBUG, "aiokafka.conn"):
        logger.debug("Request to %s:%d %d: %s", "h", 1, 2, login)
        logger.debug("Request to %s:%d %d: %s", "h", 1, 2, "another")
    assert HIDDEN not in caplog.text
    assert "another" in caplog.text
    assert HIDDEN in str(login)  # else this test shows nothing


def test_clients_of_kafka_are_opened_in_one_place() -> None:
    """So that none can be forgotten. Whether a Kafka answers is asked before, by a bare connection."""
    opens = re.compile(r"\b(AIOKafka(Producer|Consumer|AdminClient|Client|Connection)|create_conn)\(")
    found = {path.name for path in (root() / "pipeline").rglob("*.py") if opens.search(path.read_text())}
    assert found == {"clients.py", "connections.py"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_is_told_a_kafka_is_told_how_to_connect_to_it(name: str) -> None:
    source = (root() / "pipeline/shells/commands" / f"{name}.py").read_text()
    # One that asks no Kafka is told its name to print it.
    if "load_settings" in source and name != "acls":
        assert (
            "kafka_arguments(" in source or "arguments_on_an_incident(" in source or "arguments_of_a_person" in source
        )
