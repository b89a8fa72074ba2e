"""Sphinx configuration: MyST for Markdown, the PyData theme, no network.

The reference imports Airflow, which creates its home on import: a temporary one here.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_airflow_home = tempfile.mkdtemp(prefix="airflow-home-")
atexit.register(shutil.rmtree, _airflow_home, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _airflow_home

from airflow_provider.earthengine import __version__  # noqa: E402 (after the environment)

project = "airflow-provider-earthengine"
author = "airflow-provider-earthengine maintainers"
project_copyright = "airflow-provider-earthengine maintainers, Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
# Every reference to a name of this project has to resolve. Names of other projects could only be
# resolved over the network.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!airflow_provider\.).*")]

myst_enable_extensions = ["colon_fence", "substitution"]
myst_heading_anchors = 3


def _guessed_answers() -> str:
    """Return the rows of the emulator's table whose label contains "guessed"."""
    readme = Path(__file__).parent.parent / "airflow_provider/earthengine/emulator/README.md"
    rows = [line for line in readme.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    guessed = [row for row in rows if "guessed" in row.split("|")[2]]
    return "\n".join(["| answer | label | source |", "|---|---|---|", *guessed])


myst_substitutions = {"guessed_answers": _guessed_answers()}

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signature has them

html_theme = "pydata_sphinx_theme"
html_title = project
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    # One link for each section of index.md, and no "More".
    "header_links_before_dropdown": 5,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
