"""Fits a logistic regression to every second digit of those that scikit-learn has."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

app = ClientApp()


def load(message: Message, context: Context):
    x, y = load_digits(return_X_y=True)
    part = int(float(context.node_config["value"])) - 1
    x, y = x[part::2] / 16.0, y[part::2]
    model = LogisticRegression(max_iter=30, warm_start=True)
    model.classes_ = range(10)
    model.coef_, model.intercept_ = message.content["arrays"].to_numpy_ndarrays()
    return model, (x[:600], y[:600]), (x[600:], y[600:])


@app.train()
def train(message: Message, context: Context) -> Message:
    model, (x, y), _ = load(message, context)
    model.fit(x, y)
    arrays = ArrayRecord([model.coef_, model.intercept_])
    metrics = MetricRecord({"num-examples": len(y)})
    return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    model, _, (x, y) = load(message, context)
    right = (x @ model.coef_.T + model.intercept_).argmax(axis=1) == y
    metrics = MetricRecord({"num-examples": len(y), "accuracy": float(right.mean())})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
