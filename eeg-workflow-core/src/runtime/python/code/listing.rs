//! What a module's blocks declare, as the worker tells it: what is kept beside an archive, so
//! that no interpreter is needed to list its blocks.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::block::{BlockSpec, Execution, PortType, Volatility};

/// A module and its blocks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ListedModule {
    pub(crate) name: String,
    pub(crate) blocks: Vec<ListedBlock>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ListedBlock {
    pub(crate) name: String,
    family: String,
    description: String,
    fields: Vec<ListedField>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum ListedField {
    Input { name: String, r#type: String, min: i64, max: i64 },
    Output { name: String, r#type: String, min: i64, max: i64 },
    Parameter { name: String, r#type: String, default: Json, description: String },
}

/// More block types in one module are refused, and more fields of one.
const MOST: usize = 1000;

/// Reads what a worker tells, or what was kept of it.
pub(crate) fn read(listing: &Json) -> Result<Vec<ListedModule>, String> {
    let modules = Vec::<ListedModule>::deserialize(listing).map_err(|error| error.to_string())?;
    for module in &modules {
        if module.blocks.len() > MOST {
            return Err(format!("{} has more than {MOST} block types", module.name));
        }
        for block in &module.blocks {
            if block.fields.len() > MOST {
                return Err(format!("block \"{}\" has more than {MOST} fields", block.name));
            }
            for field in &block.fields {
                if let ListedField::Input { name, min, max, .. }
                | ListedField::Output { name, min, max, .. } = field
                    && (u32::try_from(*min).is_err() || u32::try_from(*max).is_err() || min > max)
                {
                    return Err(format!(
                        "block \"{}\": port \"{name}\" has the cardinality {min}-{max}",
                        block.name
                    ));
                }
            }
        }
    }
    Ok(modules)
}

impl ListedBlock {
    /// As the planner and designers take it.
    pub(crate) fn spec(&self) -> BlockSpec {
        let mut spec = BlockSpec::new(&self.name)
            .with_family(&self.family)
            .with_description(&self.description)
            .with_volatility(Volatility::Volatile)
            .with_execution(Execution::Wait)
            .with_own_checks();
        let count = |n: i64| u32::try_from(n).unwrap_or_default();
        for field in &self.fields {
            spec = match field {
                ListedField::Input { name, r#type, min, max } => {
                    spec.input(name, PortType::named(r#type.clone()), count(*min)..=count(*max))
                }
                ListedField::Output { name, r#type, min, max } => spec.output_with(
                    name,
                    PortType::named(r#type.clone()),
                    count(*min)..=count(*max),
                ),
                ListedField::Parameter { name, r#type, default, description } => spec.parameter(
                    name,
                    PortType::named(r#type.clone()),
                    default.clone(),
                    description,
                ),
            };
        }
        spec
    }
}
