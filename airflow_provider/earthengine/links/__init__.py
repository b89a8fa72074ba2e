"""Buttons on a task's page that lead elsewhere."""
