"""Names of types in configs."""

import pytest
from torch import nn

from mmvit.utils.types import type_name


@pytest.mark.parametrize(
    ('kind', 'name'),
    [
        ('Linear', 'Linear'),
        ('mmdet.A', 'A'),
        (nn.Linear, 'Linear'),
        (None, ''),
    ],
)
def test_names_of_types(kind, name):
    assert type_name(dict(type=kind)) == name
    assert type_name({}) == ''
