# Table 5(a): scalable attention in all blocks, channels not scaled.
_base_ = './scalablevit-s_8xb128-300e_in1k.py'
model = dict(
    backbone=dict(
        overrides=dict(channel_ratios=(1.0, 1.0, 1.0, 1.0)),
        attentions=('ssa', 'ssa'),
    )
)
