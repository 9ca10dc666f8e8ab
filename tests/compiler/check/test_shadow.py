"""A shadow knows of every byte what was written there last."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aretusa.check.shadow import Shadow

SIZE = 40
WRITES = st.lists(
    st.tuples(
        st.integers(0, SIZE - 1),
        st.integers(1, SIZE),
        st.sampled_from([None, "a", "b"]),
        st.integers(-2, 2),
    ),
    max_size=12,
)


@given(writes=WRITES)
def test_a_shadow_is_an_array_of_bytes(writes: list[tuple[int, int, str | None, int]]) -> None:
    shadow = Shadow()
    held: list[tuple[str, int] | None] = [None] * SIZE
    for start, size, content, shift in writes:
        stop = min(start + size, SIZE)
        if content is None:
            shadow.forget(start, stop)
        else:
            shadow.write(start, stop, content, shift)
        for at in range(start, stop):
            held[at] = None if content is None else (content, shift)
    known = [None] * SIZE
    for first, last, content, shift in shadow.within(0, SIZE):
        for at in range(first, last):
            assert known[at] is None
            known[at] = (content, shift)
    assert known == held
    for start in range(SIZE):
        for stop in range(start + 1, SIZE + 1):
            for content, shift in (("a", 0), ("b", 1)):
                is_held = all(one == (content, shift) for one in held[start:stop])
                assert shadow.holds(start, stop, content, shift) is is_held


def test_a_shadow_tells_what_it_holds() -> None:
    shadow = Shadow()
    assert shadow.describe(0, 8) == "nothing"
    shadow.write(4, 12, "keys", -100)
    assert shadow.describe(0, 8) == "bytes 104 to 108 of keys"
