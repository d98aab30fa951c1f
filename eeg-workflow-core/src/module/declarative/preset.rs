//! A block type that is another one with fixed values.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::manifest::Preset;
use super::place::Problem;
use crate::block::{
    Block, BlockError, BlockSpec, Context, Field, Inputs, Outputs, Parameters, Value,
};

/// Runs the inner block; its ports are the same, its fixed parameters are hidden.
pub(super) struct PresetBlock {
    spec: BlockSpec,
    inner: Arc<dyn Block>,
    fixed: Map<String, Json>,
}

impl PresetBlock {
    /// `spec` has the name, family and description.
    pub(super) fn new(
        mut spec: BlockSpec,
        preset: Preset,
        inner: Arc<dyn Block>,
    ) -> Result<Self, Problem> {
        let values = format!("{}/values", preset.pointer);
        let known = |name: &str| inner.spec().parameters().iter().any(|known| known.name == name);
        if let Some(name) = preset.values.keys().find(|name| !known(name)) {
            let text = format!("block \"{}\" has no parameter \"{name}\"", preset.target.name);
            return Err(Problem::new(values, text));
        }
        // What is left open may be empty until somebody fills it in.
        let is_fixed = |name: &str| preset.values.contains_key(name);
        let given = Parameters::resolve(inner.spec(), |name| preset.values.get(name));
        let wrong = given.err().unwrap_or_default();
        if let Some(error) = wrong.into_iter().find(|error| is_fixed(&error.name)) {
            return Err(Problem::new(values, error.to_string()));
        }

        let declared = inner.spec();
        for field in declared.fields() {
            spec = match field {
                Field::Input(port) => {
                    let edges = port.cardinality.min..=port.cardinality.max;
                    spec.input(&port.name, port.port_type.clone(), edges)
                }
                Field::Output(port) => {
                    let edges = port.cardinality.min..=port.cardinality.max;
                    spec.output_with(&port.name, port.port_type.clone(), edges)
                }
                Field::Parameter(parameter) if is_fixed(&parameter.name) => spec,
                Field::Parameter(parameter) => spec.with_parameter(parameter.clone()),
            };
        }
        spec = spec.with_volatility(declared.volatility()).with_execution(declared.execution());
        if declared.checks_own_values() {
            spec = spec.with_own_checks();
        }
        Ok(Self { spec, inner, fixed: preset.values })
    }
}

impl Block for PresetBlock {
    fn spec(&self) -> &BlockSpec {
        &self.spec
    }

    fn run(&self, cx: &Context<'_>, inputs: Inputs<'_>) -> Result<Outputs, BlockError> {
        let mut values = self.fixed.clone();
        for parameter in self.spec.parameters() {
            values.insert(parameter.name.clone(), to_json(cx.value(&parameter.name)));
        }
        let inner = self.inner.spec();
        let (parameters, errors) = Parameters::resolve_all(inner, |name| values.get(name));
        if let Some(error) = errors.into_iter().next()
            && !inner.checks_own_values()
        {
            return Err(BlockError::from_error(error));
        }
        let cx = Context { spec: self.inner.spec(), parameters: &parameters, ..*cx };
        self.inner.run(&cx, inputs)
    }
}

/// A parameter's value as the JSON that it was read from.
pub(super) fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(bool) => (*bool).into(),
        Value::Integer(integer) => (*integer).into(),
        Value::BigInteger(integer) => match u64::try_from(&**integer) {
            Ok(integer) => integer.into(),
            Err(_) => integer.to_string().into(),
        },
        Value::Float(float) => (*float).into(),
        Value::Text(text) => (&**text).into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => {
            let text = |key: &Value| key.as_text().map(str::to_owned).unwrap_or_default();
            Json::Object(entries.iter().map(|(key, v)| (text(key), to_json(v))).collect())
        }
        // No parameter holds arrays or objects.
        Value::None | Value::Object(_) => Json::Null,
        #[cfg(feature = "arrays")]
        Value::Array(_) => Json::Null,
    }
}
