"""Models, registered in the scope `mmvit`."""

from importlib.util import find_spec

from .backbones import (
    PVT,
    FocalTransformer,
    HLGTransformer,
    PaleTransformer,
    PyramidBackbone,
    ScalableViT,
    SETRViT,
)
from .token_labels import (
    MixToken,
    TokenLabelHead,
    TokenLabelLoss,
    TokenLabelPreprocessor,
)

__all__ = [
    'FocalTransformer',
    'HLGTransformer',
    'MixToken',
    'PVT',
    'PaleTransformer',
    'PyramidBackbone',
    'SETRViT',
    'ScalableViT',
    'TokenLabelHead',
    'TokenLabelLoss',
    'TokenLabelPreprocessor',
]

# Decode heads stand on mmseg's base class; detection and classification need
# no mmseg.
if find_spec('mmseg') is not None:
    from .decode_heads import (
        HLGHead,
        SETRMLAHead,
        SETRNaiveHead,
        SETRPUPHead,
        Trans2SegHead,
    )

    __all__ += [
        'HLGHead',
        'SETRMLAHead',
        'SETRNaiveHead',
        'SETRPUPHead',
        'Trans2SegHead',
    ]

# Merging the masks of instances stands on mmdet's merging of boxes.
if find_spec('mmdet') is not None:
    from .test_time_augs import InstanceTTAModel

    __all__ += ['InstanceTTAModel']
