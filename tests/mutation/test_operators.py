"""Whether our own operators make the mistakes that they promise."""

import pytest
from cosmic_ray.mutating import mutate_code

from tests.mutation.operators import OPERATORS

EXAMPLES = [(operator, example) for operator in OPERATORS.values() for example in operator.examples()]


@pytest.mark.parametrize(("operator", "example"), EXAMPLES)
def test_an_operator_makes_the_mistake_of_its_example(operator, example):
    made = mutate_code(example.pre_mutation_code, operator(), example.occurrence)

    assert made == example.post_mutation_code


@pytest.mark.parametrize("code", ["x = {}", "x = (A,)", "x = {A: B}", "x = [y for y in z]", "f(a, b)", "x = ((A, 1),)"])
def test_what_has_no_members_loses_none(code):
    assert mutate_code(code, OPERATORS["DropMember"](), 0) is None
