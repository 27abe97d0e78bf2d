#!/usr/bin/env bash
# Try MMViT with one Python and one pair of torch and torchvision, in an
# environment that is removed afterwards: install, import, 50 iterations of
# the quickstart, the operators' tests. docs/en/get_started.md lists the
# results.
#   bash tools/dev/try_versions.sh PYTHON TORCH TORCHVISION
#   bash tools/dev/try_versions.sh python3.12 2.9.1 0.24.1
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# = 3 ] || { sed -n '2,7p' "$0"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=$folder/venv/bin/python
"$1" -m venv "$folder/venv"
grep -v '^torch' requirements.txt >"$folder/pins.txt"
printf 'torch==%s\ntorchvision==%s\n' "$2" "$3" >>"$folder/pins.txt"
start=$SECONDS
"$python" -m pip install -q --disable-pip-version-check \
    -c "$folder/pins.txt" '.[tests]'
echo "installed in $((SECONDS - start)) s: $("$python" --version), torch $2"
export PYTHONPATH=$PWD
"$python" -c 'import mmvit, mmdet.apis, mmseg.apis, mmpretrain.apis'
echo 'imports: passed'
config=configs/quickstart/fpn_pvt-nano_1xb8_digit-scenes-128x128.py
if [ ! -d data/digit_scenes ]; then
    "$python" tools/dataset_converters/digit_scenes.py
fi
"$python" tools/train.py "$config" --work-dir "$folder/work" --cfg-options \
    train_cfg.max_iters=50 train_cfg.val_interval=50 >"$folder/train.log" 2>&1 ||
    { tail -n 20 "$folder/train.log"; exit 1; }
grep -oE 'mIoU: [0-9.]+' "$folder/train.log" | tail -n 1
echo 'quickstart of 50 iterations: passed'
"$python" -m pytest -q tests/test_operators | tail -n 1
