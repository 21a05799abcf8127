"""What is on a dashboard beside its panels of queries: text, the list of alerts, marks, links. Knows no metric."""

from typing import Any

from grafana_foundation_sdk.builders import dashboard, text
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, Panel
from grafana_foundation_sdk.models.text import TextMode

from deploy.grafana.source.panels import SOURCE


def words(title: str, content: str, description: str) -> Builder[Panel]:
    """Text in Markdown."""
    return text.Panel().title(title).description(description).mode(TextMode.MARKDOWN).content(content)


def alert_list(title: str, description: str) -> Builder[Panel]:
    """The alerts that Prometheus holds, as they are now. The SDK has no builder of its own for it."""
    return (
        dashboard.Panel()
        .type("alertlist")
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .options(
            {
                "viewMode": "list",
                "groupMode": "default",
                "groupBy": [],
                "maxItems": 20,
                "sortOrder": 3,  # by importance
                "dashboardAlerts": False,
                "alertName": "",
                # A filter would hide the alerts that lack its label, those of the workers among them.
                "alertInstanceLabelFilter": "",
                "datasource": "Prometheus",
                "stateFilter": {"firing": True, "pending": True, "noData": False, "normal": False, "error": True},
            }
        )
    )


def mark(name: str, expression: str, colour: str, *, title: str, text: str) -> dict[str, Any]:
    """Marks at the time that the value says, in milliseconds, wherever in the graph it was scraped. A plain dict: the
    SDK's annotation has no `useValueForTime`."""
    return {
        "name": name,
        "datasource": SOURCE.to_json(),
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expression,
        "target": {"refId": "Anno", "expr": expression, "interval": ""},
        "step": "",
        "useValueForTime": True,
        "titleFormat": title,
        "textFormat": text,
        "tagKeys": "type,vehicle,origin",
    }


def link_to_the_others() -> Builder[Any]:
    """The other dashboards, with the same choices and time range."""
    return (
        dashboard.DashboardLink("relaywatch")
        .type(DashboardLinkType.DASHBOARDS)
        .tags(["relaywatch"])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
        .icon("external link")
        .tooltip("The other dashboards of relaywatch")
    )
