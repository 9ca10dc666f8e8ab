"""Policy files: which rule decides, and what is refused with which code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aretusa.errors import ExitCode, UsageError
from aretusa.quantization.policy import FILE_BYTES_MAX, MATCH_CHARS_MAX, Policy, Rule, read_policy
from aretusa.quantization.schemes import SCHEMES

if TYPE_CHECKING:
    from pathlib import Path

DOWN: Final = "model.layers.3.mlp.down_proj.weight"
UP: Final = "model.layers.12.mlp.up_proj.weight"
EMBEDDING: Final = "model.embed_tokens.weight"
MATRICES: Final = (EMBEDDING, DOWN, UP, "lm_head.weight")

rules = st.builds(
    Rule,
    st.text(min_size=1, max_size=MATCH_CHARS_MAX).filter(str.isprintable),
    st.sampled_from(tuple(SCHEMES.values())),
)


def policy(*pairs: tuple[str, str]) -> Policy:
    return Policy(tuple(Rule(match, SCHEMES[weights]) for match, weights in pairs))


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "policy.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refusal(path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_policy(path)
    error = caught.value
    assert error.exit_code == ExitCode.USAGE
    assert str(path) in error.line()
    assert error.fix
    assert error.line().isprintable()
    assert len(error.line()) < 900
    return error


def test_a_file_is_its_rules_in_order(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        # comments are free
        [[rule]]
        match = "model.layers.*.mlp.down_proj.weight"
        weights = "w6"
        [[rule]]
        match = "model.layers.3.*"
        weights = "w4g32"
        """,
    )
    found = read_policy(path)
    assert found == policy(
        ("model.layers.*.mlp.down_proj.weight", "w6"), ("model.layers.3.*", "w4g32")
    )
    assert found.path == path


def test_the_last_rule_that_matches_decides() -> None:
    rules = policy(("*", "w8"), ("model.layers.*", "w4"), ("*.down_proj.weight", "w2"))
    assert str(rules.scheme_of(EMBEDDING)) == "w8"
    assert str(rules.scheme_of(UP)) == "w4"
    assert str(rules.scheme_of(DOWN)) == "w2"
    assert policy(("*.down_proj.weight", "w2")).scheme_of(UP) is None
    assert Policy().scheme_of(UP) is None


@pytest.mark.parametrize(
    ("match", "name", "matches"),
    [
        ("model.layers.1?.*", UP, True),
        ("model.layers.1?.*", DOWN, False),
        ("model.layers.[0-3].*", DOWN, True),
        ("model.layers.[!0-3].*", DOWN, False),
        ("down_proj", DOWN, False),  # the whole name counts
        ("*.DOWN_proj.*", DOWN, False),
        ("model.layers.{3,4}.*", DOWN, False),
        ("model.layers.[", DOWN, False),
        ("model.layers.[9-0].*", DOWN, False),
        ("modelxlayers*", DOWN, False),
        ("*a" * 100, "a" * 99 + "b", False),  # takes no exponential time
    ],
)
def test_patterns_are_those_of_the_shell(match: str, name: str, *, matches: bool) -> None:
    assert (policy((match, "w4")).scheme_of(name) is not None) == matches


@given(st.lists(rules, min_size=1, max_size=4).map(tuple))
def test_the_text_of_a_policy_is_a_policy_file(
    tmp_path_factory: pytest.TempPathFactory, rules: tuple[Rule, ...]
) -> None:
    path = written(tmp_path_factory.getbasetemp(), Policy(rules).text)
    assert read_policy(path) == Policy(rules)


def test_equal_rules_have_equal_text_and_others_another() -> None:
    one, two = policy(("a", "w4"), ("b", "w8")), policy(("b", "w8"), ("a", "w4"))
    assert one.text == policy(("a", "w4"), ("b", "w8")).text
    assert one.text != two.text
    assert Policy().text == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[rule]", "line 1"),
        ('match = "a\nweights = 3', "line 1"),
        (b"\xff\xfe", "utf-8"),
        ("x = " + 20_000 * "[\n", "recursion"),
        ("x.x" + 1000 * ".x" + " = 1", "a line has more than 1,024 bytes"),
        ('x = "a"\nx = "b"', "overwrite"),
        (b"PK\x03\x04 an archive", "line 1"),
        ("\n" * (FILE_BYTES_MAX + 1), "250,001 bytes, at most 250,000"),
    ],
)
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: str | bytes, says: str) -> None:
    error = refusal(written(tmp_path, text))
    assert error.code == "E0012"
    assert says in error.line()


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe", tmp_path / "absent"):
        assert refusal(place).code == "E0012"


