from .backbones import PVT, HLGTransformer, PyramidBackbone, ScalableViT
from .decode_heads import HLGHead

__all__ = [
    'HLGHead',
    'HLGTransformer',
    'PVT',
    'PyramidBackbone',
    'ScalableViT',
]
