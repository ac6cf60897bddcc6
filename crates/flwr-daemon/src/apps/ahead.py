# Begins with the imports that a program of Flower's begins with, in the program's order and before
# anything else is imported. The process is then as one that was started by the program's name.
import sys


def shows_token_in_metadata():
    """Whether the program's channel adds the token to each call (flwr 1.29 and later)."""
    makers = ("flwr.supernode.runtime.run_clientapp", "flwr.server.grid.grpc_grid")
    makers += ("flwr.superlink.grid.grpc_grid",)
    names = [name for maker in makers for name in vars(sys.modules.get(maker, object))]
    return any(name.endswith("TokenClientInterceptor") for name in names)


def main_module(program):
    """The module that the program is run in, with its imports done, and its code."""
    with open(program, "rb") as file:
        source = file.read()
    if not getattr(sys.flags, "safe_path", False):
        # The program's folder in place of the working directory.
        sys.path[0] = program.rpartition("/")[0]
    module = type(sys)("__main__")
    module.__file__ = program
    module.__builtins__ = __builtins__
    only_ast = 0x400
    tree = compile(source, program, "exec", only_ast)
    kinds = ("Import", "ImportFrom")
    ends = [index for index, node in enumerate(tree.body) if type(node).__name__ not in kinds]
    tree.body = tree.body[: ends[0] if ends else None]
    try:
        exec(compile(tree, program, "exec"), vars(module))
        if "grpc" in sys.modules:
            # The program has opened a channel when it comes to the app, at which gRPC imports this.
            __import__("grpc._channel")
            if shows_token_in_metadata():
                __import__("grpc._interceptor")
    except Exception:
        # The program will meet it too, or does not need it.
        pass
    return module, compile(source, program, "exec")


