# FCN + ResNet-101 of stride 8, the baseline of SETR's Table 4, tested by
# windows as SETR. The authors pre-trained it on ImageNet-21K and did not
# publish the weights. A config sets num_classes and the sizes.
_base_ = ['../prefixes.py', 'mmseg::_base_/models/fcn_r50-d8.py']
model = dict(
    data_preprocessor=dict(size=(768, 768)),
    pretrained=None,
    backbone=dict(
        depth=101,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/resnet101_in21k.pth',
            prefix='backbone.',
        ),
    ),
    test_cfg=dict(mode='slide', crop_size=(768, 768), stride=(512, 512)),
)
