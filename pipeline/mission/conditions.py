"""Flight conditions as a mission file writes them: `["phase", "==", "climb"]`, joined by `all` or `any`. There is no
expression language."""

from collections.abc import Mapping
from typing import Any, Final, get_args

from pipeline.mission.lines import Path
from pipeline.mission.model import Comparison, Condition, Field, FieldType, Operator
from pipeline.mission.table import MAX_TEXT, Faults, Table
from pipeline.texts import first_control

_OPERATORS: Final = get_args(Operator)
MAX_PARTS: Final = 100
"""Of one `all` or `any`."""
MAX_DEPTH: Final = 4
_FORM: Final = 'expected ["parameter", "==", value], or a table with all = [...] or any = [...]'


def read_condition(table: Table, key: str, parameters: Mapping[str, Field | None]) -> Condition | None:
    """The condition under `key`; None where there is none. `parameters` are the names it may use; None is a parameter
    of which only the name is known."""
    value = table.raw(key)
    if value is None:
        return None
    part = _part(value, (*table.path, key), parameters, table.faults)
    return part if isinstance(part, Condition) else None if part is None else Condition(joined_by="all", parts=(part,))


def _part(
    value: Any, path: Path, parameters: Mapping[str, Field | None], faults: Faults, depth: int = 0
) -> Comparison | Condition | None:
    if depth > MAX_DEPTH:
        faults.add(path, f"stands more than {MAX_DEPTH} deep in other conditions")
        return None
    if isinstance(value, dict):
        if len(value) != 1 or not value.keys() <= {"all", "any"}:
            faults.add(path, f"has the keys {', '.join(sorted(value)) or '(none)'}; {_FORM}")
            return None
        (joined_by,) = value
        items = value[joined_by]
        if not isinstance(items, list) or not items:
            faults.add((*path, joined_by), f"{items!r:.40} is not an array of comparisons; {_FORM}")
            return None
        if len(items) > MAX_PARTS:
            faults.add((*path, joined_by), f"has {len(items)} entries; at most {MAX_PARTS} are taken")
            return None
        parts = [
            _part(item, (*path, joined_by, place), parameters, faults, depth + 1) for place, item in enumerate(items)
        ]
        return Condition(joined_by=joined_by, parts=tuple(part for part in parts if part is not None))
    if not isinstance(value, list) or len(value) != 3 or not isinstance(value[0], str) or value[1] not in _OPERATORS:
        faults.add(path, f"{value!r:.60} is no comparison; {_FORM} with one of {' '.join(_OPERATORS)}")
        return None
    name, operator, constant = value
    if name not in parameters:
        faults.add(path, f"names the parameter {name!r}, which no packet of this vehicle carries")
        return None
    fault = _unfit(parameters[name], operator, constant)
    if fault:
        faults.add(path, fault)
        return None
    return Comparison(parameter=name, operator=operator, value=constant)


def _unfit(field: Field | None, operator: str, constant: Any) -> str | None:
    """Why this constant cannot be compared with that field."""
    if not isinstance(constant, bool | int | float | str):
        return f"compares with {constant!r:.40}; expected a number, a text or true or false"
    if isinstance(constant, str) and (len(constant) > MAX_TEXT or first_control(constant) is not None):
        return f"compares with {constant!r:.40}; expected a text of at most {MAX_TEXT} characters without controls"
    if isinstance(constant, bool | str) and operator not in ("==", "!="):
        return f"{operator} needs a number, not {constant!r}"
    if field is None:
        return None
    kind: FieldType = field.type
    if kind == "enum":
        if constant not in field.labels.values():
            return f"{field.name} is never {constant!r}; it is one of {', '.join(field.labels.values())}"
    elif kind == "bool" and not isinstance(constant, bool):
        return f"{field.name} is true or false, not {constant!r}"
    elif kind not in ("enum", "bool") and (isinstance(constant, bool | str)):
        return f"{field.name} is a number, not {constant!r}"
    return None
