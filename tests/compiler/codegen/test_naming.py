"""C identifiers are unique, stable and legal whatever the key."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.codegen.naming import Names

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
KEYWORDS = str.split(
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while"
)
# Local names of the templates: a buffer or function of that name would be hidden.
LOCALS = (
    "step",
    "src",
    "out",
    "shape",
    "matrix",
    "residual",
    "scratch",
    "weight",
    "cache",
    "query",
)

keys = st.one_of(
    st.text(max_size=8),
    st.sampled_from([*KEYWORDS, *LOCALS, "", "_", "7", "a.b", "a_b", "A-B", "*/", '"; system()']),
)
requests = st.lists(st.tuples(st.sampled_from(["buffer", "weight", "function"]), keys), max_size=12)


@given(requests)
def test_identifiers_are_legal_and_unique(wanted: list[tuple[str, str]]) -> None:
    names = Names()
    given_names = {request: names.identifier(*request) for request in wanted}
    assert len(set(given_names.values())) == len(given_names)
    for name in given_names.values():
        assert IDENTIFIER.fullmatch(name)
        assert name not in KEYWORDS
        assert name not in LOCALS


@given(requests)
def test_the_same_request_gets_the_same_name(wanted: list[tuple[str, str]]) -> None:
    names, again = Names(), Names()
    first = [names.identifier(*request) for request in wanted]
    assert [names.identifier(*request) for request in wanted] == first
    assert [again.identifier(*request) for request in wanted] == first


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("mlp.gate_proj.weight", "mlp_gate_proj_weight"),
        ("run.kind1.q_proj", "run_kind1_q_proj"),
        ("while", "while_2"),
        ("***", "item"),
        ("7up", "item_7up"),
    ],
)
def test_names_read_like_their_keys(key: str, name: str) -> None:
    assert Names().identifier("buffer", key) == name


def test_spaces_keep_equal_keys_apart() -> None:
    names = Names()
    assert names.identifier("buffer", "x") == "x"
    assert names.identifier("weight", "x") == "x_2"
    assert names.identifier("weight", "X") == "x_3"
