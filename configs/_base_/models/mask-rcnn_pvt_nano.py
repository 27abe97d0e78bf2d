# Mask R-CNN with narrow heads and few proposals. A config sets
# num_classes of roi_head.bbox_head and roi_head.mask_head.
_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py', './pvt_nano.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.PVT',
        arch=_base_.pvt_nano,
        img_size=128,
    ),
    neck=dict(
        in_channels=[32, 64, 128, 256],
        out_channels=64,
        norm_cfg=dict(type='BN'),
        num_outs=4,
    ),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(scales=[4], strides=[4, 8, 16, 32]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=1),
        mask_roi_extractor=dict(out_channels=64),
        mask_head=dict(
            num_convs=2, in_channels=64, conv_out_channels=64, num_classes=1
        ),
    ),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=400, max_per_img=100),
        rcnn=dict(sampler=dict(num=48)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=400, max_per_img=100)),
)
