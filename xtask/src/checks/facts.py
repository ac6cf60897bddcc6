"""Prints what this environment's flwr has on the wire and on the command line, one fact a line."""

import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import flwr
import flwr.proto

PROGRAMS = [
    "flower-superlink",
    "flower-supernode",
    "flower-superexec",
    "flwr-serverapp",
    "flwr-clientapp",
]


def enum(descriptor):
    for value in descriptor.values:
        print(f"enum {descriptor.full_name}: {value.number} {value.name}")


def message(descriptor):
    for field in descriptor.fields:
        kind = field.message_type or field.enum_type
        of = f" {kind.full_name}" if kind else ""
        # Labels and types by their numbers in descriptor.proto, which all versions of protobuf have.
        repeated = " repeated" if field.label == field.LABEL_REPEATED else ""
        print(f"message {descriptor.full_name}: {field.number} {field.name} type {field.type}{of}{repeated}")
    for nested in descriptor.nested_types:
        message(nested)
    for nested in descriptor.enum_types:
        enum(nested)


def descriptors():
    for module in pkgutil.iter_modules(flwr.proto.__path__):
        if not module.name.endswith("_pb2"):
            continue
        file = importlib.import_module(f"flwr.proto.{module.name}").DESCRIPTOR
        for name in file.message_types_by_name:
            message(file.message_types_by_name[name])
        for name in file.enum_types_by_name:
            enum(file.enum_types_by_name[name])
        for service in file.services_by_name.values():
            for method in service.methods:
                print(f"call {service.full_name}/{method.name}: {method.input_type.name}, {method.output_type.name}")


def routes():
    """HTTP paths and flags stand in the text of the package."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in Path(flwr.__file__).parent.rglob("*.py"))
    for route in re.findall(r'"(/v1/[a-z/-]+)"', text):
        print(f"route {route}")
    for variable in re.findall(r"\bFLWR_[A-Z0-9_]+\b", text):
        print(f"name {variable}")


def flags():
    for program in PROGRAMS:
        path = Path(sys.executable).parent / program
        if not path.exists():
            continue
        said = subprocess.run([path, "--help"], capture_output=True, text=True, check=False).stdout
        for flag in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", said):
            print(f"flag {program} {flag}")


descriptors()
routes()
flags()
