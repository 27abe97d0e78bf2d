from .backbones import PVT, FocalTransformer, PyramidBackbone, ScalableViT

__all__ = ['PVT', 'FocalTransformer', 'PyramidBackbone', 'ScalableViT']
