"""Faults that tests arm: what goes wrong, where and how often."""

from airflow_provider.earthengine.emulator.faults.armed import (
    DAMAGES,
    ArmedFault,
    Cut,
    Damage,
    Empty,
    Expire,
    Fault,
    Flip,
    Html,
    Latency,
    Refuse,
    Reset,
    Stall,
    Status,
    UnfiredFaultError,
)

__all__ = [
    "DAMAGES",
    "ArmedFault",
    "Cut",
    "Damage",
    "Empty",
    "Expire",
    "Fault",
    "Flip",
    "Html",
    "Latency",
    "Refuse",
    "Reset",
    "Stall",
    "Status",
    "UnfiredFaultError",
]
