"""Airflow's connection form: what ``provider_info`` says of it, in the form of Airflow 3.1."""

from __future__ import annotations

import importlib
from typing import Any

from airflow_provider.earthengine.provider_info import get_provider_info


def form_widgets() -> dict[str, Any]:
    """Return the fields of the form, as widgets."""
    # Airflow 3.3 requires neither of these, and does not call this function.
    fields = importlib.import_module("wtforms")
    widgets = importlib.import_module("flask_appbuilder.fieldwidgets")
    return {
        name: fields.PasswordField(entry["label"], widget=widgets.BS3PasswordFieldWidget())
        if entry["schema"].get("format") == "password"
        else fields.StringField(entry["label"], widget=widgets.BS3TextFieldWidget())
        for name, entry in _connection_form()["conn-fields"].items()
    }


def form_behaviour() -> dict[str, Any]:
    """Return which of Airflow's own fields the form hides, renames or fills."""
    behaviour = _connection_form()["ui-field-behaviour"]
    return {name.replace("-", "_"): value for name, value in behaviour.items()}


def _connection_form() -> dict[str, Any]:
    form: dict[str, Any] = get_provider_info()["connection-types"][0]
    return form
