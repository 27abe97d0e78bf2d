from .backbones import PVT, PaleTransformer, PyramidBackbone, ScalableViT

__all__ = ['PVT', 'PaleTransformer', 'PyramidBackbone', 'ScalableViT']
