"""An environment per row of versions, made with uv, in which `record.py` fits and pickles everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

# Name, Python, and what is installed with its dependencies; after "--", what is installed without them.
ENVIRONMENTS = """
newest 3.13 scikit-learn scipy numpy pandas pyarrow imbalanced-learn graphviz plotly -- xgboost lightgbm catboost
sklearn17 3.13 scikit-learn==1.7.2 numpy==2.3.* scipy==1.16.* pandas==2.3.* imbalanced-learn==0.14.0 -- xgboost==3.0.5 lightgbm==4.6.0
sklearn16 3.12 scikit-learn==1.6.1 numpy==2.2.* scipy==1.15.* pandas==2.2.* imbalanced-learn==0.13.0
sklearn15 3.12 scikit-learn==1.5.2 numpy==2.0.* scipy==1.14.* pandas==2.2.* imbalanced-learn==0.12.4 -- xgboost==2.1.4 lightgbm==4.5.0
sklearn14 3.11 scikit-learn==1.4.2 numpy==1.26.* scipy==1.12.* pandas==2.2.* imbalanced-learn==0.12.2 -- lightgbm==4.3.0
sklearn13 3.11 scikit-learn==1.3.2 numpy==1.26.* scipy==1.11.* pandas==2.0.* imbalanced-learn==0.11.0 -- xgboost==2.0.3 lightgbm==4.1.0
sklearn12 3.10 scikit-learn==1.2.2 numpy==1.23.* scipy==1.10.* pandas==1.5.* imbalanced-learn==0.10.1 -- xgboost==1.7.6 lightgbm==3.3.5
sklearn10 3.9 scikit-learn==1.0.2 numpy==1.21.* scipy==1.7.* pandas==1.3.* imbalanced-learn==0.9.0 joblib==1.1.* -- xgboost==1.7.6 lightgbm==3.3.5
sklearn024 3.8 scikit-learn==0.24.2 numpy==1.19.* scipy==1.5.* pandas==1.1.* imbalanced-learn==0.8.1 joblib==1.0.* catboost==1.0.6 -- xgboost==1.6.2 lightgbm==3.2.1
sklearn022 3.7 scikit-learn==0.22.2 numpy==1.17.* scipy==1.4.* pandas==1.0.* imbalanced-learn==0.6.2 xgboost==1.1.1 -- lightgbm==3.0.0
sklearn020 3.7 scikit-learn==0.20.4 numpy<1.17 scipy<1.3 pandas<1 imbalanced-learn==0.4.3 xgboost==0.90
"""


def record(folder: str) -> int:
    """Makes what is not there yet, and records in all. A Python that uv cannot find is told by uv."""
    for row in ENVIRONMENTS.strip().splitlines():
        name, python, *packages = row.split()
        place = Path(folder).resolve() / name
        cut = packages.index("--") if "--" in packages else len(packages)
        if not place.exists():
            _uv("venv", "-q", "--python", python, str(place))
            _uv("pip", "install", "-q", "--python", str(place), *packages[:cut])
            if packages[cut + 1 :]:
                _uv("pip", "install", "-q", "--no-deps", "--python", str(place), *packages[cut + 1 :])
        command = [str(place / "bin" / "python"), str(HERE / "record.py"), f"{place}.json"]
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=folder)
    return 0


def _uv(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *words], check=True)
