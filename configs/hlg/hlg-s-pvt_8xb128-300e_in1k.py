_base_ = ['./hlg-s_8xb128-300e_in1k.py', '../_base_/models/pvt_hlg_small.py']
model = dict(backbone=_base_.pvt_hlg_small, neck=None)
