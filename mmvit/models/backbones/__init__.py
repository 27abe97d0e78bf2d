from .pvt import PVT
from .pyramid import PyramidBackbone
from .scalablevit import ScalableViT
from .vit import SETRViT

__all__ = ['PVT', 'PyramidBackbone', 'SETRViT', 'ScalableViT']
