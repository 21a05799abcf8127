"""The kinds of panel that the dashboards are made of, each with what every panel must say: data source, unit, what a
missing value looks like, legend, thresholds, description. Knows no metric and no dashboard."""

from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Panel,
    Threshold,
    ThresholdsMode,
    ValueMapping,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.source.states import GREY, SKY_BLUE, Words, mapping

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
"""As provisioning/datasources/prometheus.yml names it."""
TIME: Final = "dateTimeAsIso"
"""Unit of milliseconds since 1970, shown in the dashboard's time zone, which is UTC."""

FRAMES: Final = "suffix: frames/s"
RECORDS: Final = "suffix: records/s"

Query = tuple[str, str]
"""A PromQL expression and the legend of its series."""
Steps = Sequence[tuple[float, str]]
"""From this value on, this colour."""


def stat_panel(
    title: str,
    query: Query,
    description: str,
    *,
    unit: str = "none",
    decimals: int | None = None,
    least: float | None = 0,
    most: float | None = None,
    steps: Steps = (),
    base: str = SKY_BLUE,
    words: Words | None = None,
    absent: str = "none",
    name: bool = False,
) -> Builder[Panel]:
    """One number as it is now: the last value of each series. `absent` is shown where there is none; `name` shows
    the series' name in place of its value."""
    shown = BigValueTextMode.NAME if name else BigValueTextMode.AUTO
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .with_target(_query(query, "A").instant())
        .unit(unit)
        .no_value(absent)
        .thresholds(_thresholds(steps, base))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.VALUE)
        .text_mode(shown)
    )
    if words is not None:
        panel.mappings([mapping(words)])
    return _bounded(panel, decimals, least, most)


def lines(
    title: str,
    queries: Sequence[Query],
    description: str,
    *,
    unit: str,
    decimals: int | None = None,
    least: float | None = 0,
    most: float | None = None,
    steps: Steps = (),
    colours: dict[str, str] | None = None,
    stacked: bool = False,
    dashed: str = "",
) -> Builder[Panel]:
    """Values over time. What is not known is a gap: no line is drawn across it, and a lone value is a point.

    `colours` is by the name of a series. Without it, each has a shade of one blue of its own: names of vehicles and
    links are not known here, and shades differ for every eye. A series whose name contains `dashed` is.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets([_query(query, ref).range() for ref, query in zip("ABCDEF", queries)])
        .unit(unit)
        .thresholds(_thresholds(steps, SKY_BLUE))
        .thresholds_style(
            common.GraphThresholdsStyleConfig().mode(
                GraphThresholdsStyleMode.DASHED if steps else GraphThresholdsStyleMode.OFF
            )
        )
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.SHADES).fixed_color(SKY_BLUE))
        .span_nulls(False)
        .show_points(VisibilityMode.AUTO)
        .line_width(2)
        .line_interpolation(LineInterpolation.LINEAR)
        .fill_opacity(30 if stacked else 0)
        .stacking(common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE))
        .legend(_legend())
        .tooltip(_tooltip())
    )
    for name, colour in (colours or {}).items():
        panel.override_by_regexp(
            f"/^{name}\\b/", [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})]
        )
    if dashed:
        panel.override_by_regexp(
            f"/{dashed}/", [DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]})]
        )
    return _bounded(panel, decimals, least, most)


def timeline(
    title: str, queries: Sequence[Query], description: str, *, mappings: Sequence[ValueMapping], most: float
) -> Builder[Panel]:
    """States over time, a row for each series; where there is no value there is no bar."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets([_query(query, ref).range() for ref, query in zip("ABCDEF", queries)])
        .unit("none")
        .min(0)
        .max(most)
        .mappings(list(mappings))
        .thresholds(_thresholds((), GREY))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .show_value(VisibilityMode.AUTO)
        .row_height(0.8)
        .fill_opacity(80)
        .line_width(0)
        .legend(_legend())
        .tooltip(_tooltip())
    )


def rows(
    title: str,
    columns: dict[str, str],
    labels: dict[str, str],
    description: str,
    *,
    units: dict[str, str],
    mappings: dict[str, ValueMapping],
    coloured: Sequence[str] = (),
    sort: str,
    absent: str,
) -> Builder[Panel]:
    """A table as of now: one row for each set of labels.

    `columns` is heading → query, `labels` label → heading, `units` and `mappings` are by heading; the cells of those
    `coloured` have the colour of their mapping.
    """
    refs = dict(zip("ABCDEF", columns))
    values = {f"Value #{ref}" if len(refs) > 1 else "Value": heading for ref, heading in refs.items()}
    order = {name: at for at, name in enumerate([*labels, *values])}
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .targets(
            [
                _query((columns[heading], "__auto"), ref).instant().format(PromQueryFormat.TABLE)
                for ref, heading in refs.items()
            ]
        )
        .with_transformation(DataTransformerConfig("merge", options={}))
        .with_transformation(
            DataTransformerConfig(
                "organize",
                options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": {**labels, **values}},
            )
        )
        .unit("none")
        .no_value(absent)
        .thresholds(_thresholds((), GREY))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    )
    for heading in [*labels.values(), *columns]:
        properties = []
        if heading in units:
            properties.append(DynamicConfigValue("unit", units[heading]))
        if heading in mappings:
            properties.append(DynamicConfigValue("mappings", [mappings[heading]]))
        if heading in coloured:
            properties.append(DynamicConfigValue("custom.cellOptions", {"type": "color-background", "mode": "basic"}))
        if properties:
            panel.override_by_name(heading, properties)
    return panel


def _query(query: Query, ref: str) -> prometheus.Dataquery:
    expression, legend = query
    return prometheus.Dataquery().datasource(SOURCE).expr(expression).legend_format(legend).ref_id(ref)


def _thresholds(steps: Steps, base: str) -> dashboard.ThresholdsConfig:
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(None, base), *(Threshold(value, colour) for value, colour in steps)])
    )


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .calcs([])
    )


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)


def _bounded(
    panel: stat.Panel | timeseries.Panel, decimals: int | None, least: float | None, most: float | None
) -> Builder[Panel]:
    if decimals is not None:
        panel.decimals(decimals)
    if least is not None:
        panel.min(least)
    if most is not None:
        panel.max(most)
    return panel
