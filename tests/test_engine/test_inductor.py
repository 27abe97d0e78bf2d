"""Code that inductor makes, on a CPU.

Most families take about a minute. The tests of a file run one after the
other, those of other files beside them.
"""

import pytest

from tests.support.inductor import check_first_stage, needs_compiler
from tests.test_models.test_backbones.test_contract import BACKBONES

IN_OTHER_FILES = {'HLGTransformer', 'PaleTransformer', 'ScalableViT'}


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize('name', sorted({*BACKBONES} - IN_OTHER_FILES))
def test_inductor(name):
    """Outputs and gradients are those of eager."""
    check_first_stage(name)


@pytest.mark.slow
@needs_compiler
def test_inductor_of_an_encoder():
    check_first_stage('SETRViT')
