import time

import pytest

from flowlang.declared_types import wrong_values
from ingress.lookup.variables import CHECKS, accepts_of
from servicekit.web.problems import ProblemError
from support.ingress_fakes import DOCUMENT

ACCEPTS = accepts_of(DOCUMENT, "bought")


@pytest.mark.parametrize("variables", [{"order_id": "7"}, {"order_id": "7", "total": 1.5, "seats": 3}])
def test_variables_that_fit_pass(variables):
    ACCEPTS.check(variables)


@pytest.mark.parametrize(
    ("variables", "pointers"),
    [
        ({}, ["#/variables/order_id"]),
        ({"order_id": 7}, ["#/variables/order_id"]),
        ({"order_id": "7", "total": "12"}, ["#/variables/total"]),
        ({"order_id": "7", "total": True}, ["#/variables/total"]),
        ({"total": "12", "seats": 1.5}, ["#/variables/order_id", "#/variables/seats", "#/variables/total"]),
    ],
)
def test_each_variable_that_does_not_fit_is_named(variables, pointers):
    with pytest.raises(ProblemError) as refused:
        ACCEPTS.check(variables)
    assert [error["pointer"] for error in refused.value.extra["errors"]] == pointers


def test_a_mistyped_variable_is_refused_where_the_entry_lists_any():
    with pytest.raises(ProblemError) as refused:
        ACCEPTS.check({"order_id": "7", "totl": 12})
    assert refused.value.type_slug == "variables-wrong"
    assert refused.value.extra["errors"] == [
        {"pointer": "#/variables/totl", "detail": "the entry accepts no totl (is total meant?)"}
    ]
    accepts_of({"triggers": [{"id": "t", "type": "webhook"}]}, "t").check({"anything": 1})


def test_an_entry_that_the_document_does_not_have_is_none():
    assert accepts_of(DOCUMENT, "sold") is None


def test_without_an_entry_only_the_flows_own_variables_are_checked():
    accepts_of(DOCUMENT, None).check({"order_id": 7})
    with pytest.raises(ProblemError):
        accepts_of(DOCUMENT, None).check({"seats": "many"})


VALUES = ["", "7", 7, 0, -1, 1.0, 1.5, True, False, [], [1], {}, {"a": 1}, None]


@pytest.mark.parametrize("required", ["", "!"])
@pytest.mark.parametrize("type", CHECKS)
def test_ingress_and_the_language_agree_on_every_type(type, required):
    accept = {"v": type + required}
    checks = accepts_of({"triggers": [{"id": "t", "type": "webhook", "accept": accept}]}, "t")
    for given in [{}, *({"v": value} for value in VALUES)]:
        wrong = wrong_values(accept, given)
        try:
            checks.check(given)
            found = []
        except ProblemError as refused:
            found = [("v", error["detail"]) for error in refused.extra["errors"]]
        assert found == wrong, given


def test_a_refusal_takes_no_longer_for_variables_without_end():
    accept = {f"order_field_number_{number}": "string!" for number in range(2_000)}
    accepts = accepts_of({"triggers": [{"id": "t", "type": "webhook", "accept": accept}]}, "t")
    begin = time.process_time()
    with pytest.raises(ProblemError) as refused:
        accepts.check({f"order_feild_numbr_{number}": 1 for number in range(50_000)})
    assert time.process_time() - begin < 2
    assert len(refused.value.extra["errors"]) == 40
    assert len(refused.value.detail) < 100_000
