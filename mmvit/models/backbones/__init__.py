from .hlg import HLGTransformer
from .pvt import PVT
from .pyramid import PyramidBackbone
from .scalablevit import ScalableViT

__all__ = ['HLGTransformer', 'PVT', 'PyramidBackbone', 'ScalableViT']
