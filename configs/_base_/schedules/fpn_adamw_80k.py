# PVT's recipe for Semantic FPN: AdamW, lr 1e-4 for 16 images, weight decay
# 1e-4 on all parameters, poly of power 0.9 to 0 at 80,000 iterations.
_base_ = ['../prefixes.py', 'mmseg::_base_/schedules/schedule_80k.py']
optimizer = None  # unused; mmseg's base keeps its SGD in it
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=1e-4, weight_decay=1e-4)
)
param_scheduler = [dict(type='PolyLR', power=0.9, end=80000, by_epoch=False)]
auto_scale_lr = dict(base_batch_size=16, enable=False)
