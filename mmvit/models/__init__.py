from .backbones import PVT, PyramidBackbone, ScalableViT
from .decode_heads import Trans2SegHead

__all__ = ['PVT', 'PyramidBackbone', 'ScalableViT', 'Trans2SegHead']
