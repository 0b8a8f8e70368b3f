"""What is written once, however often a player asks for it."""

from __future__ import annotations

from playback.seen import MAX_KEYS, WITHIN_S, Seen, SeenKey
from segments.model import Span

KEY = SeenKey("user:li", "gate", "view")


def test_what_was_registered_a_short_while_ago_is_covered() -> None:
    """All of it or parts; also what two acts have together; nothing that sticks out, and nothing after ten minutes."""
    seen = Seen()
    seen.add(KEY, "", Span(100, 200), 0)
    seen.add(KEY, "", Span(200, 300), 5)
    assert seen.covers(KEY, "", Span(100, 300), 10)
    assert seen.covers(KEY, "", Span(150, 160), WITHIN_S - 1)
    assert not seen.covers(KEY, "", Span(99, 120), 10)
    assert not seen.covers(KEY, "", Span(250, 301), 10)
    assert not seen.covers(KEY, "", Span(150, 160), WITHIN_S)
    assert seen.covers(KEY, "", Span(210, 220), WITHIN_S)


def test_another_subject_camera_action_or_reason_is_another_act() -> None:
    """None of them is covered by what somebody else, or for something else, was shown."""
    seen = Seen()
    seen.add(KEY, "", Span(100, 200), 0)
    others = [(KEY._replace(who="user:wu"), ""), (KEY._replace(camera="yard"), ""), (KEY._replace(action="export"), ""), (KEY, "case 7")]
    assert [seen.covers(key, reason, Span(100, 200), 1) for key, reason in others] == [False] * 4


def test_a_segment_at_the_edge_of_a_playlist_was_named_in_it() -> None:
    """It touches what was written, whatever the reason of that; the one behind it does not, nor does any after ten minutes."""
    seen = Seen()
    seen.add(KEY, "case 7", Span(100, 200), 0)
    assert seen.touched(KEY, Span(150, 260), 1) == Span(150, 200)
    assert seen.touched(KEY, Span(200, 260), 1) is None
    assert seen.touched(KEY, Span(150, 260), WITHIN_S) is None


def test_memory_is_bounded() -> None:
    """Of more subjects than it keeps, those seen longest ago are forgotten: their acts are written again."""
    seen = Seen()
    for n in range(MAX_KEYS + 1):
        seen.add(KEY._replace(who=str(n)), "", Span(0, 1), 0)
    assert not seen.covers(KEY._replace(who="0"), "", Span(0, 1), 0)
    assert seen.covers(KEY._replace(who="1"), "", Span(0, 1), 0)
    for n in range(1000):
        seen.add(KEY, "", Span(n, n + 1), 0)
    assert not seen.covers(KEY, "", Span(0, 1), 0)
