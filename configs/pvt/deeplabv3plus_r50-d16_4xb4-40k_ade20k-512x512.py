# Table 7, of stride 16: half of the head's dilations.
_base_ = './deeplabv3plus_r50-d8_4xb4-40k_ade20k-512x512.py'
model = dict(
    backbone=dict(dilations=(1, 1, 1, 2), strides=(1, 2, 2, 1)),
    decode_head=dict(dilations=(1, 6, 12, 18)),
)
