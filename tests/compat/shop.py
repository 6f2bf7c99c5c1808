"""What the scripts start from: a table with gaps and two models of it, as scikit-learn answers and as ONNX."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "journeys"))

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_regression
from sklearn.ensemble import GradientBoostingClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def customers(rows=400, seed=5):
    """Customers with numbers that singles hold exactly, some of them missing."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame({
        "months": random.integers(1, 72, rows).astype(float),
        "charge": (random.integers(0, 4000, rows) / 32).astype(float),
        "city": random.choice(["Quito", "Guayaquil", "Cuenca"], rows),
    })
    table.loc[random.random(rows) < 0.1, "charge"] = np.nan
    return table


def churn():
    """A pipeline with numbers, gaps and texts that answers `si` or `no`; and its ONNX file."""
    table = customers()
    target = np.where((table.months < 24) & (table.city != "Cuenca"), "si", "no")
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer([("numbers", numbers, ["months", "charge"]),
                                 ("city", OneHotEncoder(handle_unknown="ignore"), ["city"])])
    model = make_pipeline(columns, GradientBoostingClassifier(n_estimators=30, random_state=1)).fit(table, target)
    inputs = [("months", FloatTensorType([None, 1])), ("charge", FloatTensorType([None, 1])),
              ("city", StringTensorType([None, 1]))]
    onnx = to_onnx(model, initial_types=inputs, options={id(model): {"zipmap": False}})
    return model, onnx.SerializeToString()


def prices():
    """A forest over a matrix; its ONNX file, and rows to ask for."""
    X, y = make_regression(600, 6, n_informative=5, noise=2, random_state=3)
    X = X.astype(np.float32)
    model = RandomForestRegressor(40, max_depth=8, random_state=3).fit(X, y)
    return model, to_onnx(model, X[:1]).SerializeToString(), X[:200]


def apart(values, others):
    """The largest difference, relative above one."""
    values, others = np.asarray(values, float).ravel(), np.asarray(others, float).ravel()
    assert values.shape == others.shape, f"{values.shape} and {others.shape}"
    return (np.abs(values - others) / np.maximum(1, np.abs(others))).max()
