# Table 5(b), row 5, and Table 7: PEG, and LEM in LIM's place.
_base_ = './scalablevit-s_8xb128-300e_in1k.py'
model = dict(backbone=dict(interaction='lem'))
