"""Judges all examples of an OpenAPI 3.0 document by the schemas that they are examples of.

Usage: check_examples.py DOCUMENT; says how many it has seen.
"""

import json
import sys

from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

document = json.load(open(sys.argv[1]))
registry = Registry().with_resource("urn:document", Resource.from_contents(document, default_specification=DRAFT4))
seen, faults = 0, []


def judge(where, example, schema, validator):
    global seen
    seen += 1
    schema = json.loads(json.dumps(schema).replace('"#/', '"urn:document#/'))
    for fault in validator(schema, registry=registry).iter_errors(example):
        faults.append(f"{where}{''.join(f'[{part!r}]' for part in fault.path)}: {fault.message[:200]}")


def bodies(where, holder, validator):
    for kind, body in holder.get("content", {}).items():
        if "example" in body:
            schema = body["schema"]
            # The bytes of a file are in no example.
            if kind.startswith("multipart"):
                schema = {**schema, "required": [name for name in schema["required"] if name != "file"]}
            judge(f"{where} {kind}", body["example"], schema, validator)


for path, item in document["paths"].items():
    for method, operation in item.items():
        where = f"{method} {path}"
        for parameter in operation.get("parameters", []):
            judge(f"{where} {parameter['name']}", parameter["example"], parameter["schema"], OAS30WriteValidator)
        bodies(where, operation.get("requestBody", {}), OAS30WriteValidator)
        for status, answer in operation["responses"].items():
            bodies(f"{where} {status}", answer, OAS30ReadValidator)
components = document["components"]
for name, answer in components["responses"].items():
    bodies(name, answer, OAS30ReadValidator)
for name, schema in components["schemas"].items():
    for field, property in schema.get("properties", {}).items():
        if "example" in property:
            judge(f"{name}.{field}", property["example"], property, OAS30ReadValidator)

print("\n".join(faults))
print(f"{seen} examples, {len(faults)} faults")
sys.exit(bool(faults))
