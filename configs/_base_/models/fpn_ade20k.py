# Semantic FPN for the 150 classes of ADE20K in crops of 512 x 512. A config
# sets the backbone and neck.in_channels.
_base_ = ['../prefixes.py', 'mmseg::_base_/models/fpn_r50.py']
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    pretrained=None,
    decode_head=dict(num_classes=150),
)
