"""A mission file with the changes that a scenario makes to it. Knows tables, and not what stands in them."""

from collections.abc import Mapping
from typing import Any

NAMES = ("name", "number")
"""What tells the items of an array of tables apart."""


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes`: tables are merged key by key, arrays of named tables item by item (a new item may say
    `like = "name"` and starts as a copy of that one), anything else is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        before = merged.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping) and not value.keys() & {"all", "any"}:
            merged[key] = merge(before, value)
        elif _is_named(value) and (before is None or _is_named(before)):
            merged[key] = _merge_items(before or [], value)
        else:
            merged[key] = value
    return merged


def _is_named(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, Mapping) and _name(one) is not None for one in value)


def _name(item: Mapping[str, Any]) -> Any:
    return next((item[key] for key in NAMES if key in item), None)


def _merge_items(base: list[Mapping[str, Any]], changes: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    items = {_name(item): item for item in base}
    for change in changes:
        model = items.get(change.get("like"), {}) if "like" in change else items.get(_name(change), {})
        items[_name(change)] = merge(model, {key: value for key, value in change.items() if key != "like"})
    return list(items.values())
