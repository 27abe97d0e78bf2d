# SETR-Naive with T-Large (Tables 2 and 3). The paper states two 1x1
# convolutions and auxiliary losses at layers 10, 15 and 20, "each on a 2-layer
# network". 256 channels and the weight 0.4 are the release's. The paper's
# formulas have no class token; the release keeps ViT's, except for MLA.
_base_ = ['../prefixes.py', 'mmseg::_base_/models/setr_naive.py']
head = dict(
    type='mmvit.SETRNaiveHead',
    in_channels=1024,
    channels=256,
    num_classes=19,
    norm_cfg=dict(type='SyncBN'),
)
aux_loss = dict(type='CrossEntropyLoss', loss_weight=0.4)
model = dict(
    data_preprocessor=dict(size=(768, 768)),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmvit.SETRViT',
        arch='large',
        img_size=768,
        out_indices=(9, 14, 19, 23),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/vit_large_384.pth',
            prefix='backbone.',
        ),
    ),
    decode_head=dict(
        _delete_=True,
        **head,
        in_index=3,
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
    auxiliary_head=[
        dict(**head, in_index=index, loss_decode=aux_loss)
        for index in range(3)
    ],
    test_cfg=dict(mode='slide', crop_size=(768, 768), stride=(512, 512)),
)
