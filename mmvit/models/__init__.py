from .backbones import PVT, PyramidBackbone, ScalableViT

__all__ = ['PVT', 'PyramidBackbone', 'ScalableViT']
