from .hlg import HLGTransformer
from .pale import PaleTransformer
from .pvt import PVT
from .pyramid import PyramidBackbone
from .scalablevit import ScalableViT

__all__ = [
    'HLGTransformer',
    'PVT',
    'PaleTransformer',
    'PyramidBackbone',
    'ScalableViT',
]
