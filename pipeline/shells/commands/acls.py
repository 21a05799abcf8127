"""`relaywatch acls`: the least that each role needs to be allowed on a cluster."""

import argparse
from dataclasses import asdict
from typing import Final, get_args

from pipeline.errors import RelayWatchError
from pipeline.shells.kafka.access import ROLES, Role, access, acl_command, role_principal
from pipeline.shells.settings import load_settings
from pipeline.shells.terminal import say, say_json

EXAMPLE: Final = """\
$ relaywatch acls --role publisher --principal User:rover-a
# publisher: publishes frames; reads the heartbeat ...
kafka-acls.sh --bootstrap-server 127.0.0.1:9092 --add --allow-principal User:rover-a --operation Write ..."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", choices=get_args(Role), help="of this role alone (all)")
    parser.add_argument("--principal", metavar="User:NAME", help="who has the role (User:, the namespace, -, the role)")
    parser.add_argument("--json", action="store_true", help="one JSON object a resource")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="what the lines name; no Kafka is asked (127.0.0.1:9092)")
    parser.add_argument("--namespace", metavar="NAME", help="prefix of the topics (relay)")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(vars(arguments))
    if arguments.principal and not arguments.role:
        raise RelayWatchError(f"--principal {arguments.principal:.100} with all roles: say which it has with --role")
    for role in [arguments.role] if arguments.role else ROLES:
        principal = arguments.principal or role_principal(settings.namespace, role)
        if not arguments.json:
            say(f"# {role}: {ROLES[role]}")
        for one in access(settings.namespace, role):
            if arguments.json:
                say_json({"role": role, "principal": principal, **asdict(one)})
            else:
                say(acl_command(settings.kafka, principal, one))
    return 0
