"""`relaywatch`: the verbs. Output for people on a terminal, JSON Lines with --json; progress and faults on stderr.
Exit status 0: ran. 1: ran and found something (an incident is open and --exit-code was given, a topic must change, a
scenario differs). 2: could not run. Knows argparse and nothing of what a command does."""

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final, NoReturn

from pipeline.errors import RelayWatchError
from pipeline.shells.commands import COMMANDS, load
from pipeline.shells.terminal import write
from pipeline.texts import escaped

RAN: Final = 0
INCIDENT_OPEN: Final = 1
COULD_NOT_RUN: Final = 2
INTERRUPTED: Final = 130
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(COULD_NOT_RUN, f"{self.prog}: {message} ({self.prog} --help shows an example)\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(escaped(message, but="\n"), file)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status of `relaywatch` with these words."""
    words = list(sys.argv[1:] if argv is None else argv)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name or text that the terminal has no characters for is shown, and ends nothing.
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _run(words)
        # Here and not when Python ends: a reader that has enough is no fault.
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read our output has enough, as `head` does.
        _write_no_more()
        return RAN
    except OSError as fault:
        if fault.errno not in _NO_ROOM:
            if fault.filename is None:
                raise
            # A name that is too long, a folder that may not be entered: nobody else has spoken of it.
            said = f"{os.fsdecode(fault.filename)}: {fault.strerror}"
        else:
            _write_no_more()
            said = f"{os.strerror(fault.errno)}: the output is not whole"
        # Where standard error is what has no room, the exit status has to say it.
        with suppress(OSError):
            write(sys.stderr, f"relaywatch: {said}")
        return COULD_NOT_RUN


def _open_closed_streams() -> None:
    """Who starts us with standard output or error closed wants nothing of it; the next file opened would take its
    place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 (open until the process ends)


def _write_no_more() -> None:
    """What is left in the buffer would be written when Python ends, and fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(words: Sequence[str]) -> int:
    try:
        arguments = parser_for(words).parse_args(words)
        _check_texts(arguments)
        return load(arguments.command).run(arguments)
    except RelayWatchError as fault:
        sys.stdout.flush()
        write(sys.stderr, f"relaywatch: {fault}")
        return COULD_NOT_RUN
    except KeyboardInterrupt:
        sys.stderr.write("\nrelaywatch: interrupted\n")
        return INTERRUPTED


def _check_texts(arguments: argparse.Namespace) -> None:
    """Names of files may be any octets, and are Paths; every other word goes into records, settings or messages."""
    for name, value in vars(arguments).items():
        try:
            str(value if isinstance(value, str) else "").encode()
        except UnicodeEncodeError:
            raise RelayWatchError(f"{name.replace('_', '-')} is {value!r:.80}: it is not UTF-8") from None


def parser_for(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of these words: it knows the arguments of the one command that they ask for."""
    parser = _Parser(
        prog="relaywatch",
        description="From relayed frames alone: when a transmission ended, what the vehicle was doing, whether that "
        "was expected, and what is still not known.",
        epilog="Start with `relaywatch demo`, or without a broker: `relaywatch analyze FILE`.",
    )
    parser.add_argument("-V", "--version", action="version", version=f"relaywatch {version('relaywatch')}")
    verbs = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    asked = next((word for word in words if word in COMMANDS), None)
    for name, text in COMMANDS.items():
        if name != asked:
            verbs.add_parser(name, help=text, add_help=False)
            continue
        command = load(name)
        verb = verbs.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".",
            epilog=f"example:\n{command.EXAMPLE}", formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        command.arguments(verb)
    return parser


if __name__ == "__main__":
    sys.exit(main())
