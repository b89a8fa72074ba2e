"""What Airflow is told about this provider: hook, transfer, and the connection form as data.

Airflow reads this from the entry point ``apache_airflow_provider`` in every process that looks at
providers, so it imports nothing but the version.
"""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine import __version__

_PACKAGE = "airflow_provider.earthengine"
_NAME = "Google Earth Engine"

_UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    "hidden-fields": ["host", "schema", "login", "password", "port", "extra"],
    "relabeling": {},
    "placeholders": {},
}


def _text(label: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["string", "null"], **schema},
    }


_CONN_FIELDS: dict[str, Any] = {
    "project": _text(
        "Project",
        "The Google Cloud project that is registered for Earth Engine and that requests are"
        " counted against. A service account's key names its own project; empty means that one.",
    ),
    "auth": _text(
        "Credentials",
        "service_account (a key below), user (the file that `earthengine authenticate` wrote),"
        " application_default, or anonymous (an emulator). Empty means service_account when a key"
        " is given, else application_default.",
        enum=["service_account", "user", "application_default", "anonymous"],
    ),
    "keyfile_dict": _text(
        "Service account key (JSON)",
        "The content of the key file. Give this or the path below.",
        format="password",
    ),
    "key_path": _text(
        "Service account key (path)",
        "The path of the key file on every worker.",
    ),
    "endpoint_url": _text(
        "Endpoint",
        "Empty means Earth Engine's high-volume endpoint. http:// is accepted for anonymous"
        " connections and for this machine only.",
    ),
}


def get_provider_info() -> dict[str, Any]:
    """Return the dictionary that Airflow's provider discovery reads.

    Its form: https://github.com/apache/airflow/blob/main/airflow-core/src/airflow/provider_info.schema.json
    and, for ``conn-fields`` and ``ui-field-behaviour``, ``provider.yaml.schema.json`` beside it.
    """
    return {
        "package-name": "airflow-provider-earthengine",
        "name": _NAME,
        "description": "Takes rasters out of Google Earth Engine and puts them, checked and"
        " recorded, into object storage.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _NAME,
                "external-doc-url": "https://developers.google.com/earth-engine",
                "tags": ["google"],
            }
        ],
        "hooks": [
            {
                "integration-name": _NAME,
                "python-modules": [f"{_PACKAGE}.hooks.earthengine"],
            }
        ],
        "transfers": [
            {
                "source-integration-name": _NAME,
                "target-integration-name": "Amazon Simple Storage Service (S3)",
                "python-module": f"{_PACKAGE}.transfers.earthengine_to_s3",
            }
        ],
        "connection-types": [
            {
                "connection-type": "earthengine",
                "hook-class-name": f"{_PACKAGE}.hooks.earthengine.EarthEngineHook",
                "hook-name": _NAME,
                "ui-field-behaviour": _UI_FIELD_BEHAVIOUR,
                "conn-fields": _CONN_FIELDS,
            }
        ],
    }
