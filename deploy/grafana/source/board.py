"""A dashboard: its variables, its panels in a grid of 24 columns, its marks, as the JSON that Grafana reads. Knows no
metric; what is on it stands in one file a dashboard."""

import json
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    GridPos,
    Panel,
    RowPanel,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.grafana.source.furniture import link_to_the_others
from deploy.grafana.source.panels import SOURCE

COLUMNS: Final = 24
ALL: Final = ".*"
"""What "All" stands for in a query. It also matches series without the label, which backfilled ones may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A heading and the panels below it, each with its width in columns; they fill lines from the left."""

    title: str
    height: int
    """Of every panel, in units of about 30 pixels."""
    panels: Sequence[tuple[int, Builder[Panel]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    uid: str
    title: str
    description: str
    variables: Sequence[Builder[VariableModel]]
    rows: Sequence[Row]
    marks: Sequence[dict[str, Any]] = ()

    def as_json(self) -> str:
        """The file's text; the same for the same board."""
        built = (
            dashboard.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags(["relaywatch"])
            .timezone("utc")
            .time("now-1h", "now")
            .refresh("10s")
            .tooltip(DashboardCursorSync.CROSSHAIR)
            .readonly()
            .link(link_to_the_others())
            .variables(list(self.variables))
            .build()
        )
        built.panels = list(self._placed())
        document = json.loads(json.dumps(built, cls=JSONEncoder))
        document["annotations"] = {"list": list(self.marks)}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def _placed(self) -> Iterator[Panel | RowPanel]:
        """Headings and panels, each with its number and its place."""
        number = y = 0
        for row in self.rows:
            number += 1
            heading = dashboard.Row(row.title).id(number).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=y)).build()
            yield heading
            y += 1
            x = 0
            for width, builder in row.panels:
                if x + width > COLUMNS:
                    x, y = 0, y + row.height
                number += 1
                panel = copy(builder.build())  # dashboards share some
                panel.id_val = number
                panel.grid_pos = GridPos(h=row.height, w=width, x=x, y=y)
                yield panel
                x += width
            y += row.height


def choice(name: str, label: str, query: str, description: str) -> Builder[VariableModel]:
    """Values of a label, as Prometheus knows them in the dashboard's time range; any number of them, at first all."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(SOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(ALL)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def one_of(name: str, label: str, values: Sequence[str], description: str) -> Builder[VariableModel]:
    """Some of a few fixed values, at first all."""
    return (
        dashboard.CustomVariable(name)
        .label(label)
        .description(description)
        .values(",".join(values))
        .multi(True)
        .include_all(True)
        .all_value(ALL)
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
