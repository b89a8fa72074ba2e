"""Texts that mean the same whether or not Jinja reads them: Airflow renders mapped fields, too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider.earthengine.download.fields.values import shown
from airflow_provider.earthengine.exceptions import DownloadParamsError

_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_TEMPLATE = re.compile(r"\{[{%#]")


def keep_from_templates(image: str) -> str:
    """Return what means the same image, whether or not Jinja reads it before.

    :param image: an asset id, or a program as JSON text.
    """
    if "{" not in image:
        return image
    if not image.startswith("{"):
        load = function_call("Image.load", id={"constantValue": image})
        image = json.dumps({"result": "0", "values": {"0": load}})
    # Two braces that open, or one with a sign behind it, can only stand within a string.
    return _JSON_STRING.sub(lambda found: found[0].replace("{", "\\u007b"), image)


def check_no_template(key: str) -> str:
    """Return the text, which is part of a key in the bucket.

    :raises DownloadParamsError: Jinja would take it for a template.
    """
    if _TEMPLATE.search(key):
        raise DownloadParamsError(
            f"The bucket has {shown(key)}, which Airflow would take for a template; rename or "
            "remove what is there.",
            field="s3_prefix",
        )
    return key


def function_call(function: str, **arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call as a serialised expression holds it."""
    return {"functionInvocationValue": {"functionName": function, "arguments": arguments}}
