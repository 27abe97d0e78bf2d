# UperNet + Pale-T. The paper does not state the recipe. This is CSWin's, which
# follows Swin: AdamW, lr 6e-5, weight decay 0.01 except for norms, warm-up of
# 1,500 iterations, poly 1.0, 160k iterations of 16 images, an auxiliary FCN
# head of weight 0.4. Test with --tta for the rows with "MS".
_base_ = [
    '../_base_/models/upernet_ade20k.py',
    '../_base_/models/pale_tiny.py',
    '../_base_/datasets/ade20k_ms-test.py',
    '../_base_/schedules/upernet_adamw_160k.py',
    '../_base_/runtime/seg.py',
]
model = dict(
    backbone=_base_.pale_tiny,
    decode_head=dict(in_channels=[64, 128, 256, 512]),
    auxiliary_head=dict(in_channels=256),
)
