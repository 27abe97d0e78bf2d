from .backbones import (
    PVT,
    FocalTransformer,
    HLGTransformer,
    PaleTransformer,
    PyramidBackbone,
    ScalableViT,
)
from .decode_heads import HLGHead
from .token_labels import (
    MixToken,
    TokenLabelHead,
    TokenLabelLoss,
    TokenLabelPreprocessor,
)

__all__ = [
    'FocalTransformer',
    'HLGHead',
    'HLGTransformer',
    'MixToken',
    'PVT',
    'PaleTransformer',
    'PyramidBackbone',
    'ScalableViT',
    'TokenLabelHead',
    'TokenLabelLoss',
    'TokenLabelPreprocessor',
]
