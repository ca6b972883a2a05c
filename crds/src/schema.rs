//! Schemas that say more than the types do.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::parts::Message;

/// How Kubernetes writes a quantity.
const QUANTITY: &str =
    r"^[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$";
/// A time with its zone. `date-time` alone lets one without pass, which a reader cannot place, and one object that
/// cannot be read must not hide the others.
const TIME: &str =
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$";

/// Requests and limits of a Session.
pub(crate) fn session_resources(_: &mut SchemaGenerator) -> Schema {
    resources("Session")
}

/// Requests and limits of a Run.
pub(crate) fn run_resources(_: &mut SchemaGenerator) -> Schema {
    resources("Run")
}

/// Requests and limits, as strings or whole numbers: `cpu: 2` is what people write.
fn resources(whose: &str) -> Schema {
    /// cpu, memory, ephemeral-storage, and room for what a cluster adds.
    const KINDS: u32 = 16;
    let quantities = |description: String| {
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
            "requests": quantities(format!("What the node sets aside for the {whose}.")),
            "limits": quantities(format!("What the {whose} can use at most. Above limits.memory it is killed.")),
        },
    })
}

/// A point in time, with its zone.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "nullable": true, "pattern": TIME})
}

/// The messages of a Run.
pub(crate) fn run_messages(generator: &mut SchemaGenerator) -> Schema {
    let mut message = Message::json_schema(generator);
    message.insert("description".to_owned(), "One line of what happened.".into());
    if let Some(seq) = message.pointer_mut("/properties/seq") {
        seq["description"] = "Grows within a Run, over all attempts.".into();
    }
    json_schema!({"type": "array", "items": message})
}
