"""What MAVLink messages say of a vehicle, read together; messages made by pymavlink."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v10 import all as version_1
from pymavlink.dialects.v20 import all as version_2

from pipeline.frames.mavlink import Message, read_message
from pipeline.mission.vehicles import MAVLINK_PARAMETERS
from pipeline.packets.mavlink import (
    PARAMETERS,
    STALE,
    OnBoard,
    flies,
    is_autopilot,
    learn,
    mode_of,
    read,
    reading_of,
    words_of,
)

SECOND = 1_000_000_000


class Vehicle:
    """Says messages one after the other and keeps what is known."""

    def __init__(self, dialect: Any = version_2) -> None:
        self.dialect = dialect
        self.sender = dialect.MAVLink(None, srcSystem=1, srcComponent=1)
        self.known = OnBoard()

    def hear(self, at: float, message: Any) -> dict[str, Any] | None:
        message_read = read_message(message.pack(self.sender))
        assert isinstance(message_read, Message)
        reading = read(message_read)
        if reading is None:
            return None
        assert reading_of(reading.message, words_of(reading)) == reading
        learnt = learn(self.known, reading, round(at * SECOND))
        self.known, self.learnt = learnt.known, learnt
        return learnt.values

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
    assert values == {
        "relative_altitude": 12.42, "altitude_above_arming": 12.42, "climb_rate": -1.58, "time_boot": 1007.25,
        "landed_state": "unknown",
    }  # fmt: skip


def test_each_message_is_read_together_with_the_last_of_the_others() -> None:
    vehicle = armed_at_0()
    values = vehicle.position(1, 12.3, 1.0)
    assert values["armed"] is True
    assert values["altitude_above_arming"] == pytest.approx(0.0), "arming moves the home: the first altitude counts"
    values = vehicle.position(1.5, 14.3, 1.0)
    assert values["altitude_above_arming"] == pytest.approx(2.0)
    assert values["phase"] == "in_air"
    assert vehicle.heartbeat(2, armed=False) == {
        "armed": False, "landed_state": "unknown", "altitude_above_arming": pytest.approx(2.0), "phase": "disarmed",
    }, "an altitude is told where it was reported, and not again"  # fmt: skip


def test_where_the_arming_was_not_heard_altitude_counts_from_the_home_and_above_the_sea_it_says_nothing() -> None:
    vehicle = Vehicle()
    vehicle.heartbeat(0, armed=True)
    assert vehicle.position(1, 60.0)["altitude_above_arming"] == 60.0
    vehicle = Vehicle()
    vehicle.heartbeat(0, armed=True)
    values = vehicle.hear(1, version_2.MAVLink_vfr_hud_message(0, 0, 0, 0, 460.0, 0.0))
    assert values is not None
    assert "altitude_above_arming" not in values
    assert "relative_altitude" not in values


def test_above_the_sea_counts_from_where_it_armed() -> None:
    vehicle = Vehicle()
    vehicle.heartbeat(0, armed=False)
    for at, altitude in ((0.5, 400.1), (1.5, 401.0), (2.5, 405.1)):
        values = vehicle.hear(at, version_2.MAVLink_vfr_hud_message(0, 0, 0, 0, altitude, 0.0))
        vehicle.heartbeat(at + 0.5, armed=True)
    assert values is not None
    assert values["relative_altitude"] == pytest.approx(5.0)


def test_the_first_message_there_is_says_how_high_and_how_fast() -> None:
    vehicle = armed_at_0()
    hud = version_2.MAVLink_vfr_hud_message(0, 0, 0, 0, 460.0, 1.5)
    values = vehicle.hear(1, hud)
    assert values is not None
    assert values["climb_rate"] == 1.5
    assert "relative_altitude" not in values, "GLOBAL_POSITION_INT is there"
    assert vehicle.position(1.5, 2.0, -9.0)["climb_rate"] == 1.5, "old ArduPilot sends vz upwards"
    indoors = Vehicle()
    indoors.heartbeat(0, armed=True)
    values = indoors.hear(1, version_2.MAVLink_local_position_ned_message(500, 3.0, 4.0, -2.5, 0, 0, 0.4))
    assert values is not None
    assert (values["relative_altitude"], values["climb_rate"]) == (2.5, pytest.approx(-0.4))
    values = indoors.hear(1.2, version_2.MAVLink_altitude_message(0, 0, 0, 0, 2.4, 0, 0))
    assert values is not None
    assert values["relative_altitude"] == pytest.approx(2.4)


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
    for at in range(1, 10):
        assert vehicle.position(at, 0.3)["armed"] is True
    assert "armed" not in vehicle.position(10.5, 0.3)
    assert STALE == 10 * SECOND


def test_after_a_silence_only_what_was_received_after_it_counts() -> None:
    vehicle = armed_at_0()
    vehicle.position(1, 5.0)
    vehicle.landed_state(1.5, 2)
    values = vehicle.position(6, 5.0)
    assert "armed" not in values
    assert values["landed_state"] == "unknown"
    assert vehicle.known.at_arming, "where it armed is no state"


def test_pauses_that_are_usual_are_no_silence() -> None:
    vehicle = armed_at_0()
    for at in range(2, 40, 5):
        vehicle.heartbeat(at, armed=True)
        vehicle.position(at + 0.3, 8.0)
    assert vehicle.position(47, 8.0)["armed"] is True


def is_contradicted(vehicle: Vehicle, falls: float, rate: float) -> bool:
    """Disarmed at 10 m, then positions 5 times a second: whether any of them contradicts that it is landed."""
    vehicle.position(1, 10.0)
    vehicle.heartbeat(1.1, armed=False)
    found = False
    for number in range(1, 6):
        vehicle.position(1.1 + number / 5, 10.0 - falls * number / 5, -rate)
        until = vehicle.learnt.contradicts_until
        found = found or (until is not None and until >= 1.1 * SECOND)
    return found


def test_a_word_that_it_is_landed_is_contradicted_by_movement_after_it() -> None:
    falling = armed_at_0()
    assert is_contradicted(falling, 4.0, 4.0)
    assert falling.position(2.3, 5.0)["phase"] == "disarmed_in_air"
    steady = armed_at_0()
    assert not is_contradicted(steady, 0.02, 0.1), "a steady altitude at any height is a landing site"
    noisy = armed_at_0()
    assert not is_contradicted(noisy, 0.0, 2.0), "a rate that the altitude does not agree with is noise"


def test_a_word_on_ground_does_not_outlive_a_take_off() -> None:
    vehicle = armed_at_0()
    vehicle.landed_state(1, 1)
    for number in range(1, 20):
        values = vehicle.position(1 + number / 5, number / 5)
    assert values["landed_state"] == "unknown"
    assert values["phase"] == "in_air"


def test_which_component_is_a_vehicle_and_which_vehicle_flies() -> None:
    types = {one: getattr(version_2, f"MAV_TYPE_{one}") for one in (
        "QUADROTOR", "FIXED_WING", "VTOL_TILTROTOR", "GENERIC", "GROUND_ROVER", "SURFACE_BOAT", "SUBMARINE",
        "GCS", "ANTENNA_TRACKER", "GIMBAL", "ONBOARD_CONTROLLER", "CAMERA", "ADSB",
    )}  # fmt: skip
    vehicles = {name for name, number in types.items() if is_autopilot(number, 3)}
    assert vehicles == {*list(types)[:7]}
    assert not any(is_autopilot(number, version_2.MAV_AUTOPILOT_INVALID) for number in types.values())
    assert [name for name, number in types.items() if name in vehicles and not flies(number)] == [
        "GROUND_ROVER", "SURFACE_BOAT", "SUBMARINE",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("autopilot", "kind", "custom", "word"),
    [(3, 2, 3, "AUTO"), (3, 1, 11, "RTL"), (12, 2, 4 << 16 | 5 << 24, "AUTO_RTL"), (12, 2, 3 << 16, "POSCTL"),
     (0, 2, 17, "mode 17")],
)  # fmt: skip
def test_the_flight_mode_is_in_the_autopilot_s_word(autopilot: int, kind: int, custom: int, word: str) -> None:
    assert mode_of(autopilot, kind, custom) == word


def test_a_text_of_an_error_or_worse_is_read_and_a_notice_is_not() -> None:
    def text(severity: int) -> Any:
        found = read_message(
            version_2.MAVLink_statustext_message(severity, b"Crash: Disarming\x07").pack(Vehicle().sender)
        )
        assert isinstance(found, Message)
        return read(found)

    assert text(3).text == "Crash: Disarming"
    assert text(4) is None


def test_an_autopilot_without_a_position_sends_none() -> None:
    message = read_message(
        version_2.MAVLink_global_position_int_message(1, 0, 0, 0, 0, 0, 0, 0, 0).pack(Vehicle().sender)
    )
    assert isinstance(message, Message)
    reading = read(message)
    assert reading is not None
    assert (reading.latitude, reading.longitude, reading.height) == (None, None, None)


def test_after_a_reboot_nothing_of_the_last_boot_holds() -> None:
    vehicle = armed_at_0()
    vehicle.position(1, 20.0)
    values = vehicle.position(2, 0.0, boot=2)
    assert "armed" not in values
    assert not vehicle.known.at_arming


def test_time_since_boot_that_falls_back_a_little_is_no_reboot() -> None:
    vehicle = armed_at_0()
    vehicle.position(2, 20.0)
    assert vehicle.position(2.5, 20.0, boot=999)["armed"] is True


def test_other_messages_say_nothing() -> None:
    assert Vehicle().hear(0, version_2.MAVLink_ping_message(0, 0, 0, 0)) is None


@given(
    st.sampled_from([0, 1, 2, 30, 32, 33, 74, 141, 235, 245, 253]), st.binary(max_size=60),
    st.integers(-(10**12), 10**12),
)  # fmt: skip
def test_any_payload_of_a_message_is_read_without_raising(message_id: int, payload: bytes, at: int) -> None:
    reading = read(Message(1, 1, 0, message_id, payload))
    if reading is not None:
        assert set(learn(OnBoard(), reading, at).values) <= PARAMETERS
        assert reading_of(reading.message, words_of(reading)) == reading
