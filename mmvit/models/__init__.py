from .backbones import PVT, PaleTransformer, PyramidBackbone, ScalableViT
from .token_labels import (
    MixToken,
    TokenLabelHead,
    TokenLabelLoss,
    TokenLabelPreprocessor,
)

__all__ = [
    'PVT',
    'MixToken',
    'PaleTransformer',
    'PyramidBackbone',
    'ScalableViT',
    'TokenLabelHead',
    'TokenLabelLoss',
    'TokenLabelPreprocessor',
]
