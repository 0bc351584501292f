import numpy as np
import pytest
import xgboost
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

X = np.array([[i, i % 3, i % 5] for i in range(40)], dtype=float)
Y = (X[:, 0] > 20).astype(int)


@pytest.fixture(scope="session")
def classifier():
    return LogisticRegression().fit(X, Y)


@pytest.fixture(scope="session")
def forest():
    """Its arrays stand between the opcodes of a joblib file."""
    return RandomForestClassifier(n_estimators=5, random_state=0).fit(X, Y)


@pytest.fixture(scope="session")
def booster():
    return xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, Y), 2)


@pytest.fixture(scope="session")
def wrapper():
    """XGBoost's scikit-learn interface."""
    return xgboost.XGBClassifier(n_estimators=2).fit(X, Y)
