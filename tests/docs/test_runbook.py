"""docs/runbook: every page has its four parts, what it tells people to type is taken, and its worked cases are what
relaywatch says of these recordings."""

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pipeline.metrics import METRICS
from pipeline.shells.cli import main, parser_for
from pipeline.shells.commands import COMMANDS
from pipeline.shells.files.analyze import Analysis, analyze
from pipeline.verdicts.words import instant
from tests.build import root, scenario, scenario_records

ROOT: Final = root()
RUNBOOK: Final = ROOT / "docs/runbook"
INDEX: Final = (RUNBOOK / "README.md").read_text()
PAGES: Final = {path.stem: path.read_text() for path in sorted(RUNBOOK.glob("*.md")) if path.name != "README.md"}
EBL: Final = PAGES["ended_before_landing"]
PARTS: Final = ["What it means", "What it does not mean", "What to look at", "What to do next"]
RULES: Final[list[dict[str, Any]]] = [
    rule
    for file in sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS: Final = {Path(rule["annotations"]["runbook"]).stem: rule for rule in RULES if "alert" in rule}
CASES: Final = {"Flight 17": "flight-17", "Flight 52": "expected-loss", "Flight 72": "flight-72"}
"""Heading → scenario."""


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a language, without the indentation that a list gives them."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def severities(name: str) -> list[str]:
    """Those that the page's first line names."""
    return re.findall(r"\*(critical|warning|notice|info)\*", PAGES[name].splitlines()[2])


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_it_means_what_not_what_to_look_at_and_what_to_do(name: str) -> None:
    assert PAGES[name].startswith(f"# {name}\n")
    assert re.findall(r"^## (.+)$", PAGES[name], re.MULTILINE)[:4] == PARTS
    assert [
        line for line in PAGES[name].splitlines() if len(line) > 120 and not re.match(r"\|| *relaywatch ", line)
    ] == []
    assert severities(name)


@pytest.mark.parametrize("name", PAGES)
def test_every_command_on_a_page_is_one_that_relaywatch_takes(name: str) -> None:
    for block in blocks(PAGES[name], "sh"):
        for line in block.splitlines():
            words = shlex.split(line)
            if words[:1] == ["relaywatch"]:
                assert parser_for(words[1:]).parse_args(words[1:]).command in COMMANDS
            elif words:
                assert words[:2] == ["docker", "compose"], line
    assert set(re.findall(r"`relaywatch ([a-z]\w*)", PAGES[name])) <= set(COMMANDS)


@pytest.mark.parametrize("name", PAGES)
def test_every_series_on_a_page_exists(name: str) -> None:
    there = {name for metric in METRICS for name in (metric.name, *metric.series)} | {
        rule["record"] for rule in RULES if "record" in rule
    }
    text = "\n".join(blocks(PAGES[name], "promql") + re.findall(r"`([^`\n]+)`", PAGES[name]))
    named = set(re.findall(r"\brelay[_:][\w:]*\w", text)) - {"relay_outage", "relay_restored"}
    assert named - there == set()


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_names_or_links_to_exists(name: str) -> None:
    text = PAGES[name]
    assert [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not (RUNBOOK / link).exists()] == []
    named = re.findall(r"`((?:deploy|schemas|docs)/[\w./-]+)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_index_has_a_row_for_every_page_and_its_severities() -> None:
    rows = re.findall(r"^\| `(\w+)` \| \[(\w+)\]\((\w+)\.md\) \| ([\w, ]+) \|$", INDEX, re.MULTILINE)
    assert rows == [
        (ALERTS[name]["alert"], name, name, ", ".join(severities(name)))
        for rule in RULES
        if "alert" in rule
        for name in [Path(rule["annotations"]["runbook"]).stem]
    ]


def test_a_page_of_the_pipeline_has_the_severity_of_its_rule() -> None:
    fixed = {name: rule["labels"]["severity"] for name, rule in ALERTS.items() if "labels" in rule}
    assert fixed
    assert {name: severities(name) for name in fixed} == {name: [one] for name, one in fixed.items()}


@cache
def result(name: str) -> Analysis:
    return analyze(scenario_records(name), scenario(name).mission)


def case(heading: str) -> str:
    """The text of one worked case."""
    [text] = re.findall(rf"^### {heading}:.*?(?=^### |\Z)", EBL, re.MULTILINE | re.DOTALL)
    return str(text)


def test_the_worked_cases_are_flights_17_52_and_72() -> None:
    assert re.findall(r"^### (Flight \d+):", EBL, re.MULTILINE) == list(CASES)
    assert all(f"`{name}`" in EBL or f"simulate {name} " in EBL for name in CASES.values())


@pytest.mark.parametrize("heading", CASES)
def test_a_worked_case_tells_the_revisions_that_come_out(heading: str) -> None:
    expected = []
    for one in result(CASES[heading]).revisions:
        state = one.state if one.close_reason is None else f"{one.state}: {one.close_reason}"
        words = [str(one.revision), instant(one.known_at), one.severity, state, ", ".join(one.changed)]
        expected.append(" | ".join(words).rstrip())
    rows = re.findall(r"^\| (\d+ \|.*?) ?\|$", case(heading), re.MULTILINE)
    assert [row.rstrip(" |") for row in rows] == [row.rstrip(" |") for row in expected]


@pytest.mark.parametrize("heading", CASES)
def test_a_worked_case_shows_what_analyze_prints(
    heading: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "112")
    file = str(tmp_path / "case.mcap")
    assert main(["simulate", CASES[heading], "-o", file]) == 0
    capsys.readouterr()
    assert main(["analyze", file]) == 0
    printed = capsys.readouterr().out
    [shown] = blocks(case(heading), "text")
    assert shown in printed
