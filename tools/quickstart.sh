#!/usr/bin/env bash
# From nothing to a trained model: set up what is missing, draw a small data
# set, train, test, and say where the pictures are.
#   bash tools/quickstart.sh [segmentation|detection|instances|classification]
# What is done is not done again; --fresh as a second argument trains anew.
# PYTHON and VENV are those of tools/setup_env.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-segmentation} in
segmentation) config=fpn_pvt-nano_1xb8_digit-scenes-128x128 ;;
detection) config=retinanet_pvt-nano_fpn_1xb8-12e_digit-scenes-128x128 ;;
instances) config=mask-rcnn_pvt-nano_fpn_1xb8-12e_digit-scenes-128x128 ;;
classification) config=pvt-nano_1xb32-15e_digit-scenes-64x64 ;;
*)
    sed -n '2,6p' "$0"
    exit 2
    ;;
esac
bash tools/setup_env.sh
python=${VENV:-.venv}/bin/python
work_dir=work_dirs/quickstart/${1:-segmentation}
if [ "${2:-}" = --fresh ]; then
    rm -rf "$work_dir"
fi
start=$SECONDS
echo '== data: digit scenes in data/digit_scenes'
"$python" tools/dataset_converters/digit_scenes.py
echo "== training: configs/quickstart/$config.py in $work_dir"
"$python" tools/train.py "configs/quickstart/$config.py" \
    --work-dir "$work_dir" --resume auto
echo "== test, with pictures of the predictions beside the truth"
"$python" tools/test.py "configs/quickstart/$config.py" \
    "$work_dir/$(cat "$work_dir/last_checkpoint")" \
    --work-dir "$work_dir" --show-dir "$work_dir/pictures" --show-every 10
echo "== done in $((SECONDS - start)) s"
