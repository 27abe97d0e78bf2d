"""Tools that count and measure, run in this process on tiny models."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config

from mmvit.analysis.flops import count_complexity
from mmvit.apis.config import build_model, load_config

from ..helpers import ROOT, load_tool
from ..tiny import tiny_config, write_config

get_flops = load_tool('analysis_tools/get_flops')
paper_table = load_tool('analysis_tools/paper_table')
benchmark = load_tool('analysis_tools/benchmark')


@pytest.fixture
def config(tmp_path: Path, plain_dumps: None):
    """Write a task's tiny config: config(task, name='x.py', **options)."""

    def write(task: str, name: str = 'tiny.py', **options) -> str:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        return write_config(
            tiny_config(task, 'nowhere', **options), tmp_path / name
        )

    return write


# get_flops


def test_get_flops_prints_parts_that_add_up(config, capsys) -> None:
    name = config('det')
    assert get_flops.main([name, '--shape', '50', '90', '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    # padded to what the data preprocessor pads to
    assert found['input_shape'] == [64, 96]
    assert list(found['parts']) == ['backbone', 'neck', 'bbox_head']
    for what in ('params', 'multiply_adds'):
        assert found[what] == sum(p[what] for p in found['parts'].values()) > 0
    assert get_flops.main([name, '--shape', '50', '90']) == 0
    text = capsys.readouterr().out
    assert '64 x 96' in text and 'multiply-add is one FLOP' in text
    assert f'{found["params"] / 1e6:.3f} M' in text


def test_get_flops_changes_the_config(config, capsys) -> None:
    name = config('cls')
    totals = []
    for depth in (1, 2):
        options = [f'model.backbone.arch.depths=[1,1,1,{depth}]', '--json']
        assert get_flops.main([name, '--cfg-options', *options]) == 0
        totals.append(json.loads(capsys.readouterr().out)['params'])
    assert totals[1] > totals[0]


PIPELINES = [
    ([dict(type='CenterCrop', crop_size=96)], (96, 96)),
    ([dict(type='CenterCrop', crop_size=(96, 64))], (64, 96)),
    ([dict(type='mmpretrain.ResizeEdge', scale=96)], None),
    ([dict(type='Resize', scale=(96, 64))], (64, 96)),
    ([dict(type='Resize', scale=(96, 64), keep_ratio=True)], None),
    (
        [
            dict(type='Resize', scale=(96, 64), keep_ratio=True),
            dict(type='Pad', size=(128, 64)),
        ],
        (64, 128),
    ),
    ([], None),
]


@pytest.mark.parametrize(('pipeline', 'shape'), PIPELINES)
def test_default_shape(pipeline: list[dict], shape) -> None:
    dataset = dict(dataset=dict(pipeline=pipeline))
    cfg = Config(dict(model=dict(), test_dataloader=dict(dataset=dataset)))
    assert get_flops.default_shape(cfg) == shape
    # a segmentor's preprocessor knows a size, sliding windows come first
    cfg.model.data_preprocessor = dict(size=(32, 48))
    assert get_flops.default_shape(cfg) == (shape or (32, 48))
    cfg.model.test_cfg = dict(mode='slide', crop_size=(40, 56))
    assert get_flops.default_shape(cfg) == (40, 56)


def test_get_flops_asks_for_a_shape(config, capsys) -> None:
    name = config('det')
    cfg = load_config(name)
    cfg.test_dataloader.dataset.pipeline[1].keep_ratio = True
    write_config(cfg, Path(name))
    assert get_flops.main([name]) == 2
    assert '--shape HEIGHT WIDTH' in capsys.readouterr().err


@pytest.mark.parametrize('shape', [['0', '64'], ['1', '2', '3'], ['-4']])
def test_get_flops_refuses_a_shape(shape: list[str], capsys) -> None:
    with pytest.raises(SystemExit):
        get_flops.main(['any.py', '--shape', *shape])
    assert '--shape' in capsys.readouterr().err


# paper_table


@pytest.fixture
def family(tmp_path: Path, config):
    """Write configs/toy with a metafile: family(**changes of Metadata)."""

    def write(**changes) -> Path:
        for name in ('a', 'b'):
            config('seg', f'configs/toy/{name}.py')
        cfg = load_config(str(tmp_path / 'configs/toy/a.py'))
        exact = count_complexity(build_model(cfg), (64, 64))
        facts = {
            'Parameters': exact.params,
            'FLOPs': exact.flops,
            'Input Size': [64, 64],
            'Paper Table': 'Table 2, Table 9',
            'Paper Parameters (M)': exact.params / 1e6,
            'Paper FLOPs (G)': exact.flops / 1e9,
        }
        models = [
            dict(Name='a', Config='configs/toy/a.py', Metadata={**facts}),
            dict(Name='b', Config='configs/toy/b.py', Metadata={**facts}),
            # trained, but not printed
            dict(
                Name='c',
                Config='configs/toy/b.py',
                Metadata={'Parameters': 1, 'FLOPs': 2, 'Input Size': [32, 32]},
            ),
        ]
        models[0]['Metadata'].update(changes)
        models[0]['Metadata'] = {
            k: v for k, v in models[0]['Metadata'].items() if v is not None
        }
        (tmp_path / 'configs/toy/metafile.yml').write_text(
            '# a remark\n' + yaml.dump(dict(Models=models), sort_keys=False)
        )
        return tmp_path

    return write


def test_paper_table_agrees(family, capsys, monkeypatch) -> None:
    built = []
    monkeypatch.setattr(
        paper_table,
        'build_model',
        lambda cfg: built.append(cfg) or build_model(cfg),
    )
    assert paper_table.main(['--root', str(family()), '--json']) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row['name'] for row in found['rows']] == ['a', 'b']
    row = found['rows'][0]
    assert row['paper_table'] == 'Table 2, Table 9'
    assert row['params']['ours'] == row['params']['paper'] * 1e6
    assert row['multiply_adds']['difference_percent'] == pytest.approx(0)
    # a and b share their model
    assert len(built) == 1


def test_paper_table_fails_beyond_the_tolerance(family, capsys) -> None:
    root = str(family(**{'Paper Parameters (M)': 0.03}))
    assert paper_table.main(['--root', root]) == 1
    output = capsys.readouterr()
    assert 'a: #Params' in output.err and 'no Paper Deviation' in output.err
    assert 'b:' not in output.err
    assert paper_table.main(['toy', '--root', root, '--tolerance', '200']) == 0
    capsys.readouterr()
    root = str(
        family(
            **{
                'Paper Parameters (M)': 0.03,
                'Paper Deviation': 'the paper left the head out',
            }
        )
    )
    assert paper_table.main(['--root', root]) == 0
    assert 'the paper left the head out' in capsys.readouterr().out


def test_paper_table_leaves_out_what_the_paper_does(family, capsys) -> None:
    cfg = load_config(str(family() / 'configs/toy/a.py'))
    exact = count_complexity(build_model(cfg), (64, 64))
    left = exact.flops - exact.attention_flops
    assert 0 < left < exact.flops
    strict = ['--tolerance', '1e-6', '--root']
    changes = {'Paper FLOPs (G)': left / 1e9}
    assert paper_table.main([*strict, str(family(**changes))]) == 1
    capsys.readouterr()
    rule = {'Paper FLOPs Rule': 'without attention products'}
    root = str(family(**changes, **rule))
    assert paper_table.main([*strict, root]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert '+0.00 %  ok (without attention products;' in line
    root = str(family(**changes, **{'Paper FLOPs Rule': 'backbone only'}))
    assert paper_table.main(['--root', root]) == 2
    assert "a has Paper FLOPs Rule: 'backbone only'" in capsys.readouterr().err


def test_paper_table_counts_flops_where_printed(family, capsys) -> None:
    root = str(family(**{'Paper FLOPs (G)': None}))
    assert paper_table.main(['--root', root, '--json']) == 0
    rows = json.loads(capsys.readouterr().out)['rows']
    assert [row['multiply_adds']['ours'] is None for row in rows] == [
        True,
        False,
    ]


def test_paper_table_brings_the_metafile_up_to_date(family, capsys) -> None:
    root = family(**{'Parameters': 7, 'FLOPs': 8.5})
    path = root / 'configs/toy/metafile.yml'
    before = path.read_text()
    assert paper_table.main(['--root', str(root)]) == 1
    assert 'metafile lists #Params 7' in capsys.readouterr().err
    assert path.read_text() == before
    assert paper_table.main(['--root', str(root), '--write']) == 0
    after = path.read_text()
    found = [model['Metadata'] for model in yaml.safe_load(after)['Models']]
    assert found[0] == found[1]
    assert (found[2]['Parameters'], found[2]['FLOPs']) == (1, 2)
    changed = set(before.splitlines()) ^ set(after.splitlines())
    assert len(changed) == 2 and after.startswith('# a remark\n')
    # c is counted only when asked for
    assert paper_table.main(['--root', str(root), '--all', '--write']) == 0
    found = yaml.safe_load(path.read_text())['Models'][2]['Metadata']
    assert found['Parameters'] > 1000 and found['FLOPs'] > 1000


def test_paper_table_for_a_readme(family, capsys) -> None:
    root = str(family(**{'Paper Deviation': 'rounded'}))
    assert paper_table.main(['--root', root, '--markdown']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith('| [a [1]](a.py) | Table 2, Table 9 | ')
    assert lines[-1] == '[1] a: rounded'
    assert len({line.count('|') for line in lines[:4]}) == 1


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (('Config: configs/toy/a.py', 'Config: configs/toy/z.py'), 'z.py'),
        (('Config: configs/toy/a.py', 'Confg: x'), 'a has no Config'),
        (('Name: a', 'Nam: a'), 'has no Name'),
        (('Input Size:', 'Input Sice:'), 'no Input Size'),
        (('Paper FLOPs (G): ', 'Paper FLOPs (G): about '), 'about'),
        (('Models:', 'Modells:'), 'has no Models'),
        (('Models:', 'Models: ]'), 'is not YAML'),
    ],
)
def test_paper_table_names_what_is_missing(
    family, capsys, change: tuple[str, str], message: str
) -> None:
    root = family()
    path = root / 'configs/toy/metafile.yml'
    path.write_text(path.read_text().replace(*change))
    assert paper_table.main(['--root', str(root)]) == 2
    assert message in capsys.readouterr().err


def test_paper_table_names_the_families(family, capsys) -> None:
    assert paper_table.main(['tie', '--root', str(family())]) == 2
    assert 'families with a metafile: toy' in capsys.readouterr().err
    assert paper_table.main(['--root', str(ROOT / 'docs')]) == 2
    assert 'no configs/*/metafile.yml' in capsys.readouterr().err


@pytest.mark.slow
def test_counts_of_the_repository_are_near_those_of_the_papers(capsys) -> None:
    # All rows take too long for a test: one of each kind of detector, and
    # the classifiers.
    kinds = r'^(mask-rcnn_pvt-t|upernet_scalablevit-s|retinanet_pvt-t|fpn)_'
    classifiers = r'^(pvt|pale|scalablevit|focal|hlg)-[a-z]+[-_]'
    only = f'--only={kinds}|{classifiers}'
    assert paper_table.main([only]) == 0, capsys.readouterr().err
    assert len(capsys.readouterr().out.splitlines()) > 40


def test_paper_table_of_some_rows(family, capsys) -> None:
    root = str(family(**{'Paper Deviation': 'rounded'}))
    assert paper_table.main(['--root', root, '--only', '^a$', '--json']) == 0
    rows = json.loads(capsys.readouterr().out)['rows']
    assert [row['name'] for row in rows] == ['a']
    assert paper_table.main(['--root', root, '--only', 'none of these']) == 2
    assert 'no model to compare' in capsys.readouterr().err


# benchmark

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
        (['a.py', 'b.py', '--checkpoints', 'w.pth'], 'give one for each'),
        (['a.py', '--rounds', '0'], 'begin at 1'),
        (['a.py', '--device', 'meta'], 'cpu or cuda'),
    ],
)
def test_benchmark_refuses(capsys, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit):
        benchmark.main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_benchmark_compiles(config, capsys) -> None:
    arguments = [config('cls'), *QUICK, '--compile', '--mode', 'inference']
    assert benchmark.main(arguments) == 0
    assert 'compile True' in capsys.readouterr().out


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_benchmark_on_a_gpu(config, capsys) -> None:
    arguments = [config('det'), *QUICK, '--device', 'cuda', '--json']
    assert benchmark.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(row['peak_megabytes'] > 0 for row in found['results'])


