"""Code that inductor makes for attention with depth-wise convolutions.

See test_inductor.
"""

import pytest

from tests.support.inductor import check_first_stage, needs_compiler


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize('name', ['PaleTransformer', 'ScalableViT'])
def test_inductor(name):
    """Outputs and gradients are those of eager."""
    check_first_stage(name)
