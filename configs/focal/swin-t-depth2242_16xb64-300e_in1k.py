# Table 9, four blocks in stage 3
_base_ = './swin-t-depth2222_16xb64-300e_in1k.py'
model = dict(backbone=dict(arch=dict(depths=[2, 2, 4, 2])))
