"""The words by which every command is told which Kafka, and how to connect to it. Knows argparse; opens nothing."""

import argparse
from typing import Any, NoReturn


class _NotHere(argparse.Action):
    """A secret on the command line. It is refused and not repeated; without this argparse would take the word for the
    beginning of another, and show what came with it."""

    def __call__(self, parser: argparse.ArgumentParser, *rest: Any) -> NoReturn:
        variable = f"RELAYWATCH_{self.dest.upper()}"
        parser.error(
            f"{self.option_strings[0]}: others see the words of a command. Set {variable}, or name a file that holds "
            f"it with {self.option_strings[0]}-file"
        )


def kafka_arguments(parser: argparse.ArgumentParser, kafka: str = "127.0.0.1:9092", namespace: str = "relay") -> None:
    """`kafka` and `namespace`: what their defaults are, in words."""
    group = parser.add_argument_group("Kafka (each may be a variable: RELAYWATCH_KAFKA, RELAYWATCH_TLS_CA_FILE, ...)")
    group.add_argument("--kafka", metavar="HOST:PORT", help=f"bootstrap servers, joined by commas ({kafka})")
    group.add_argument("--namespace", metavar="NAME", help=f"prefix of the topics ({namespace})")
    group.add_argument("--kafka-timeout", metavar="SECONDS", help="how long to wait for its answers (8)")
    group.add_argument("--security-protocol", metavar="P", help="PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL (PLAINTEXT)")
    group.add_argument("--sasl-mechanism", metavar="M", help="SCRAM-SHA-512, SCRAM-SHA-256, PLAIN (SCRAM-SHA-512)")
    group.add_argument("--sasl-username", metavar="USER", help="who logs in")
    group.add_argument("--sasl-password-file", metavar="FILE", help="holds the password (or RELAYWATCH_SASL_PASSWORD)")
    group.add_argument("--tls-ca-file", metavar="PEM", help="authorities to trust (the system's)")
    group.add_argument("--tls-cert-file", metavar="PEM", help="this client's certificate")
    group.add_argument("--tls-key-file", metavar="PEM", help="its key (in the certificate's file)")
    group.add_argument("--tls-key-password-file", metavar="FILE", help="holds the key's password, where it has one")
    for secret in ("--sasl-password", "--tls-key-password"):
        group.add_argument(secret, action=_NotHere, nargs="?", help=argparse.SUPPRESS)
