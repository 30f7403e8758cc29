"""``additionalModelRequestFields``, checked against the schema the model publishes (upstream-protocol §1.10, §8.1)."""

from __future__ import annotations

from kiro_rs_py.convert.anthropic import Json, JsonObject
from kiro_rs_py.simulator.models import SimulatedModel
from kiro_rs_py.simulator.refusal import invalid


def check_extra_fields(fields: Json, model: SimulatedModel) -> None:
    """Raises the service's refusal; absent fields are always fine."""
    if fields is None:
        return
    schema = model.fields_schema()
    if schema is None:
        raise invalid("REQUEST_BODY_INVALID", "additionalModelRequestFields is not supported for this model")
    if not conforms(fields, schema):
        raise invalid("REQUEST_BODY_INVALID", "Invalid additionalModelRequestFields")


def conforms(value: Json, schema: JsonObject) -> bool:
    """The few keywords those schemas use: type, properties (closed), enum, minimum, maximum."""
    enum = schema.get("enum")
    if isinstance(enum, list) and value not in enum:
        return False
    match schema["type"]:
        case "object":
            properties = schema["properties"]
            if not isinstance(value, dict) or not isinstance(properties, dict) or not value.keys() <= properties.keys():
                return False
            children = [(child, properties[key]) for key, child in value.items()]
            return all(isinstance(below, dict) and conforms(child, below) for child, below in children)
        case "integer":
            low, high = schema["minimum"], schema["maximum"]
            if not isinstance(low, int) or not isinstance(high, int):
                return False
            return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        case _:
            return isinstance(value, str)
