_base_ = './pvt-t_8xb128-300e_in1k.py'
model = dict(backbone=dict(arch='large', drop_path_rate=0.3))
# Drop path and clipping are the release's; the paper is silent.
optim_wrapper = dict(clip_grad=dict(max_norm=1.0))
