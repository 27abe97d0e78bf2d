# What the published classification code builds, for published weights.
_base_ = './hlg-s_8xb128-300e_in1k.py'
released = dict(stem_kernel_size=3, mlp_width='output', window_bias='raster')
model = dict(backbone=released)
