"""`relaywatch worker`."""

import argparse

from pipeline.shells.kafka.arguments import kafka_arguments
from pipeline.shells.settings import load_settings

EXAMPLE = """\
  $ relaywatch worker --kafka 127.0.0.1:9092 --mission ingenuity
  ... INFO    pipeline.shells.worker.app: ready: state is read back, records are taken"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mission", metavar="M", help="a shipped mission's name, or a mission file (ingenuity)")
    parser.add_argument("--instance", metavar="NAME", help="name of this worker in its group (host name and port)")
    parser.add_argument("--metrics-host", metavar="ADDRESS", help="where /metrics, /live, /ready are (127.0.0.1)")
    parser.add_argument("--metrics-port", metavar="PORT", help="and their port (9464; 0: any free one)")
    parser.add_argument("--batch-records", metavar="N", help="records taken at once at most (200)")
    parser.add_argument(
        "--session-seconds", metavar="SECONDS", help="without a sign of life until others take its partitions (10)"
    )
    parser.add_argument(
        "--stalled-after", metavar="SECONDS", help="without progress until it is started again (60); /live says why"
    )
    parser.add_argument(
        "--replace-mission", action="store_true", default=None,
        help="this is a new version of the mission that the running workers have: they are started again one by one",
    )  # fmt: skip
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error (info)")
    parser.add_argument("--log-format", metavar="F", help="text or json, an object a line (text)")
    parser.add_argument(
        "--no-supervisor", action="store_true",
        help="run it in this process, which ends at the first fault: where something else starts it again",
    )  # fmt: skip
    kafka_arguments(parser)
    parser.add_argument("--supervised", action="store_true", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings(vars(arguments))
    if arguments.no_supervisor:
        from pipeline.shells.worker.app import run_worker

        return run_worker(settings, supervised=arguments.supervised)
    from pipeline.shells.worker.supervisor import supervise

    return supervise(settings)
