"""The backbones, one file per paper, on a common skeleton."""

from .focal import FocalTransformer
from .hlg import HLGTransformer
from .pale import PaleTransformer
from .pvt import PVT
from .pyramid import PyramidBackbone
from .scalablevit import ScalableViT
from .vit import SETRViT

__all__ = [
    'FocalTransformer',
    'HLGTransformer',
    'PVT',
    'PaleTransformer',
    'PyramidBackbone',
    'SETRViT',
    'ScalableViT',
]
