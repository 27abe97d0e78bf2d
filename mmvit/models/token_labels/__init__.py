"""Token labeling: a label for each token, besides that of the image.

`All Tokens Matter: Token Labeling for Training Better Vision Transformers
<https://arxiv.org/abs/2104.10858>`_. For classifiers of mmpretrain with any
backbone that returns maps. The transforms are in mmvit.datasets.
"""

from .head import TokenLabelHead
from .mixing import MixToken
from .preprocessor import TokenLabelPreprocessor

__all__ = [
    'MixToken',
    'TokenLabelHead',
    'TokenLabelPreprocessor',
]
