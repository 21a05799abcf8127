"""The table in docs/metrics.md, made from the declaration. `python -m tests.docs.metrics_table` writes it anew; a test
compares it with what the program declares now."""

from typing import Final

from pipeline.metrics import METRICS
from tests.build import root

DOCUMENT: Final = root() / "docs" / "metrics.md"
WRITE: Final = "python -m tests.docs.metrics_table writes it"
HEAD: Final = "| metric | kind | labels | what it is |\n|---|---|---|---|\n"


def table() -> str:
    rows = [
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |\n"
        for one in METRICS
    ]
    return HEAD + "".join(rows)


def with_table(text: str) -> str:
    """The document with the table as it should be. Its last part is the table."""
    before, _, _ = text.partition(HEAD)
    return before + table()


if __name__ == "__main__":
    DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
