"""A BentoML service of the model in the directory MODEL_DIR."""

import os

import bentoml
import joblib


@bentoml.service(workers=2)
class Predict:
    def __init__(self) -> None:
        self.model = joblib.load(os.path.join(os.environ["MODEL_DIR"], "model.joblib"))

    @bentoml.api
    def predict(self, instances: list) -> dict:
        return {"predictions": self.model.predict(instances).tolist()}
