"""The data owner's side."""

from flwr.client import ClientApp, NumPyClient

import task


class DigitsClient(NumPyClient):
    def __init__(self):
        self.model = task.new_model()
        self.train_data, self.test_data = task.load_data()

    def get_parameters(self, config):
        return task.get_parameters(self.model)

    def fit(self, parameters, config):
        task.set_parameters(self.model, parameters)
        task.train(self.model, *self.train_data)
        return task.get_parameters(self.model), len(self.train_data[1]), {}

    def evaluate(self, parameters, config):
        task.set_parameters(self.model, parameters)
        loss, accuracy = task.test(self.model, *self.test_data)
        return loss, len(self.test_data[1]), {"accuracy": accuracy}


def client_fn(_):
    return DigitsClient().to_client()


app = ClientApp(client_fn=client_fn)