@pytest.mark.parametrize('tool', [get_flops, paper_table, benchmark])
def test_help_has_an_example(tool, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        tool.main(['--help'])
    assert stop.value.code == 0
    assert 'python tools/analysis_tools/' in capsys.readouterr().out


# benchmark --largest-batch


def test_largest_batch(config, capsys) -> None:
    name = config('cls')
    common = [name, '--largest-batch', '--device', 'cpu', '--json']
    common += ['--shape', '64', '64', '--part', 'model']
    found = []
    for limit in (0.004, 0.008):
        assert benchmark.main([*common, '--memory-limit', str(limit)]) == 0
        found.append(json.loads(capsys.readouterr().out))
        assert 0 < found[-1]['peak_bytes'] <= limit * 2**30
    assert 0 < found[0]['largest_batch'] < found[1]['largest_batch']
    assert benchmark.main([*common, '--memory-limit', '1e-4']) == 1


@pytest.mark.parametrize(
    ('extra', 'message'),
    [
        (['one.py', '--device', 'cpu'], 'needs --memory-limit on a CPU'),
        (['one.py', 'other.py', '--memory-limit', '1'], 'takes one config'),
    ],
)
def test_largest_batch_arguments(extra, message, capsys) -> None:
    with pytest.raises(SystemExit):
        benchmark.main([*extra, '--largest-batch'])
    assert message in capsys.readouterr().err


def test_guard_cost_compares(config, scenes, capsys) -> None:
    tool = load_tool('analysis_tools/guard_cost')
    name = write_config(
        tiny_config('cls', scenes), Path(config('cls')).with_name('data.py')
    )
    args = ['--iters', '6', '--warmup', '2', '--rounds', '2', '--json']
    assert tool.main([name, *args]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found['ratio'] == pytest.approx(
        found['guarded'] / found['plain'], rel=0.5
    )
