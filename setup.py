import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# An extra, so that an environment with OpenMMLab's own packages, which have
# the same import names, is left alone. mmvit.stack checks the versions.
OPENMMLAB = [
    'onedl-mmengine>=0.10.12,<0.11',
    'onedl-mmcv>=2.3.6,<2.4',
    'onedl-mmdetection>=3.5.1,<3.6',
    'onedl-mmsegmentation>=1.4.2,<1.5',
    'onedl-mmpretrain>=1.3.6,<1.4',
]
QUICKSTART = [*OPENMMLAB, 'scikit-learn', 'scikit-image']
EXPORT = ['onnx>=1.18', 'onnxscript>=0.5', 'onnxruntime>=1.20']
DOCS = [
    *OPENMMLAB,
    *('sphinx>=8', 'myst-parser>=4', 'furo'),
    *('sphinx-copybutton', 'sphinx-design'),
]
# What `mmvit::pvt/...` and OpenMMLab's tools look for inside the package.
MIM_PARTS = ('configs', 'tools', 'model-index.yml')


def version() -> str:
    scope: dict = {}
    exec((ROOT / 'mmvit' / 'version.py').read_text(), scope)
    return scope['__version__']


class BuildWithConfigs(build_py):
    """Puts configs and tools into the package, as mmvit/.mim."""

    def run(self) -> None:
        super().run()
        in_place = getattr(self, 'editable_mode', False)
        base = ROOT if in_place else Path(self.build_lib)
        target = base / 'mmvit' / '.mim'
        target.mkdir(parents=True, exist_ok=True)
        for part in MIM_PARTS:
            source, link = ROOT / part, target / part
            if link.is_symlink() or link.is_file():
                link.unlink()
            elif link.is_dir():
                shutil.rmtree(link)
            if in_place and hasattr(os, 'symlink'):
                link.symlink_to(os.path.relpath(source, target))
            elif source.is_dir():
                shutil.copytree(source, link)
            else:
                shutil.copy2(source, link)


setup(
    name='mmvit',
    version=version(),
    description='Vision-transformer backbones for dense prediction, as '
    'plugins for mmengine',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache License 2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['mmvit', 'mmvit.*']),
    package_data={'mmvit': ['py.typed'], 'mmvit.checkpoints': ['zoo.yml']},
    cmdclass=dict(build_py=BuildWithConfigs),
    install_requires=['torch>=2.6,<2.15', 'torchvision>=0.21,<0.30'],
    extras_require={
        'openmmlab': OPENMMLAB,
        'quickstart': QUICKSTART,
        'drive': ['gdown>=5'],  # published weights on Google Drive
        'export': EXPORT,
        'tests': [*QUICKSTART, *EXPORT, 'pytest', 'pytest-xdist', 'ruff'],
        'docs': DOCS,
    },
)
