# Figure 9's PVT-Medium. The paper tells no recipe: this is HLG-Medium's.
_base_ = [
    './upernet_hlg-m_4xb2-40k_cityscapes-768x768.py',
    '../_base_/models/pvt_tiny.py',
]
pvt = dict(_base_.pvt_tiny, arch='medium')
pvt['init_cfg']['checkpoint'] = 'checkpoints/pvt_medium.pth'
model = dict(backbone=pvt, auxiliary_head=dict(in_channels=320))
model['decode_head'] = dict(in_channels=[64, 128, 320, 512])
