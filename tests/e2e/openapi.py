"""docs/api/openapi.json, read: operations, what each may answer, and a validator of the part of JSON Schema that it uses."""

import json
import os
import re

import harness

PATH = os.path.join("docs", "api", "openapi.json")
METHODS = ("get", "post", "put", "patch", "delete")
PROBLEM = "application/problem+json"


class Document:
    def __init__(self):
        with open(os.path.join(harness.SOURCE, PATH), encoding="utf-8") as f:
            self.root = json.load(f)
        self.operations = [Operation(self, method, path, item) for path, methods in self.root["paths"].items()
                           for method, item in methods.items()]

    def follow(self, item):
        """A $ref to the end; what is none as it is."""
        while isinstance(item, dict) and "$ref" in item:
            node = self.root
            for part in item["$ref"].removeprefix("#/").split("/"):
                node = node[part]
            item = node
        return item

    def named(self, name):
        return next(o for o in self.operations if o.name == name)

    def errors(self, schema, value, at=""):
        """What is wrong with a value, one line each."""
        return list(check(self, schema, value, at))

    def codes(self, response):
        """The codes that a problem response may carry."""
        for part in self.follow(response)["content"][PROBLEM]["schema"]["allOf"]:
            if "properties" in part:
                return part["properties"]["code"]["enum"]
        raise KeyError("a problem without its codes")


class Operation:
    def __init__(self, document, method, path, item):
        self.document, self.method, self.path, self.item = document, method.upper(), path, item
        self.name = item["operationId"]
        self.parameters = [document.follow(p) for p in item.get("parameters", [])]
        self.names = {p["name"] for p in self.parameters}
        self.token = bool(item["security"]) and {} not in item["security"]
        self.token_maybe = {} in item["security"]
        self.body = next(iter(item["requestBody"]["content"].items()), None) if "requestBody" in item else None
        self.responses = {int(status): document.follow(r) for status, r in item["responses"].items()}

    def __repr__(self):
        return f"{self.method} {self.path}"

    @property
    def answers(self):
        """(status, code) of every answer it may give; success has no code."""
        out = set()
        for status, response in self.responses.items():
            out |= {(status, code) for code in self.document.codes(response)} if status >= 400 else {(status, None)}
        return out

    def check(self, answer):
        """Holds an answer against the document; returns (status, code). Raises AssertionError with the reason."""
        response = self.responses.get(answer.status)
        assert response, f"{self}: status {answer.status} is not documented: {answer.body[:300]}"
        for name, header in response.get("headers", {}).items():
            header = self.document.follow(header)
            value = answer.headers.get(name)
            assert value is not None or not header.get("required"), f"{self} {answer.status}: no header {name}"
            if value is not None:
                typed = int(value) if header["schema"]["type"] == "integer" else value
                self._good(header["schema"], typed, f"{answer.status} header {name}")
        for name in ("Bourn-Receipt", "ETag"):
            assert name not in answer.headers or name in response["headers"] or answer.status >= 400, f"{self}: header {name}"
        content = response.get("content")
        if content is None:
            assert answer.body == b"" and answer.headers.get("Content-Type") is None, f"{self}: {answer.status} has a body"
            return answer.status, None
        assert answer.headers.get("Content-Type") in content, f"{self}: {answer.headers.get('Content-Type')}"
        media = content[answer.headers.get("Content-Type")]
        if "x-line" in media:
            lines = answer.body.decode().splitlines(keepends=True)
            assert all(line.endswith("\n") for line in lines), f"{self}: a line is cut"
            for line in lines:
                self._good(media["x-line"], json.loads(line), str(answer.status))
        elif "schema" in media:
            value = json.loads(answer.body)
            self._good(media["schema"], value, str(answer.status))
            if answer.status >= 400:
                return answer.status, value["code"]
        return answer.status, None

    def _good(self, schema, value, where):
        wrong = self.document.errors(schema, value)
        assert not wrong, f"{self} {where}: {wrong[:3]} in {json.dumps(value)[:300]}"


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
KNOWN = {"$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "const", "pattern", "minimum",
         "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "oneOf", "allOf",
         "dependentRequired", "description"}


def is_type(value, name):
    if name in ("integer", "number"):
        return isinstance(value, (int, float) if name == "number" else int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def check(document, schema, value, at):
    """The part of JSON Schema (2020-12) that the document uses; an unknown keyword is an error of the document."""
    schema = document.follow(schema)
    if unknown := set(schema) - KNOWN:
        raise ValueError(f"keywords {unknown} are not understood here")
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(is_type(value, t) for t in types):
        yield f"{at}: not of type {types}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{at}: not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str):
        yield from size(schema, "Length", len(value), at)
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{at}: {value!r} does not match {schema['pattern']}"
    if is_type(value, "number"):
        yield from size(schema, "imum", value, at)
    if isinstance(value, list):
        yield from size(schema, "Items", len(value), at)
        for i, item in enumerate(value):
            yield from check(document, schema.get("items", {}), item, f"{at}/{i}")
    if isinstance(value, dict):
        yield from members(document, schema, value, at)
    for part in schema.get("allOf", []):
        yield from check(document, part, value, at)
    if "oneOf" in schema:
        fits = sum(not list(check(document, part, value, at)) for part in schema["oneOf"])
        if fits != 1:
            yield f"{at}: fits {fits} of the alternatives"


def size(schema, what, n, at):
    if n < schema.get("min" + what, n) or n > schema.get("max" + what, n):
        yield f"{at}: {what} {n}"


def members(document, schema, value, at):
    yield from size(schema, "Properties", len(value), at)
    for name in schema.get("required", []):
        if name not in value:
            yield f"{at}: no {name}"
    for name, needs in schema.get("dependentRequired", {}).items():
        if name in value and any(n not in value for n in needs):
            yield f"{at}: {name} without {needs}"
    more = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in schema.get("properties", {}):
            yield from check(document, schema["properties"][name], item, f"{at}/{name}")
        elif more is False:
            yield f"{at}: {name} is not declared"
        elif more is not True:
            yield from check(document, more, item, f"{at}/{name}")
