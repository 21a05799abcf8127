"""How the two numbers of a channel are called at the head of a table."""

from pipeline.mission.model import Mission


def channel_heads(mission: Mission | None) -> tuple[str, str]:
    """What the two numbers of a channel are called on a mission's links; without a mission they are of CCSDS."""
    of_format = set() if mission is None else {link.format == "mavlink" for link in mission.links}
    if of_format == {True}:
        return "system", "component"
    return ("SCID", "VCID") if True not in of_format else ("SCID or system", "VCID or component")
