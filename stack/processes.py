"""Child processes: those of the demo that ships in the wheel."""

from __future__ import annotations

from airflow_provider.earthengine.demo.processes import (
    LOOPBACK,
    ChildProcess,
    StackError,
    answers,
    die_with_parent,
    end_group,
    free_ports,
    interrupts_unwind,
    interrupts_wait,
    running,
    start,
)

__all__ = [
    "LOOPBACK",
    "ChildProcess",
    "StackError",
    "answers",
    "die_with_parent",
    "end_group",
    "free_ports",
    "interrupts_unwind",
    "interrupts_wait",
    "running",
    "start",
]
