//! The description of the interface, for programs.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;

use crate::app::App;
use crate::error::Rejection;
use crate::request::Call;
use crate::response::{self, Response};

const DESCRIPTION: &str = include_str!("openapi.json");

/// The description as OpenAPI 3.1.
pub(crate) async fn openapi(_: Arc<App>, _: Call) -> Result<Response, Rejection> {
    let text = Bytes::from_static(DESCRIPTION.as_bytes());
    Ok(response::json_text(StatusCode::OK, text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::DESCRIPTION;
    use crate::router::ROUTES;

    fn description() -> Value {
        serde_json::from_str(DESCRIPTION).unwrap_or_default()
    }

    #[test]
    fn the_description_names_exactly_the_routes_and_who_may_use_them() {
        let served: BTreeSet<(String, String, bool)> = ROUTES
            .iter()
            .map(|route| {
                let path = route.pattern.replace("...}", "}");
                (path, route.method.as_str().to_lowercase(), route.needs_user())
            })
            .collect();
        let description = description();
        let paths = description["paths"].as_object().into_iter().flatten();
        let described = paths.flat_map(|(path, methods)| {
            let methods = methods.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| {
                let needs_user = operation["security"].as_array().is_some_and(|s| !s.is_empty());
                (path.clone(), method.clone(), needs_user)
            })
        });
        assert_eq!(described.collect::<BTreeSet<_>>(), served);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        let description = description();
        let (mut references, mut names) = (Vec::new(), Vec::new());
        visit(&description, &mut |key, value| match (key, value) {
            ("$ref", Value::String(target)) => references.push(target.clone()),
            ("operationId", Value::String(name)) => names.push(name.clone()),
            _ => {}
        });
        assert!(!references.is_empty());
        for target in references {
            assert!(description.pointer(target.trim_start_matches('#')).is_some(), "{target}");
        }
        let distinct: BTreeSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    fn visit(value: &Value, see: &mut impl FnMut(&str, &Value)) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| {
                see(key, value);
                visit(value, see);
            }),
            Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
            _ => {}
        }
    }
}
