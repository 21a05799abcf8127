"""What the documents say is so: commands, their examples and outputs, settings, the maps of the files.

In README.md a `console` block is what a terminal of 112 columns shows: `$ ` before a command, its output below, `...`
for lines left out. Commands that need no broker are run, one after the other in one folder, and their output compared;
of the others the words are parsed. A `text` block is a part of such an output.
"""

import dataclasses
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest

import pipeline
from pipeline.shells.cli import main, parser_for
from pipeline.shells.commands import COMMANDS, load
from pipeline.shells.settings import PREFIX, Settings
from pipeline.topics import TOPICS
from pipeline.verdicts import RULES
from tests.build import root
from tests.docs import metrics_table

ROOT: Final = root()
PACKAGE: Final = ROOT / "pipeline"
README: Final = (ROOT / "README.md").read_text()
ARCHITECTURE: Final = (ROOT / "ARCHITECTURE.md").read_text()
DOCUMENTS: Final = {name: (ROOT / name).read_text() for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")}
WIDTH: Final = 112
NEED_NO_BROKER: Final = [["relaywatch", name] for name in ("simulate", "analyze", "check", "inspect")]


class Shown(NamedTuple):
    command: str
    output: str


def shown(text: str) -> Iterator[Shown]:
    """The commands of a terminal's text, each with the output below it."""
    for part in re.split(r"^ *\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Shown(command, output.rstrip("\n"))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


CONSOLE: Final = [one for block in blocks(README, "console") for one in shown(block)]
COMMAND_LINES: Final = [line for block in blocks(README, "sh") for line in block.splitlines()] + [
    one.command for one in CONSOLE
]


def words_of(command: str) -> list[str]:
    """The words after `relaywatch`, without the comment, and without what the shell takes for itself."""
    return shlex.split(command.split(" > ")[0].split(" | ")[0], comments=True)[1:]


@pytest.mark.parametrize("line", [line for line in COMMAND_LINES if line.startswith("relaywatch ")])
def test_every_command_in_the_readme_is_one_that_relaywatch_takes(line: str) -> None:
    words = words_of(line)
    assert parser_for(words).parse_args(words).command in COMMANDS


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_that_a_document_names_exists(document: str) -> None:
    named = set(re.findall(r"`relaywatch ([a-z]\w*)", DOCUMENTS[document]))
    assert named
    assert named - set(COMMANDS) == set()


def test_the_readme_or_the_changelog_names_every_command() -> None:
    text = README + DOCUMENTS["CHANGELOG.md"]
    assert [name for name in COMMANDS if f"relaywatch {name}" not in text] == []


def test_the_changelog_names_every_alert_type_and_every_topic() -> None:
    text = DOCUMENTS["CHANGELOG.md"]
    assert [name for name in RULES if f"`{name}`" not in text] == []
    assert [name for name in TOPICS if f"relay.{name}`" not in text and f"`.{name}`" not in text] == []


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md"])
def test_every_make_target_that_a_document_names_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|^\$ |^)make ([a-z]+)", DOCUMENTS[document], re.MULTILINE))
    assert named
    assert named - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_a_document_links_to_exists(document: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", DOCUMENTS[document])
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the broker-less commands of the README print, all run in one folder."""
    folder = tmp_path_factory.mktemp("readme")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": str(WIDTH)}
    printed = {}
    for command in [one.command for one in CONSOLE if one.command.split()[:2] in NEED_NO_BROKER]:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.shells.cli", *words_of(command)],
            cwd=folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        printed[command] = done.stdout.rstrip("\n")
    return printed


def test_the_output_in_the_readme_is_what_comes_out(outputs: dict[str, str]) -> None:
    assert sorted(command.split()[:2] for command in outputs) == sorted(NEED_NO_BROKER)
    for one in CONSOLE:
        if one.command in outputs:
            parts = [re.escape(part) for part in re.split(r"^\.\.\.$", one.output, flags=re.MULTILINE)]
            assert re.fullmatch(r"(?s:.*)".join(parts), outputs[one.command]), outputs[one.command]


def test_what_the_readme_says_of_flight_72_is_what_analyze_says(outputs: dict[str, str]) -> None:
    (text,) = blocks(README, "text")
    assert text in outputs["relaywatch analyze flight-72.mcap"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_that_the_command_takes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    examples = [one for one in shown(load(name).EXAMPLE) if one.command.startswith(f"relaywatch {name}")]
    assert examples
    for one in examples:
        words = words_of(one.command)
        assert parser_for(words).parse_args(words).command == name
    with pytest.raises(SystemExit) as left:
        parser_for([name]).parse_args([name, "--help"])
    assert left.value.code == 0
    assert examples[0].command in capsys.readouterr().out


def test_the_help_of_relaywatch_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parser_for([]).parse_args(["--help"])
    assert left.value.code == 0
    out = capsys.readouterr().out
    assert [name for name in COMMANDS if not re.search(rf"^ +{name} ", out, re.MULTILINE)] == []


def test_the_settings_table_has_a_row_for_every_setting_and_no_other() -> None:
    rows = re.findall(rf"^\| (`--[a-z-]+`|) ?\| `({PREFIX}\w+)` \| (.*?) ?\| (.*?) \|$", README, re.MULTILINE)
    expected = [
        (
            "" if one.metadata.get("secret") else f"`--{one.name.replace('_', '-')}`",
            f"{PREFIX}{one.name.upper()}",
            f"`{one.default}`" if one.default != "" and not one.metadata.get("secret") else "",
            one.metadata["help"],
        )
        for one in dataclasses.fields(Settings)
    ]
    assert rows == expected


@pytest.mark.parametrize("setting", dataclasses.fields(Settings), ids=lambda one: one.name)
def test_a_worker_takes_every_setting_as_a_flag_but_secrets(setting: "dataclasses.Field[object]") -> None:
    words = ["worker", f"--{setting.name.replace('_', '-')}", "1"]
    if setting.metadata.get("secret"):
        with pytest.raises(SystemExit):
            parser_for(words).parse_args(words)
    elif isinstance(setting.default, bool):
        assert getattr(parser_for(words).parse_args(words[:-1]), setting.name) is True
    else:
        assert getattr(parser_for(words).parse_args(words), setting.name) == "1"


def test_every_variable_that_a_document_names_is_one_that_is_read() -> None:
    known = {f"{PREFIX}{one.name.upper()}" for one in dataclasses.fields(Settings)}
    known |= {"RELAYWATCH_CACHE", "RELAYWATCH_STATE"}
    named = {name for text in DOCUMENTS.values() for name in re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", text)}
    assert named == known


def test_the_rules_of_access_in_the_documents_are_those_that_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks((ROOT / "docs/security.md").read_text(), "console")
    (printed,) = shown(block)
    assert main(words_of(printed.command)) == 0
    assert capsys.readouterr().out.rstrip("\n") == printed.output


def test_the_map_of_the_package_names_every_module_and_no_other() -> None:
    assert pipeline.__doc__ is not None
    named = re.findall(r"^([a-z_]+) {2,}\S", pipeline.__doc__, re.MULTILINE)
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(named) == sorted(there - {"__init__"})


def test_architecture_names_every_file_of_the_package_and_no_other() -> None:
    """In "The files": a row a folder, and behind it the names of its modules."""
    section = ARCHITECTURE.split("## The files")[1]
    named = []
    for folder, modules in re.findall(r"^\| `pipeline/([\w/]*)` \| (.*?) \|", section, re.MULTILINE):
        named += [f"{folder}{module}.py" for module in re.findall(r"`(\w+)`", modules)]
    there = [str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    assert sorted(named) == sorted(there)


def test_architecture_draws_the_layers_that_the_import_contract_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (held,) = [one["layers"] for one in contracts if one["name"] == "Imports go down only"]
    (drawn,) = [block for block in blocks(ARCHITECTURE, "") if block.startswith("subscribe")]
    names = [re.split(r" {2,}", line)[0].split(" · ") for line in drawn.splitlines()]
    assert names == [[one.removeprefix("pipeline.") for one in re.split(r" [|:] ", layer)] for layer in held]


def test_architecture_says_of_every_dependency_why_it_is_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = sorted(re.split(r"[=<>]", one)[0] for one in project["dependencies"])
    section = ARCHITECTURE.split("## What it stands on")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ([a-z][\w-]+) \| \S.*\|$", section, re.MULTILINE)
    assert sorted(set(rows) - {"dependency"}) == names


def test_the_subscriber_in_the_readme_is_python_of_at_most_six_lines() -> None:
    (block,) = blocks(README, "python")
    compile(block, "README.md", "exec", flags=0)
    assert len([line for line in block.splitlines() if line.strip()]) <= 6
    assert "from pipeline.subscribe import alerts" in block


def test_the_table_of_metrics_is_made_from_their_declaration() -> None:
    text = metrics_table.DOCUMENT.read_text()
    assert text == metrics_table.with_table(text), metrics_table.WRITE
