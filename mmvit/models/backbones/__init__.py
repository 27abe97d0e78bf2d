from .focal import FocalTransformer
from .pvt import PVT
from .pyramid import PyramidBackbone
from .scalablevit import ScalableViT

__all__ = ['PVT', 'FocalTransformer', 'PyramidBackbone', 'ScalableViT']
