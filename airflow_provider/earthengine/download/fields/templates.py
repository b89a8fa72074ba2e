"""Text -> text that Jinja leaves unchanged, because Airflow renders mapped fields too."""

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
    """Return a form of the image that means the same whether or not Jinja renders it first.

    :param image: an asset id, or a program as JSON text.
    """
    if "{" not in image:
        return image
    if not image.startswith("{"):
        load = function_call("Image.load", id={"constantValue": image})
        image = json.dumps({"result": "0", "values": {"0": load}})
    # Two opening braces, or a brace and a "%" or "#", can only occur inside a string.
    return _JSON_STRING.sub(lambda found: found[0].replace("{", "\\u007b"), image)


def is_template(text: str) -> bool:
    """Return whether Jinja would change the text, with its usual delimiters."""
    return bool(_TEMPLATE.search(text))


def check_no_template(key: str) -> str:
    """Return the text, which is part of a key in the bucket.

    :raises DownloadParamsError: if Jinja would render it as a template.
    """
    if is_template(key):
        raise DownloadParamsError(
            f"The bucket holds {shown(key)}, which Airflow would render as a template; rename or "
            "remove these objects.",
            field="s3_prefix",
        )
    return key


def function_call(function: str, **arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function call in the form of a serialised expression."""
    return {"functionInvocationValue": {"functionName": function, "arguments": arguments}}
