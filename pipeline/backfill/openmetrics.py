"""Series in time → OpenMetrics 1.0 text, of which promtool makes blocks. Knows the text and nothing of readers."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping

from pipeline.backfill.timeline import Track
from pipeline.metrics import Metric


def exposition(
    tracks: Iterable[Track], added: Mapping[str, str] | None = None, bare: Collection[str] = ()
) -> Iterator[str]:
    """The text in pieces: metric by metric as the tracks come, a sample a line, `# EOF` at the end.

    `added`: labels that every series gets, but for those of the metrics in `bare`.
    """
    metric: Metric | None = None
    for track in tracks:
        if not track.times:
            continue
        if track.metric is not metric:
            metric = track.metric
            yield _head(metric)
        yield _lines(track, {} if metric.name in bare else added or {})
    yield "# EOF\n"


def _head(metric: Metric) -> str:
    # The family of a counter is named without what its samples end in.
    name = metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name
    return f"# TYPE {name} {metric.kind}\n# HELP {name} {_escaped(metric.help)}\n"


def _lines(track: Track, added: Mapping[str, str]) -> str:
    labels = {**dict(zip(track.metric.labels, track.labels, strict=True)), **added}
    names = [_name(track.metric.name + part, labels | more) for part, more in _columns(track.metric)]
    rows = zip(*[iter(track.values)] * len(names), strict=True)
    return "".join(
        f"{name} {_number(value)} {_seconds(at)}\n"
        for at, row in zip(track.times, rows, strict=True)
        for name, value in zip(names, row, strict=True)
    )


def _columns(metric: Metric) -> list[tuple[str, dict[str, str]]]:
    """What each number of a row adds to the metric's name and labels."""
    if metric.kind != "histogram":
        return [("", {})]
    bounds = [*map(float, metric.buckets), math.inf]
    return [*(("_bucket", {"le": _number(bound)}) for bound in bounds), ("_count", {}), ("_sum", {})]


def _name(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{inside}}}" if inside else name


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(float(value))


def _seconds(milliseconds: int) -> str:
    sign = "-" if milliseconds < 0 else ""
    whole, rest = divmod(abs(milliseconds), 1_000)
    return f"{sign}{whole}.{rest:03d}" if rest else f"{sign}{whole}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
