"""What a browser shows that opens the emulator's URL."""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Earth Engine emulator</title></head>
<body>
<h1>Earth Engine emulator</h1>
<p>This is a stand-in for Earth Engine's REST API, for tests and demos. It is not Earth Engine.</p>
<p>Give clients this URL and the project <code>{project}</code>:</p>
<pre>ee.Initialize(credentials, url="{url}", project="{project}")</pre>
<p>On this machine: <a href="emulator/assets">its assets</a>,
<a href="emulator/requests">the requests it has answered</a>,
<a href="emulator/faults">the armed faults</a>.</p>
</body>
</html>
"""


def front_page(request: Request, project: str) -> HTMLResponse:
    """Return a short page that says what this is.

    :param project: the one project that callers may use.
    """
    url = str(request.base_url).rstrip("/")
    return HTMLResponse(_PAGE.format(project=escape(project), url=escape(url)))
