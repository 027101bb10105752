"""The path of the IAM users that the desk looks after, as a setting."""

from __future__ import annotations

import pytest

from tests.unit.config.test_settings import problem, with_


def test_without_it_the_desk_looks_after_all_users_of_the_account() -> None:
    assert with_().iam_path == "/"


@pytest.mark.parametrize("path", ["/", "/people/", "/people/dev-1/", "/a.b,c@d_e+f=/"])
def test_a_path_begins_and_ends_with_a_slash(path: str) -> None:
    assert with_(IAM_PATH=path).iam_path == path


@pytest.mark.parametrize(
    "path",
    [
        "people",
        "/people",
        "people/",
        "//",
        "/a//b/",
        "/*/",
        "/peo?le/",
        "/${aws:username}/",
        "/a b/",
        "/ä/",
        "/" + 511 * "a" + "/",
    ],
)
def test_anything_else_is_refused_wildcards_and_variables_of_policies_among_it(path: str) -> None:
    assert problem(IAM_PATH=path).startswith("IAM_PATH is not a path of IAM users.")
