# Table 8: the weights of hlg-l_8xb128-300e_in1k.py, tested on ImageNet-V2.
_base_ = './hlg-l_8xb128-300e_in1k.py'
data_root = 'data/imagenetv2-matched-frequency-format-val'
# Written by tools/prepare_data.py.
v2 = dict(data_root=data_root, split='', ann_file='labels.txt')
test_dataloader = dict(dataset=v2)
