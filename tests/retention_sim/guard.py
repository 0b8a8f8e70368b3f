"""The clock guard as a sweeping node asks it, round by round."""

from __future__ import annotations

from retention.sweep_clock import ClockNote, Reading, noted


class Guard:
    """Keeps the note that the index would keep."""

    def __init__(self) -> None:
        self._note: ClockNote | None = None

    def trusts(self, reading: Reading) -> bool:
        """Whether the wall clock is believed now."""
        self._note = noted(self._note, reading)
        return not self._note.held