def test_a_file_without_the_right_to_read_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    error = refusal(path)
    assert error.code == "E0012"
    assert "Permission denied" in error.line()


RULE: Final = '[[rule]]\nmatch = "a"\nweights = "w4"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no list of [[rule]]"),
        ("rule = []", "holds no list"),
        ("rule = 3", "holds no list"),
        ('[rule]\nmatch = "a"\nweights = "w4"', "holds no list"),
        ("rule = [3]", "rule 1: is no table"),
        ('[[rules]]\nmatch = "a"\nweights = "w4"', "unknown key 'rules', did you mean 'rule'?"),
        ('weights = "w4"\n' + RULE, "the file: unknown key 'weights', known: rule"),
        (RULE + '[[rule]]\nmatch = "a"\nwieghts = "w4"', "rule 2: unknown key 'wieghts', did you"),
        (RULE + "bits = 4", "rule 1: unknown key 'bits', known: match, weights"),
        ('[[rule]]\nweights = "w4"', "rule 1: match must be a text, it is missing"),
        ('[[rule]]\nmatch = "a"', "rule 1: weights must be a text, it is missing"),
        ('[[rule]]\nmatch = 4\nweights = "w4"', "match must be a text, found int"),
        ('[[rule]]\nmatch = "a"\nweights = 4', "weights must be a text, found int"),
        ('[[rule]]\nmatch = "a"\nweights = "w9"', "unknown scheme 'w9', known: w8, w7"),
        ('[[rule]]\nmatch = "a"\nweights = ""', "unknown scheme ''"),
        ('[[rule]]\nmatch = ""\nweights = "w4"', "match must be 1 to 256 characters"),
        (f'[[rule]]\nmatch = "{"a" * 257}"\nweights = "w4"', "match must be 1 to 256"),
        ('[[rule]]\nmatch = "a\\n"\nweights = "w4"', "that can be printed"),
        ('[[rule]]\nmatch = "a"\nweights = "w4\\u202e"', "unknown scheme 'w4?'"),
    ],
)
def test_a_malformed_rule_is_named(tmp_path: Path, text: str, says: str) -> None:
    error = refusal(written(tmp_path, text))
    assert error.code == "E0013"
    assert says in error.line()


def test_a_rule_that_matches_no_matrix_is_refused(tmp_path: Path) -> None:
    path = written(
        tmp_path, RULE.replace('"a"', '"*.embed*"') + RULE.replace('"a"', '"*down_prj*"')
    )
    with pytest.raises(UsageError) as caught:
        read_policy(path).check(MATRICES)
    error = caught.value
    assert (error.code, error.exit_code) == ("E0014", ExitCode.USAGE)
    assert error.file == str(path)
    assert "rule 2 matches no matrix of the model" in error.line()
    assert "match = '*down_prj*'" in error.line()


def test_a_mistyped_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"E0014.*a name is 'model\.layers\.3\.mlp\.down_proj\.w"):
        policy(("model.layers.3.mlp.down_prjo.weight", "w4")).check(MATRICES)


def test_a_rule_for_codes_that_stay_is_refused() -> None:
    rules = policy(("*.down_proj.weight", "w4"))
    rules.check(MATRICES)
    rules.check(MATRICES, keepers={UP})
    with pytest.raises(UsageError, match=r"E0014.*rule 1 matches only .*--requantise"):
        rules.check(MATRICES, keepers={DOWN})


def test_a_rule_that_a_later_one_overrules_is_allowed() -> None:
    policy(("*.down_proj.weight", "w4"), ("*", "w8")).check(MATRICES)
