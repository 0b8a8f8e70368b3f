"""What usage can be summed by. Data, apart from the counting: commands are described without loading frames."""

from __future__ import annotations

from enum import StrEnum


class By(StrEnum):
    """What usage is summed by."""

    CAMERA = "camera"
    AREA = "area"
    CLASS = "class"
    TIER = "tier"
    POOL = "pool"
    SITE = "site"
    OWNER = "owner"
    KIND = "kind"
