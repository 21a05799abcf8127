"""Writes deploy/grafana/dashboards/ anew:  make dashboards"""

from pathlib import Path
from typing import Final

from deploy.grafana.source import flight, links, pipeline
from deploy.grafana.source.board import Board

BOARDS: Final[dict[str, Board]] = {
    "links-and-alerts.json": links.BOARD,
    "flight.json": flight.BOARD,
    "pipeline.json": pipeline.BOARD,
}
"""File → what is in it. The first is Grafana's home."""
FOLDER: Final = Path(__file__).resolve().parent.parent / "dashboards"

if __name__ == "__main__":
    for name, board in BOARDS.items():
        FOLDER.joinpath(name).write_text(board.as_json(), encoding="utf-8")
