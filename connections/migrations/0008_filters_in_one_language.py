"""Filters of integration rules are written in the language that lists use."""

from collections.abc import Callable
from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

_OPERATORS = {"in": "is", "equals": "is", "not_in": "is_not", "to": "until"}
_OLD = {"is": "in", "is_not": "not_in", "until": "to"}
_YES_NO = {"yes": ["true"], "no": ["false"]}


def translate_filters(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Write the conditions of integration rules in the language that lists use."""
    _rewrite(apps, schema_editor, _translate)


def restore_filters(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Write the conditions as they were. What could not be said before stays, and is refused by the older program."""
    _rewrite(apps, schema_editor, _restore)


def _rewrite(
    apps: Apps, schema_editor: BaseDatabaseSchemaEditor, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    rules: Any = apps.get_model("connections", "IntegrationRule").objects.using(schema_editor.connection.alias)
    for rule in rules.exclude(conditions=[]).order_by("pk"):
        conditions = [change(each) if isinstance(each, dict) else each for each in rule.conditions]
        if conditions != rule.conditions:
            rules.filter(pk=rule.pk).update(conditions=conditions)


def _translate(condition: dict[str, Any]) -> dict[str, Any]:
    operator = condition.get("operator", "")
    if operator in _YES_NO:
        return {**condition, "operator": "is", "values": _YES_NO[operator]}
    return {**condition, "operator": _OPERATORS[operator]} if operator in _OPERATORS else condition


def _restore(condition: dict[str, Any]) -> dict[str, Any]:
    operator, values = condition.get("operator", ""), condition.get("values")
    if operator == "is" and values in (["true"], ["false"]):
        return {**condition, "operator": "yes" if values == ["true"] else "no", "values": []}
    return {**condition, "operator": _OLD[operator]} if operator in _OLD else condition


class Migration(migrations.Migration):
    dependencies = [("connections", "0007_authorization_of_one_connection")]

    operations = [migrations.RunPython(translate_filters, restore_filters, elidable=False)]
