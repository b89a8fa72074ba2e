"""The provider's description for Airflow: its modules, and the connection form as data.

Airflow reads it through the entry point ``apache_airflow_provider`` in every process that loads
providers, so it imports nothing but the version.
"""

from __future__ import annotations

from typing import Any

from airflow_provider.earthengine import __version__

_PACKAGE = "airflow_provider.earthengine"
_NAME = "Google Earth Engine"
_SECTION = "earthengine"

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
        "The Google Cloud project that is registered for Earth Engine and whose quota requests"
        " use. If empty: the project in the credentials, such as the service account's own.",
    ),
    "auth": _text(
        "Credentials",
        "The kind of credentials: a key below (service_account, authorized_user,"
        " external_account), user (the file written by `earthengine authenticate`),"
        " application_default, or anonymous (for an emulator). If empty: the type of the key if one"
        " is given, else application_default.",
        enum=[
            "service_account",
            "authorized_user",
            "external_account",
            "user",
            "application_default",
            "anonymous",
        ],
    ),
    "keyfile_dict": _text(
        "Key (JSON)",
        "The content of a service account key, an authorized_user file (a refresh token), or a"
        " workload identity federation file. Set this or the path below.",
        format="password",
    ),
    "key_path": _text(
        "Key (path)",
        "The path of such a key file on every worker.",
    ),
    "impersonation_chain": _text(
        "Impersonation chain",
        "The e-mail of the service account to impersonate, or several separated by commas, each"
        " allowed to impersonate the next.",
    ),
    "scopes": _text(
        "Scopes",
        "OAuth scopes separated by commas. If empty: those that Earth Engine needs.",
    ),
    "endpoint_url": _text(
        "Endpoint",
        "If empty: Earth Engine's high-volume endpoint. http:// is accepted only for anonymous"
        " connections and for this machine.",
    ),
    "iam_endpoint_url": _text(
        "IAM endpoint",
        "The source of tokens of the impersonated account. If empty:"
        " https://iamcredentials.googleapis.com.",
    ),
}

_CONFIG: dict[str, Any] = {
    _SECTION: {
        "description": "Downloads from Google Earth Engine.",
        "options": {
            "scratch_directory": {
                "description": "Where a worker keeps files between Earth Engine and the object"
                " store; each download creates its own folder there and removes it. If empty:"
                " TMPDIR. It needs space for twice a download, which is at most about 100 MiB for"
                " one request, times the tasks that a worker runs at once.",
                "version_added": __version__,
                "type": "string",
                "example": "/mnt/scratch",
                "default": "",
            },
            "region_folders": {
                "description": "Folders, with commas between, below which a region's file on the"
                " worker may be; files in the DAG's bundle may be read without it.",
                "version_added": __version__,
                "type": "string",
                "example": "/srv/regions,/mnt/shared/areas",
                "default": "",
            },
        },
    }
}


def get_provider_info() -> dict[str, Any]:
    """Return the dictionary that Airflow's provider discovery reads.

    Its schema: https://github.com/apache/airflow/blob/main/airflow-core/src/airflow/provider_info.schema.json
    and, for ``conn-fields`` and ``ui-field-behaviour``, ``provider.yaml.schema.json`` next to it.
    """
    return {
        "package-name": "airflow-provider-earthengine",
        "name": _NAME,
        "description": "Downloads rasters from Google Earth Engine to object storage, verified and"
        " recorded.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _NAME,
                "external-doc-url": "https://developers.google.com/earth-engine",
                "tags": ["google"],
            }
        ],
        # Airflow 3.2 and newer call it; older ones ignore it.
        "cli": [f"{_PACKAGE}.cli.airflow_command.get_cli_commands"],
        "hooks": [
            {
                "integration-name": _NAME,
                "python-modules": [f"{_PACKAGE}.hooks.earthengine"],
            }
        ],
        "operators": [
            {
                "integration-name": _NAME,
                "python-modules": [
                    f"{_PACKAGE}.operators.list_images",
                    f"{_PACKAGE}.operators.list_due_markers",
                    f"{_PACKAGE}.operators.drift",
                    f"{_PACKAGE}.operators.asset_event",
                    f"{_PACKAGE}.operators.index_items",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": _NAME,
                "python-modules": [f"{_PACKAGE}.sensors.image_collection"],
            }
        ],
        "triggers": [
            {
                "integration-name": _NAME,
                "python-modules": [f"{_PACKAGE}.triggers.image_collection"],
            }
        ],
        "transfers": [
            {
                "source-integration-name": _NAME,
                "target-integration-name": "Amazon Simple Storage Service (S3)",
                "python-module": f"{_PACKAGE}.transfers.earthengine_to_s3",
            },
            {
                "source-integration-name": _NAME,
                "target-integration-name": "Amazon Simple Storage Service (S3)",
                "python-module": f"{_PACKAGE}.transfers.earthengine_to_s3_group",
            },
        ],
        "task-decorators": [
            {
                "name": "earthengine_to_s3",
                "class-name": f"{_PACKAGE}.decorators.earthengine_to_s3.earthengine_to_s3_task",
            }
        ],
        "extra-links": [
            f"{_PACKAGE}.links.download.{name}"
            for name in ("ItemLink", "ObjectLink", "CatalogLink")
        ],
        "asset-uris": [
            {
                "schemes": ["earthengine"],
                "handler": f"{_PACKAGE}.hooks.lineage.sanitize_uri",
                "factory": f"{_PACKAGE}.hooks.lineage.create_asset",
                "to_openlineage_converter": f"{_PACKAGE}.hooks.lineage"
                ".convert_asset_to_openlineage",
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
        "config": _CONFIG,
    }
