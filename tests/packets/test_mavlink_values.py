"""What MAVLink messages say of a vehicle, read together; messages made by pymavlink."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v10 import all as version_1
from pymavlink.dialects.v20 import all as version_2

from pipeline.frames.mavlink import Message, read_message
from pipeline.mission.vehicles import MAVLINK_PARAMETERS
from pipeline.packets.mavlink import PARAMETERS, OnBoard, learn

SECOND = 1_000_000_000


class Vehicle:
    """Says messages one after the other and keeps what is known."""

    def __init__(self, dialect: Any = version_2) -> None:
        self.dialect = dialect
        self.sender = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
        self.known = OnBoard()

    def hear(self, at: float, message: Any) -> dict[str, Any] | None:
        read = read_message(message.pack(self.sender))
        assert isinstance(read, Message)
        self.known, values = learn(self.known, read, round(at * SECOND))
        return values

    def heartbeat(self, at: float, *, armed: bool, autopilot: int = 3) -> dict[str, Any] | None:
        return self.hear(at, self.dialect.MAVLink_heartbeat_message(2, autopilot, 128 if armed else 0, 0, 4, 3))

    def position(self, at: float, altitude: float, rate: float = 0.0, boot: float | None = None) -> dict[str, Any]:
        milliseconds = round((at + 1000 if boot is None else boot) * 1000)
        values = self.hear(
            at,
            self.dialect.MAVLink_global_position_int_message(
                milliseconds, 0, 0, 0, round(altitude * 1000), 0, 0, round(-rate * 100), 0
            ),
        )
        assert values is not None
        return values

    def landed_state(self, at: float, state: int) -> dict[str, Any] | None:
        return self.hear(at, version_2.MAVLink_extended_sys_state_message(0, state))


def armed_at_0(dialect: Any = version_2) -> Vehicle:
    """On the ground at 0.3 m of relative altitude, and just armed."""
    vehicle = Vehicle(dialect)
    vehicle.heartbeat(-1, armed=False)
    vehicle.position(-0.5, 0.3)
    vehicle.heartbeat(0, armed=True)
    return vehicle


def test_a_mission_file_and_the_reader_know_the_same_parameters() -> None:
    assert set(MAVLINK_PARAMETERS) == PARAMETERS


@pytest.mark.parametrize("dialect", [version_1, version_2])
def test_altitude_rate_and_time_since_boot(dialect: Any) -> None:
    values = Vehicle(dialect).position(7.25, 12.42, -1.58)
    assert values == {"relative_altitude": 12.42, "climb_rate": -1.58, "time_boot": 1007.25, "landed_state": "unknown"}


def test_each_message_is_read_together_with_the_last_of_the_others() -> None:
    vehicle = armed_at_0()
    values = vehicle.position(1, 12.3, 1.0)
    assert values["armed"] is True
    assert values["altitude_above_arming"] == pytest.approx(0.0), "arming moves the home: the first altitude counts"
    values = vehicle.position(1.5, 14.3, 1.0)
    assert values["altitude_above_arming"] == pytest.approx(2.0)
    assert values["phase"] == "in_air"
    assert vehicle.heartbeat(2, armed=False) == {
        "armed": False, "landed_state": "unknown", "relative_altitude": 14.3, "climb_rate": 1.0,
        "altitude_above_arming": pytest.approx(2.0), "phase": "disarmed",
    }  # fmt: skip


def test_a_vehicle_that_never_was_heard_to_arm_has_no_altitude_above_arming() -> None:
    vehicle = Vehicle()
    vehicle.heartbeat(0, armed=True)
    values = vehicle.position(1, 60.0)
    assert "altitude_above_arming" not in values
    assert "highest_above_arming" not in values


def test_phases_of_a_flight() -> None:
    vehicle = armed_at_0()
    phases = [vehicle.position(at, altitude)["phase"] for at, altitude in ((1, 0.3), (2, 1.2), (3, 1.5), (4, 0.9))]
    assert phases == ["armed", "armed", "in_air", "near_ground"]
    values = vehicle.heartbeat(5, armed=False)
    assert values is not None
    assert values["phase"] == "disarmed"


def test_the_vehicle_s_own_word_that_it_is_on_the_ground() -> None:
    vehicle = armed_at_0()
    vehicle.position(1, 0.3)
    vehicle.position(2, 5.0)
    values = vehicle.landed_state(3, 1)
    assert values is not None
    assert (values["landed_state"], values["phase"]) == ("on_ground", "on_ground")


@pytest.mark.parametrize(
    ("number", "word"), list(enumerate(["unknown", "on_ground", "in_air", "takeoff", "landing", "unknown"]))
)
def test_landed_states_are_mavlink_s_words(number: int, word: str) -> None:
    values = Vehicle().landed_state(0, number)
    assert values is not None
    assert values["landed_state"] == word


def test_a_value_older_than_ten_seconds_is_not_read_together_with_a_new_one() -> None:
    vehicle = armed_at_0()
    assert vehicle.position(10, 0.3)["armed"] is True
    assert "armed" not in vehicle.position(10.5, 0.3)


def test_a_camera_s_heartbeat_does_not_disarm_the_vehicle() -> None:
    vehicle = armed_at_0()
    assert vehicle.heartbeat(0.5, armed=False, autopilot=8) is None
    assert vehicle.known.armed is True


def test_an_older_message_says_only_what_it_carries_and_changes_nothing() -> None:
    vehicle = armed_at_0()
    vehicle.position(5, 3.0)
    before = vehicle.known
    assert vehicle.position(4, 9.0)["relative_altitude"] == 9.0
    assert vehicle.known == before


def test_after_a_reboot_nothing_of_the_last_boot_holds() -> None:
    vehicle = armed_at_0()
    vehicle.position(100, 20.0)
    values = vehicle.position(101, 0.0, boot=2)
    assert "armed" not in values
    assert vehicle.known.altitude_at_arming is None


def test_time_since_boot_that_falls_back_a_little_is_no_reboot() -> None:
    vehicle = armed_at_0()
    vehicle.position(8, 20.0)
    assert vehicle.position(8.5, 20.0, boot=1004)["armed"] is True


def test_other_messages_say_nothing() -> None:
    assert Vehicle().hear(0, version_2.MAVLink_attitude_message(0, 0, 0, 0, 0, 0, 0)) is None


def test_a_state_saved_and_restored_is_the_same() -> None:
    vehicle = armed_at_0()
    vehicle.position(1, 5.0)
    assert OnBoard.from_json(vehicle.known.to_json()) == vehicle.known


@given(st.sampled_from([0, 2, 33, 245, 30]), st.binary(max_size=60), st.integers(-(10**12), 10**12))
def test_any_payload_of_a_message_is_read_without_raising(message_id: int, payload: bytes, at: int) -> None:
    known, values = learn(OnBoard(), Message(1, 1, 0, message_id, payload), at)
    assert values is None or set(values) <= PARAMETERS
    assert OnBoard.from_json(known.to_json()) == known
