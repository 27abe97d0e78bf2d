"""tools/analysis_tools/benchmark.py on tiny models."""

import json
import os
import shutil
import subprocess

import pytest
import torch

from mmvit.analysis.flops import count_complexity
from mmvit.apis.config import build_model, load_config
from tests.support.helpers import load_tool

benchmark = load_tool('analysis_tools/benchmark')


QUICK = ['--rounds', '1', '--warmup', '1', '--batch-size', '2']
QUICK += ['--shape', '64', '64', '--device', 'cpu']


def test_benchmark_compares_two(config, capsys) -> None:
    names = [config('det', 'a.py'), config('cls', 'b.py')]
    assert benchmark.main([*names, *QUICK, '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert found['environment']['unit'] == 'images/s'
    assert found['environment']['torch'] == torch.__version__
    rows = found['results']
    assert [row['mode'] for row in rows] == ['inference'] * 2 + [
        'training'
    ] * 2
    assert [row['config'] for row in rows] == names * 2
    for first, other in (rows[:2], rows[2:]):
        assert 'ratio_of_first' not in first
        assert other['ratio_of_first'] == pytest.approx(
            first['images_per_second'] / other['images_per_second']
        )
    # the optimizer and what the backward pass needs are on top
    assert rows[2]['peak_megabytes'] > rows[0]['peak_megabytes'] > 0
    assert benchmark.main([*names, *QUICK, '--mode', 'inference']) == 0
    text = capsys.readouterr().out
    assert 'ratio' in text and 'training' not in text and 'threads' in text


def test_benchmark_as_a_table(config, capsys) -> None:
    names = [config('det', 'a.py'), config('cls', 'b.py')]
    assert benchmark.main([*names, *QUICK, '--markdown']) == 0
    head, line, *rows = capsys.readouterr().out.splitlines()[:4]
    assert 'params (M) | FLOPs (G) | inference (images/s)' in head
    assert line.count('---') == head.count('|') - 1
    assert [row.split(' | ')[0] for row in rows] == ['| a', '| b']
    for name, row in zip(names, rows):
        backbone = build_model(load_config(name)).backbone
        found = count_complexity(backbone, (64, 64))
        assert f'| {found.params / 1e6:.2f} |' in row
        assert f'| {found.flops / 1e9:.2f} |' in row
        assert row.count('|') == head.count('|')


@pytest.mark.parametrize('task', ['cls', 'det', 'ins', 'seg'])
def test_benchmark_of_whole_models(config, capsys, task: str) -> None:
    arguments = [config(task), *QUICK, '--part', 'model', '--json']
    assert benchmark.main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)['results']
    assert all(row['images_per_second'] > 0 for row in rows)


@pytest.mark.parametrize('amp', ['bf16', 'fp16'])
def test_benchmark_in_half_precision(config, capsys, amp: str) -> None:
    arguments = [config('det'), *QUICK, '--amp', amp, '--channels-last']
    assert benchmark.main(arguments) == 0
    assert f'{amp} autocast' in capsys.readouterr().out


def test_benchmark_compares_outputs(config, capsys, tmp_path) -> None:
    names = [config('det', 'a.py'), config('seg', 'b.py')]
    files = []
    models = [build_model(load_config(name)) for name in names]
    models[1].backbone.load_state_dict(models[0].backbone.state_dict())
    for model, prefix in zip(models, ('', 'backbone.')):
        files.append(str(tmp_path / f'{prefix}w.pth'))
        state = {
            prefix + key: value
            for key, value in model.backbone.state_dict().items()
        }
        torch.save(dict(state_dict=state), files[-1])
    arguments = [*names, *QUICK, '--mode', 'inference', '--json']
    arguments += ['--checkpoints', *files]
    assert benchmark.main(arguments) == 0
    output = json.loads(capsys.readouterr().out)['outputs'][0]
    assert output['max_difference'] == 0 < output['max_output']
    key = next(iter(state))
    state[key] = state[key] + 1
    torch.save(dict(state_dict=state), files[1])
    assert benchmark.main(arguments) == 0
    output = json.loads(capsys.readouterr().out)['outputs'][0]
    assert output['max_difference'] > 0
    del state[key]
    torch.save(dict(state_dict=state), files[1])
    with pytest.raises(ValueError, match=key.removeprefix('backbone.')):
        benchmark.main(arguments)


def test_benchmark_leaves_weights_alone(config) -> None:
    args = benchmark.parse_args([config('det'), *QUICK])
    subject = benchmark.Subject(
        'x', load_config(args.configs[0]), args, checkpoint=None
    )
    before = [output.clone() for output in subject.outputs()]
    subject.prepare('training')()
    torch.testing.assert_close(subject.outputs(), before)


def test_peak_memory_of_a_step() -> None:
    def step() -> None:
        size = dict(dtype=torch.uint8)
        first = torch.empty(1 << 20, **size)
        second = torch.empty(2 << 20, **size)
        del first
        third = torch.empty(3 << 20, **size)
        del second, third
        torch.empty(4 << 20, **size)

    assert benchmark.peak_bytes(step, torch.device('cpu')) == 5 << 20


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ([__file__, __file__, '--checkpoints', __file__], 'give one for each'),
        ([__file__, '--rounds', '0'], '0 is below 1'),
        ([__file__, '--device', 'meta'], 'cpu or cuda'),
        (['gone.py'], 'no config at gone.py'),
        ([__file__, '--markdown', '--json'], 'without --json'),
    ],
)
def test_benchmark_refuses(capsys, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit):
        benchmark.main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_benchmark_compiles(config, capsys) -> None:
    compiler = os.environ.get('CXX', 'g++')
    if shutil.which(compiler) is None or subprocess.call(
        [compiler, '--version'], stdout=subprocess.DEVNULL
    ):
        pytest.skip('torch.compile needs a C++ compiler on a CPU')
    # One block of the backbone; all four would take a minute.
    name = config('seg', model__backbone__out_indices=(0,))
    arguments = [name, *QUICK, '--compile', '--mode', 'inference']
    assert benchmark.main(arguments) == 0
    assert 'compile blocks' in capsys.readouterr().out


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_benchmark_on_a_gpu(config, capsys) -> None:
    arguments = [config('det'), *QUICK, '--device', 'cuda', '--json']
    assert benchmark.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(row['peak_megabytes'] > 0 for row in found['results'])


def test_largest_batch(config, capsys) -> None:
    name = config('cls')
    common = [name, '--largest-batch', '--device', 'cpu', '--json']
    common += ['--shape', '64', '64', '--part', 'model']
    found = []
    for limit in (0.0015, 0.003):
        assert benchmark.main([*common, '--memory-limit', str(limit)]) == 0
        found.append(json.loads(capsys.readouterr().out))
        assert 0 < found[-1]['peak_bytes'] <= limit * 2**30
    assert 0 < found[0]['largest_batch'] < found[1]['largest_batch']
    assert benchmark.main([*common, '--memory-limit', '1e-4']) == 1


def test_largest_batch_takes_one_config(capsys) -> None:
    with pytest.raises(SystemExit):
        benchmark.main([__file__, __file__, '--largest-batch'])
    assert 'takes one config' in capsys.readouterr().err


def test_largest_batch_on_a_cpu_needs_a_limit() -> None:
    with pytest.raises(SystemExit, match='needs --memory-limit on a CPU'):
        benchmark.main([__file__, '--largest-batch', '--device', 'cpu'])
