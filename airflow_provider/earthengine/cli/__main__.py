"""``python -m airflow_provider.earthengine.cli``, the same as ``earthengine-to-s3``."""

from __future__ import annotations

import sys

from airflow_provider.earthengine.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
