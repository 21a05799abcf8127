import orjson
import pytest

from pipeline.records import DataEnded
from pipeline.shells.cli import main
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.any_file import open_recording
from pipeline.shells.files.simulate import write_records, write_scenario
from tests.build import scenario, scenario_records

FIELDS = {
    "incident_id", "revision", "type", "state", "severity", "highest_severity", "vehicle", "link", "flight",
    "starts_at", "raised_at", "ended_at", "close_reason", "statement", "known", "inferred", "not_known", "evidence",
}  # fmt: skip
STATEMENT = (
    "Flight 72: reached its assigned maximum altitude of 12 m, 40 ft; during the planned landing communications ended "
    "early, before landing."
)


@pytest.fixture(scope="module")
def flight_72(tmp_path_factory):
    path = tmp_path_factory.mktemp("analyze") / "flight-72.mcap"
    write_scenario("flight-72", path)
    return path


def run(capsys, *words, status=0):
    assert main(["analyze", *map(str, words)]) == status
    return capsys.readouterr()


def test_json_is_an_object_an_incident_a_flight_and_a_vehicle_and_the_digest_last(flight_72, capsys):
    seen = run(capsys, flight_72, "--json")
    *objects, last = [orjson.loads(line) for line in seen.out.splitlines()]
    incidents = [one for one in objects if "incident_id" in one]
    flight, vehicle = (one for one in objects if "incident_id" not in one)
    assert (flight["record"], flight["name"], flight["facts"]["state"]) == ("flight", "72", "over")
    assert (vehicle["record"], vehicle["vehicle"], vehicle["flights"]) == ("vehicle", "ingenuity", ["72"])
    assert "no_flight" not in vehicle
    assert [(one["type"], one["state"], one["raised_at"], one["close_reason"]) for one in incidents] == [
        ("ended_before_landing", "closed", "2024-01-18T12:00:33.000000000Z", "contact_restored")
    ]
    assert incidents[0]["statement"] == STATEMENT
    assert incidents[0].keys() >= FIELDS
    assert last.keys() == {"digest"}
    assert len(last["digest"]) == 64
    assert seen.err == ""


def test_a_person_reads_the_incidents_what_is_known_the_flights_and_the_account(flight_72, capsys):
    out = run(capsys, flight_72).out
    words = " ".join(out.split())
    assert (
        "critical ended_before_landing ingenuity 72 closed 2024-01-18 12:00:33.0 UTC 2024-01-20 12:00:06.0 UTC" in words
    )
    assert f"statement {STATEMENT}" in words
    for label in ("known", "inferred", "not known"):
        assert f"\n{label}  " in out
    assert "ingenuity, flight 72: " in out
    assert "rover-a good 2,065 rover-a idle 79" in words
    assert "rover-a 168 0 1,844 8 8 0" in words
    assert (
        f"1,415 records; digest {analyze(scenario_records('flight-72'), scenario('flight-72').mission).digest}" in out
    )


def test_two_runs_of_one_file_have_one_digest_and_so_has_the_file_of_its_records(flight_72):
    digests = set()
    for _ in range(2):
        opened = open_recording(flight_72)
        digests.add(analyze(opened.source, opened.mission).digest)
    digests.add(analyze(scenario_records("flight-72"), scenario("flight-72").mission).digest)
    assert len(digests) == 1
    assert digests.isdisjoint({analyze(scenario_records("nominal"), scenario("nominal").mission).digest})


def test_no_incident_is_said_in_words_and_is_no_line_of_json(tmp_path, capsys):
    write_scenario("nominal", tmp_path / "nominal.mcap")
    assert run(capsys, tmp_path / "nominal.mcap", "--exit-code").out.startswith("No incident.\n")
    objects = [orjson.loads(line) for line in run(capsys, tmp_path / "nominal.mcap", "--json").out.splitlines()]
    assert [one.get("record") for one in objects] == ["flight", "vehicle", None]


def test_the_exit_code_tells_an_open_incident_only_where_it_is_asked_for(flight_72, tmp_path, capsys):
    # The same flight without the two days after it: nobody has closed the incident.
    until = scenario("flight-72").starts_at + 120 * 1_000_000_000
    path = tmp_path / "open.mcap"
    records = [one for one in scenario_records("flight-72") if one.earth_receive_time < until]
    write_records([*records, ended(records[-1])], path)
    assert run(capsys, path, "--mission", "ingenuity").out
    assert run(capsys, path, "--mission", "ingenuity", "--exit-code", status=1).out
    assert run(capsys, flight_72, "--exit-code").out


def ended(last):
    return DataEnded(
        link=last.link, session=last.session, sequence=last.sequence + 1, earth_receive_time=last.earth_receive_time,
        relay_receive_time=last.earth_receive_time,
    )  # fmt: skip


def test_a_recording_of_another_mission_is_not_analyzed_in_silence(flight_72, capsys):
    seen = run(capsys, flight_72, "--mission", "mavlink", status=2)
    assert "link 'rover-a' is not one of mission mavlink: its 1415 records are left out" in seen.err
    assert "none of its 1415 records is of a link of mission mavlink (mavlink): give another --mission" in seen.err


def test_a_tlog_needs_no_mission(shared_data, capsys):
    out = run(capsys, shared_data / "mavlink/20211202-132614.tlog", "--exit-code").out
    assert out.startswith("No incident.\n")
    assert ": landed; take-off 2021-12-02 16:26:51.5 UTC" in out


def test_a_tlog_cut_in_flight_is_a_truncated_recording_and_no_proven_loss(shared_data, tmp_path, capsys):
    path = tmp_path / "cut.tlog"
    path.write_bytes((shared_data / "mavlink/20211202-132614.tlog").read_bytes()[:463_478])
    objects = [orjson.loads(line) for line in run(capsys, path, "--json").out.splitlines()]
    incidents = [one for one in objects if "incident_id" in one]
    assert [(one["type"], one["state"]) for one in incidents] == [("recording_truncated", "open")]
