"""``make picture``: the README's own download, and the example of a series, as pictures.

Their pixels are those of the demo's catalog, which are computed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from airflow_provider.earthengine.demo.picture import draw_picture
from airflow_provider.earthengine.demo.servers import BUCKET, Ports, running_servers
from airflow_provider.earthengine.download.fields.job import DownloadFields
from airflow_provider.earthengine.task.standalone import Connections, download_alone
from stack.environment import PROJECT_FOLDER
from stack.processes import StackError, interrupts_unwind
from stack.series_picture import PICTURE as SERIES_PICTURE
from stack.series_picture import write_series_picture

PICTURE = PROJECT_FOLDER / "docs" / "santa_cruz.png"


def main() -> int:
    """Write the picture and return the exit code."""
    try:
        with interrupts_unwind(), tempfile.TemporaryDirectory(prefix="picture-") as folder:
            write_picture(Path(folder), PICTURE)
            write_series_picture()
    except (StackError, OSError) as error:
        print(f"picture: {error}", file=sys.stderr)
        return 1
    for each in (PICTURE, SERIES_PICTURE):
        print(each.relative_to(PROJECT_FOLDER))
    return 0


def write_picture(folder: Path, path: Path) -> None:
    """Download what the README's DAG downloads, and draw it.

    :param folder: for the S3 server.
    """
    with running_servers(Ports(), folder / "s3") as servers:
        os.environ.update(servers.variables)
        record, _ = download_alone(readme_download(), Connections())
        # In the colours that are usual for these bands. The download is small, a screen is not.
        draw_picture(record.uris[0], path, indexes=(3, 2, 1), enlarged=4)


def readme_download() -> DownloadFields:
    """Return the fields of the README's first DAG."""
    text = (PROJECT_FOLDER / "README.md").read_text(encoding="utf-8")
    code = text.split("```python\n", 1)[1].split("```", 1)[0]
    names: dict[str, Any] = {}
    exec(code.replace('"):\n', '") as dag:\n', 1), names)
    (task,) = names["dag"].tasks
    return DownloadFields(task.image, task.download_params, BUCKET, task.s3_prefix)


if __name__ == "__main__":
    sys.exit(main())
