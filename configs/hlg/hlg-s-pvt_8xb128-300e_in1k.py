# Table 14, baseline: PVT with the widths, heads and depths of HLG-Small.
_base_ = ['./hlg-s_8xb128-300e_in1k.py', '../_base_/models/pvt_hlg_small.py']
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmvit.PVT',
        arch={{_base_.pvt_hlg_small}},
        with_cls_token=True,
        drop_path_rate=0.1,
        out_indices=(3,),
    ),
    neck=None,
)
