//! Schemas that say more than the types do.

use schemars::{Schema, SchemaGenerator, json_schema};

/// How Kubernetes writes a quantity.
const QUANTITY: &str =
    r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$";
/// A time with its zone. `date-time` alone lets one without pass, which a reader cannot place, and one object that
/// cannot be read must not hide the others.
const TIME: &str =
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$";

/// Requests and limits, as strings or whole numbers: `cpu: 2` is what people write.
pub(super) fn resources(_: &mut SchemaGenerator) -> Schema {
    /// cpu, memory, ephemeral-storage, and room for what a cluster adds.
    const KINDS: u32 = 16;
    let quantities = |description: &str| {
        json_schema!({
            "type": "object",
            "description": description,
            "maxProperties": KINDS,
            "additionalProperties": {"x-kubernetes-int-or-string": true, "maxLength": 64, "pattern": QUANTITY},
        })
    };
    json_schema!({
        "type": "object",
        "nullable": true,
        "properties": {
            "requests": quantities("What the node sets aside for the Session."),
            "limits": quantities("What the Session can use at most. Above limits.memory it is killed."),
        },
    })
}

/// A point in time, with its zone.
pub(super) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "nullable": true, "pattern": TIME})
}
