"""Sizes for people."""

from __future__ import annotations


def in_units(count: int) -> str:
    """Decimal units, as disks are sold: 1.5 TB."""
    size, unit = float(count), 0
    while size >= 999.95 and unit < 6:
        size, unit = size / 1000, unit + 1
    return f"{count} B" if unit == 0 else f"{size:.1f} {'BkMGTPE'[unit]}B"
