"""The folder of the project, and what its servers have in common with those of the demo."""

from __future__ import annotations

from pathlib import Path

from airflow_provider.earthengine.demo.environment import child_environment, installed_program

__all__ = ["PROJECT_FOLDER", "child_environment", "installed_program"]

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
