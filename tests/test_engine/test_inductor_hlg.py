"""Code that inductor makes for HLG; see test_inductor."""

import pytest

from tests.support.inductor import check_first_stage, needs_compiler


@pytest.mark.slow
@needs_compiler
def test_inductor():
    """Outputs and gradients are those of eager.

    One block takes as long as both of the other families. It halves the map
    and has dilated windows: plain ones are those of ScalableViT, the same
    cuts with a dilation of 1.
    """
    check_first_stage(
        'HLGTransformer',
        windows=('dilated',),
        overrides=dict(depths=(1, 1, 1, 1)),
    )
