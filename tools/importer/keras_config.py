"""Reading a Keras model's configuration."""
from .errors import ImportFailure


def name_of(layer):
    config = layer.get("config")
    return str(layer.get("name") or (config.get("name") if isinstance(config, dict) else None)
               or layer.get("class_name"))


def numbered(kind, number):
    return kind if number == 0 else f"{kind}_{number}"


def are_sizes(values, count):
    return isinstance(values, (list, tuple)) and len(values) == count and all(
        type(value) is int and 0 <= value <= 1024 for value in values)


def is_operation(layer):
    return layer.get("class_name") in ("TFOpLambda", "SlicingOpLambda", "TrueDivide", "Divide") \
        or ".ops." in str(layer.get("module"))


def references(value):
    """[(layer, node, tensor)] of input_layers or output_layers: a list of such, or one, or by
    name."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list) or not value:
        raise ImportFailure("malformed configuration: a model without inputs or outputs")
    if isinstance(value[0], str):
        value = [value]
    return [reference(item) for item in value]


def reference(item):
    if not isinstance(item, list) or len(item) < 3 or not isinstance(item[0], str) \
            or type(item[1]) is not int or type(item[2]) is not int:
        raise ImportFailure(f"malformed configuration: {item!r:.60} is no reference to a layer")
    return item[0], item[1], item[2]


def lookup(values, reference):
    layer, node, tensor = reference
    outputs = values.get((layer, node))
    if outputs is None:
        return None
    if not 0 <= tensor < len(outputs):
        raise ImportFailure(f"malformed configuration: {layer} has no output {tensor}")
    return outputs[tensor]


def calls(layer):
    """[(references, arguments)] for every time that a layer is called; one for an input."""
    nodes = layer.get("inbound_nodes")
    if layer.get("class_name") == "InputLayer":
        return [([], {})]
    if not isinstance(nodes, list):
        raise ImportFailure(f"malformed configuration: {name_of(layer)} without inbound_nodes")
    return [_new_call(node) if isinstance(node, dict) else _old_call(node) for node in nodes]


# Of calls, the arguments: numbers: constants, in order; swapped: they come before the plane; named:
# others by name; index: between brackets, where the operation takes a part.

def _new_call(node):
    """Keras 3: {"args": [...], "kwargs": {...}} with __keras_tensor__ where a plane stands."""
    found, numbers, swapped = [], [], False

    def visit(item):
        nonlocal swapped
        if isinstance(item, dict) and item.get("class_name") == "__keras_tensor__":
            found.append(reference(item.get("config", {}).get("keras_history")))
            swapped = bool(numbers)
        elif isinstance(item, dict) and item.get("class_name") in ("__tensor__", "__numpy__"):
            numbers.append((item.get("config") or {}).get("value"))
        elif isinstance(item, (int, float)) and not isinstance(item, bool):
            numbers.append(item)
        elif isinstance(item, list):
            if item and all(isinstance(v, (int, float)) for v in item):
                numbers.append(item)
            else:
                for value in item:
                    visit(value)
    for item in node.get("args") or []:
        visit(item)
    for key in ("x1", "x2", "y"):
        if key in (node.get("kwargs") or {}):
            visit(node["kwargs"][key])
    args = node.get("args") or []
    return found, {"numbers": numbers, "swapped": swapped, "named": node.get("kwargs") or {},
                   "index": args[1] if len(args) > 1 else None}


def _old_call(node):
    """Keras 2: [["layer", 0, 0, {"y": 3.0}], ...], or one of them alone."""
    if isinstance(node, list) and node and isinstance(node[0], str):
        node = [node]
    if not isinstance(node, list):
        raise ImportFailure("malformed configuration: inbound_nodes")
    found, numbers, named, swapped = [], [], {}, False
    for item in node:
        if isinstance(item, list) and len(item) > 2 and item[0] == "_CONSTANT_VALUE":
            numbers.append(item[2])
            swapped = True
        else:
            found.append(reference(item))
        named.update(item[3] if len(item) > 3 and isinstance(item[3], dict) else {})
        for value in (item[3] if len(item) > 3 and isinstance(item[3], dict) else {}).values():
            if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
                found.append(reference(value))
            elif isinstance(value, (int, float)) and not isinstance(value, bool) \
                    or isinstance(value, list):
                numbers.append(value)
    return found, {"numbers": numbers, "swapped": swapped, "named": named,
                   "index": named.get("slice_spec")}
