"""`relaywatch backfill` from a file to what a real Prometheus answers."""

import datetime as dt
import math
import os
import re
import subprocess
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import tomli_w

from pipeline.records import SECOND, DeliveryStopped
from pipeline.shells.cli import main
from pipeline.shells.files.analyze import Analysis, analyze
from pipeline.shells.files.any_file import open_recording
from pipeline.shells.files.backfill import BLOCK, NOTES
from pipeline.shells.files.simulate import write_records, write_scenario
from tests.build import root, scenario, scenario_records
from tests.deploy.tools import Service, free_ports, prometheus, tool

pytestmark = pytest.mark.xdist_group("backfill")  # flight 72 is told and served once


def seconds(text: str | None) -> float:
    """2024-01-18T12:00:33.000000000Z as seconds since 1970."""
    assert text is not None
    return dt.datetime.fromisoformat(text.replace("000Z", "Z")).timestamp()


JANUARY_18 = seconds("2024-01-18T12:00:00.000000Z")
JANUARY_19 = JANUARY_18 + 86_400
JANUARY_20 = JANUARY_18 + 2 * 86_400


@pytest.fixture(scope="module")
def flight_72(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("backfill") / "flight-72.mcap"
    write_scenario("flight-72", path)
    return path


@pytest.fixture(scope="module")
def analysis(flight_72) -> Analysis:
    opened = open_recording(flight_72)
    return analyze(opened.source, opened.mission)


@pytest.fixture
def short(tmp_path) -> Path:
    """A recording of a few seconds."""
    path = tmp_path / "recordings" / "short.mcap"
    path.parent.mkdir()
    write_records(
        scenario_records("nominal")[:60], path, mission_text=tomli_w.dumps(dict(scenario("nominal").mission_data))
    )
    return path


class Asked:
    """A Prometheus and what it answers."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def at(self, query: str, at: float) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series of an instant query; `at` is seconds since 1970."""
        return [(one["metric"], float(one["value"][1])) for one in self._get("query", query=query, time=f"{at:.3f}")]

    def value(self, query: str, at: float) -> float | None:
        """The one value of a query; None where there is none."""
        found = self.at(query, at)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def over(self, query: str, start: float, end: float, step: float) -> list[tuple[float, float]]:
        """Instants and values of the one series of a range query; nothing where there is none."""
        found = self._get("query_range", query=query, start=f"{start:.3f}", end=f"{end:.3f}", step=str(step))
        assert len(found) <= 1, found
        return [(float(at), float(value)) for one in found for at, value in one["values"]]

    def series(self, query: str, start: float, end: float, step: float) -> int:
        """How many series a range query gives."""
        return len(self._get("query_range", query=query, start=f"{start:.3f}", end=f"{end:.3f}", step=str(step)))

    def _get(self, what: str, **words: str) -> list[Any]:
        body = self._service.get(f"/api/v1/{what}?{urllib.parse.urlencode(words)}")
        assert body["status"] == "success"
        return list(body["data"]["result"])


@pytest.fixture(scope="module")
def data(flight_72, tmp_path_factory) -> Path:
    """Prometheus's folder with flight 72 in it."""
    tool("promtool")
    folder = tmp_path_factory.mktemp("served") / "prometheus"
    folder.mkdir()
    assert main(["backfill", str(flight_72), "--prometheus", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def served(data) -> Iterator[Asked]:
    configuration = data.parent / "prometheus.yml"
    configuration.write_text("global: {}\n")
    with prometheus(configuration, free_ports(1)[0], data.parent, "--storage.tsdb.retention.time=100y") as service:
        yield Asked(service)


def blocks(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if BLOCK.fullmatch(path.name)}


def facts(analysis: Analysis, name: str) -> dict[str, object]:
    (found,) = [one.facts for one in analysis.flights.values() if one.name == name]
    return found


def test_the_incident_is_open_when_analyze_says_that_it_is(served, analysis):
    (incident,) = analysis.incidents
    body = incident.body()
    raised, ended = seconds(body["raised_at"]), seconds(body["ended_at"])
    active = f'relay_incidents_active{{type="{incident.type}",severity="critical",origin="replay"}} == 1'
    fires = f'ALERTS{{alertname="EndedBeforeLanding",vehicle="{incident.vehicle}",severity="critical"}} == 1'
    for query in (active, fires):
        assert served.value(query, raised - 1) is None
        assert served.value(query, raised) == 1
        assert served.value(query, JANUARY_19) == 1
        assert served.value(query, ended - 1) == 1
        # The record that shows it ends at that instant, and the clock is a record ahead of what is known.
        assert served.value(query, ended + 1) is None
    assert served.value("count(ALERTS == 1)", JANUARY_19) == 1
    at_end = JANUARY_20 + 60
    for name, instant in (("raised", raised), ("closed", ended)):
        query = f'relay_incident_{name}_timestamp_seconds{{type="{incident.type}",origin="replay"}}'
        assert served.value(query, at_end) == instant


def test_the_highest_altitude_is_the_one_that_analyze_says(served, analysis):
    highest = served.value('max_over_time(relay_altitude_meters{origin="replay"}[5m])', JANUARY_18 + 60)
    assert highest == facts(analysis, "72")["highest_altitude_m"] == 12


def test_the_frames_are_those_that_analyze_counts(served, analysis):
    at_end = JANUARY_20 + 120
    told = Counter(
        {
            (labels["link"], labels["disposition"]): value
            for labels, value in served.at('relay_frames_total{origin="replay"}', at_end)
            if value
        }
    )
    links = facts(analysis, "")["links"]
    assert isinstance(links, dict)
    assert told == Counter({(link, word): frames for link, words in links.items() for word, frames in words.items()})
    channels = facts(analysis, "")["channels"]
    assert isinstance(channels, dict)
    missing = sum(one["missing"] for one in channels.values())
    assert served.value('relay_frames_missing{origin="replay"}', at_end) == missing
    assert served.value('sum(increase(relay_frames_total{origin="replay"}[10m]))', JANUARY_18 + 300) > 0


def test_what_is_not_known_draws_nothing(served, analysis):
    """The altitude ends with the transmission, at 1.0 m, and is not carried over into the silence."""
    last_live = facts(analysis, "72")["last_live"]
    assert isinstance(last_live, dict)
    altitude = 'relay_altitude_meters{origin="replay"}'
    drawn = served.over(altitude, JANUARY_18 - 120, JANUARY_18 + 3_600, 1)
    last = [(at, value) for at, value in drawn if not math.isnan(value)][-1]
    assert last[1] == last_live["altitude_m"] == 1.0
    assert seconds(last_live["at"]) <= last[0] <= seconds(last_live["at"]) + 2
    assert served.over(altitude, JANUARY_19 - 3_600, JANUARY_19 + 3_600, 60) == []
    assert served.value('relay_frames_total{origin="replay",disposition="good"}', JANUARY_19) is None


def test_its_series_are_a_worker_s_of_origin_replay_and_of_that_name(served):
    found = [labels for labels, _ in served.at('{__name__=~"relay_.+"}', JANUARY_18 + 20)]
    assert found
    assert {labels["origin"] for labels in found} == {"replay"}
    added = {(labels["job"], labels["instance"], labels["mission"]) for labels in found}
    assert added == {("relaywatch", "flight-72", "ingenuity")}


DASHBOARDS = root() / "deploy/grafana/dashboards"
GRAFANA_S = {"$__rate_interval": "30s", "$__interval": "5s", "$__range": "10m"}


def queries(dashboard: str) -> Iterator[str]:
    """With every variable at "All"."""
    for panel in orjson.loads((DASHBOARDS / f"{dashboard}.json").read_bytes())["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for name, value in GRAFANA_S.items():
                query = query.replace(name, value)
            yield re.sub(r"\$\w+", ".*", query)


@pytest.mark.parametrize("dashboard", ["flight", "links-and-alerts"])
def test_the_dashboards_show_it_at_its_own_time(served, dashboard):
    for query in queries(dashboard):
        flown = served.series(query, JANUARY_18 - 60, JANUARY_18 + 420, 5)
        heard_again = served.series(query, JANUARY_20 - 60, JANUARY_20 + 180, 5)
        assert flown + heard_again > 0, query


@pytest.mark.parametrize("dashboard", ["flight", "links-and-alerts"])
def test_where_a_value_is_not_known_the_dashboards_have_no_number_to_show(served, dashboard):
    assert [value for _, value in served.at("relay_altitude_meters", JANUARY_18 + 40) if math.isnan(value)]
    for query in queries(dashboard):
        for at in (JANUARY_18 + 40, JANUARY_18 + 600):
            assert [value for _, value in served.at(query, at) if math.isnan(value)] == [], query


def test_the_same_recording_is_not_put_there_twice(short, tmp_path, capsys):
    tool("promtool")
    folder = tmp_path / "data"
    folder.mkdir()
    words = ["backfill", str(short), "--prometheus", str(folder)]
    assert main(words) == 0
    before = blocks(folder)
    body = orjson.loads((folder / NOTES / "short.json").read_bytes())
    assert (body["name"], body["recording"]) == ("short", "short.mcap")
    assert set(body["blocks"]) == before != set()
    capsys.readouterr()
    assert main(words) == 0
    assert capsys.readouterr().out == (
        f"short.mcap is in {folder} already, as short ({NOTES}/short.json): nothing was written\n"
    )
    assert blocks(folder) == before
    assert [path.name for path in (folder / NOTES).iterdir()] == ["short.json"]

    assert main([*words, "--step", "2"]) == 2
    assert "holds other values as 'short'" in (said := capsys.readouterr().err)
    assert "--name" in said
    assert blocks(folder) == before
    assert main([*words, "--step", "2", "--name", "every-other-second"]) == 0
    assert blocks(folder) > before


def test_the_text_is_the_same_each_time_and_goes_where_it_is_asked_for(short, tmp_path, capsys):
    assert main(["backfill", str(short), "--openmetrics", "-"]) == 0
    seen = capsys.readouterr()
    assert seen.out.endswith("# EOF\n")
    assert "samples" in seen.err
    file = tmp_path / "text" / "flight.om"
    file.parent.mkdir()
    assert main(["backfill", str(short), "--openmetrics", str(file)]) == 0
    assert file.read_text() == seen.out
    assert [path.name for path in file.parent.iterdir()] == ["flight.om"]


def test_the_containers_prometheus_makes_blocks_of_the_text_by_the_words_of_the_makefile(short, tmp_path, capsys):
    tool("promtool")
    recipe = (root() / "Makefile").read_text().partition("\nbackfill: ")[2].partition("\n\n")[0]
    (words,) = re.findall(r"'(.+)'", recipe)
    assert main(["backfill", str(short), "--openmetrics", "-"]) == 0
    for there, here in (("/tmp/text", tmp_path / "text"), ("/prometheus", tmp_path / "prometheus")):
        assert there in words
        words = words.replace(there, str(here))
    done = subprocess.run(["sh", "-euc", words], input=capsys.readouterr().out, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert blocks(tmp_path / "prometheus")
    assert not (tmp_path / "text").exists()


def test_without_promtool_it_says_where_to_get_it_before_it_reads_anything(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["backfill", "no-such-file.mcap", "--prometheus", str(tmp_path)]) == 2
    assert "apt-get install prometheus" in (said := capsys.readouterr().err)
    assert "--openmetrics FILE" in said


@pytest.fixture
def fake_promtool(tmp_path, monkeypatch) -> Path:
    """One that makes nothing and says why."""
    tools = tmp_path / "tools"
    tools.mkdir()
    program = tools / "promtool"
    program.write_text("#!/bin/sh\necho 'out of order sample' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return program


def test_where_promtool_fails_its_words_are_told_and_nothing_is_left(short, tmp_path, fake_promtool, capsys):
    folder = tmp_path / "data"
    folder.mkdir()
    assert main(["backfill", str(short), "--prometheus", str(folder)]) == 2
    assert "promtool made no blocks (exit status 1): out of order sample" in capsys.readouterr().err
    assert [path.name for path in folder.rglob("*")] == [NOTES]


@pytest.mark.parametrize("make, said", [
    (lambda folder: None, "No such file or directory"),
    (lambda folder: folder.write_text("a file"), "Not a directory"),
    (lambda folder: (folder.mkdir(), (folder / "letter.txt").write_text("")), "letter.txt and nothing of Prometheus"),
])  # fmt: skip
def test_a_folder_that_is_not_prometheus_s_is_refused(short, tmp_path, fake_promtool, capsys, make, said):
    folder = tmp_path / "data"
    make(folder)
    assert main(["backfill", str(short), "--prometheus", str(folder)]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "--storage.tsdb.path" in told


def test_a_note_that_is_none_is_told(short, tmp_path, fake_promtool, capsys):
    notes = tmp_path / "data" / NOTES
    notes.mkdir(parents=True)
    (notes / "short.json").write_text("[]")
    assert main(["backfill", str(short), "--prometheus", str(notes.parent)]) == 2
    assert "is no note of a backfill" in capsys.readouterr().err


@pytest.mark.parametrize("words, said", [
    (["--openmetrics", "-", "--step", "0"], "--step is 0: give seconds from 0.1 to 60"),
    (["--openmetrics", "-", "--step", "nan"], "--step is nan"),
    (["--openmetrics", "-", "--name", "../../etc"], "--name is '../../etc'"),
    (["--openmetrics", "/no/such/folder/file"], "No such file or directory"),
])  # fmt: skip
def test_what_cannot_be_is_refused(short, capsys, words, said):
    assert main(["backfill", str(short), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_pipe_that_the_text_is_written_to_stays_one_and_a_link_stays_a_link(short, tmp_path, capsys):
    assert main(["backfill", str(short), "--openmetrics", str(tmp_path / "text")]) == 0
    text = (tmp_path / "text").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "read").open("wb") as read, subprocess.Popen(["cat", tmp_path / "pipe"], stdout=read) as reader:
        assert main(["backfill", str(short), "--openmetrics", str(tmp_path / "pipe")]) == 0
        reader.wait(60)
    assert (tmp_path / "read").read_bytes() == text
    assert (tmp_path / "pipe").is_fifo()

    (tmp_path / "old").write_text("old")
    (tmp_path / "link").symlink_to("old")
    assert main(["backfill", str(short), "--openmetrics", str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "old").read_bytes() == text


@pytest.mark.parametrize("words", [[], ["--openmetrics", "-", "--prometheus", "."]])
def test_it_has_to_be_said_where_to_and_once(short, words):
    with pytest.raises(SystemExit) as refused:
        main(["backfill", str(short), *words])
    assert refused.value.code == 2


def test_a_cut_off_recording_is_told_up_to_where_it_ends_with_a_warning(short, tmp_path, capsys):
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(short.read_bytes()[: short.stat().st_size // 2])
    assert main(["backfill", str(cut), "--openmetrics", "-"]) == 0
    seen = capsys.readouterr()
    assert seen.out.endswith("# EOF\n")
    assert "relay_frames_total" in seen.out
    assert "cut" in seen.err


def test_a_recording_of_other_links_is_refused_and_nothing_is_written(tmp_path, capsys):
    path = tmp_path / "other.mcap"
    write_scenario("two-relays", path)
    file = tmp_path / "text"
    assert main(["backfill", str(path), "--mission", "mavlink", "--openmetrics", str(file)]) == 2
    assert "give another --mission" in capsys.readouterr().err
    assert not file.exists()


def test_a_recording_with_no_time_of_the_relay_is_refused(tmp_path, capsys):
    path = tmp_path / "nothing.mcap"
    first = scenario_records("nominal")[0]
    stopped = DeliveryStopped(
        link=first.link, session=first.session, sequence=0, earth_receive_time=first.earth_receive_time + SECOND
    )
    write_records([stopped], path, mission_text=tomli_w.dumps(dict(scenario("nominal").mission_data)))
    assert main(["backfill", str(path), "--openmetrics", "-"]) == 2
    assert "says when it was received" in capsys.readouterr().err
