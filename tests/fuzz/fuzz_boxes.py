"""Coverage-guided fuzzing of everything that reads boxes: `python -m tests.fuzz.fuzz_boxes [-max_total_time=60]`.

The only error a reader may end in is one of ours, and whatever a scan calls good must be good when it is read again.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["segments"]):
    from segments.box_reader import read_init
    from segments.errors import KeepsightError
    from segments.media import Codec
    from segments.parameter_sets import audio_track, read_sps
    from segments.segment_file import rebuild_tail, scan
    from segments.segment_tail import read_tail

from tests.samples import small_segment

SEED = small_segment()


def read_everything(data: bytes) -> None:
    """One input, through every reader."""
    found = scan(data)
    if found.fragments:
        mended = data[: found.good_bytes] + rebuild_tail(found, {})
        again = scan(mended)
        if not again.complete or again.fragments != found.fragments:
            raise AssertionError("a mended file is not whole")
    for reader in (
        lambda: read_init(data),
        lambda: read_tail(data, len(data)),
        lambda: read_sps(Codec.H264, b"\x67" + data),
        lambda: read_sps(Codec.H265, b"\x42\x01" + data),
        lambda: audio_track(data),
    ):
        try:
            reader()
        except KeepsightError:
            continue


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Changes a whole segment rather than growing one from nothing: a file without a moov is left at once."""
    return atheris.Mutate(data if len(data) > len(SEED) // 2 else SEED, max_size)


def main() -> None:
    """Runs libFuzzer with the program's own arguments."""
    atheris.Setup(sys.argv, read_everything, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
