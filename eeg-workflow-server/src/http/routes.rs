//! The one table of what is served where.

use std::pin::Pin;
use std::sync::Arc;

use hyper::Method;

use crate::account_store::User;
use crate::http::metrics::RouteLabel;
use crate::http::rejection::Rejection;
use crate::http::request::Call;
use crate::http::resources::{
    admin, archives, artifacts, events, files, jobs, modules, openapi, schedule, service, users,
};
use crate::http::response::Response;
use crate::http::state::App;

pub(super) const HEALTH: &str = "/healthz";
pub(super) const METRICS: &str = "/metrics";

type Answer = Pin<Box<dyn Future<Output = Result<Response, Rejection>> + Send>>;

/// What answers a request.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// Anybody.
    Open(fn(Arc<App>, Call) -> Answer),
    /// Whoever is logged in: the router checks the token before.
    User(fn(Arc<App>, User, Call) -> Answer),
    /// An administrator.
    Admin(fn(Arc<App>, User, Call) -> Answer),
}

/// A method and an address, and what answers there.
pub(super) struct Route {
    pub(super) method: Method,
    /// `{name}` stands for one segment of the path, a last `{name...}` for one or more.
    pub(super) pattern: &'static str,
    pub(super) handler: Handler,
}

macro_rules! open {
    ($method:ident $pattern:literal => $handler:path) => {
        Route {
            method: Method::$method,
            pattern: $pattern,
            handler: Handler::Open(|app, call| Box::pin($handler(app, call))),
        }
    };
}

macro_rules! user {
    ($method:ident $pattern:literal => $handler:path) => {
        Route {
            method: Method::$method,
            pattern: $pattern,
            handler: Handler::User(|app, user, call| Box::pin($handler(app, user, call))),
        }
    };
}

macro_rules! admin {
    ($method:ident $pattern:literal => $handler:path) => {
        Route {
            method: Method::$method,
            pattern: $pattern,
            handler: Handler::Admin(|app, user, call| Box::pin($handler(app, user, call))),
        }
    };
}

/// Everything that is served. `HEAD` is answered wherever `GET` is, `OPTIONS` everywhere.
pub(super) static ROUTES: &[Route] = &[
    open!(POST "/api/users/register" => users::register),
    open!(POST "/api/users/login" => users::login),
    user!(POST "/api/users/reset" => users::reset),
    user!(PUT "/api/users/reset" => users::reset),
    user!(GET "/api/users/details" => users::details),
    user!(POST "/api/users/logout" => users::logout),
    user!(GET "/api/users/sessions" => users::sessions),
    user!(DELETE "/api/users/sessions" => users::end_other_sessions),
    user!(DELETE "/api/users/sessions/{id}" => users::end_session),
    admin!(GET "/api/admin/users" => admin::users),
    admin!(POST "/api/admin/users/{id}/disable" => admin::disable),
    admin!(POST "/api/admin/users/{id}/enable" => admin::enable),
    admin!(DELETE "/api/admin/users/{id}" => admin::delete),
    admin!(POST "/api/admin/invitations" => admin::invite),
    admin!(GET "/api/admin/jobs" => admin::jobs),
    admin!(POST "/api/admin/jobs/{id}/cancel" => admin::cancel),
    user!(POST "/api/workflow/schedule" => schedule::schedule),
    user!(GET "/api/workflow/schedule" => schedule::list),
    user!(DELETE "/api/workflow/schedule" => schedule::delete_finished),
    user!(POST "/api/workflow/validate" => schedule::validate),
    user!(POST "/api/workflow/jobs" => jobs::details_by_form),
    user!(GET "/api/workflow/jobs/{id}" => jobs::details),
    user!(DELETE "/api/workflow/jobs/{id}" => jobs::delete),
    user!(POST "/api/workflow/jobs/{id}/cancel" => jobs::cancel),
    user!(GET "/api/workflow/jobs/{id}/events" => events::events),
    user!(GET "/api/workflow/file/{job}/{name}" => artifacts::artifact),
    user!(POST "/api/workflow/upload" => modules::upload),
    user!(POST "/api/workflow/initialize" => modules::initialize),
    user!(GET "/api/workflow/initialize" => modules::initialize),
    user!(GET "/api/workflow/modules" => archives::list),
    user!(GET "/api/workflow/modules/{archive}" => archives::describe),
    user!(PUT "/api/workflow/modules/{archive}" => modules::replace),
    user!(DELETE "/api/workflow/modules/{archive}" => archives::remove),
    user!(GET "/api/files" => files::list),
    user!(POST "/api/files" => files::upload_many),
    user!(GET "/api/files/{path...}" => files::download),
    user!(PUT "/api/files/{path...}" => files::upload),
    user!(POST "/api/files/{path...}" => files::upload),
    user!(DELETE "/api/files/{path...}" => files::delete),
    open!(GET "/" => service::about),
    open!(GET "/healthz" => service::health),
    open!(GET "/metrics" => service::metrics),
    open!(GET "/api/openapi.json" => openapi::openapi),
];

/// The names of all routes, for the counters of requests.
pub(crate) fn labels() -> Vec<RouteLabel> {
    ROUTES
        .iter()
        .map(|route| RouteLabel { method: route.method.as_str(), pattern: route.pattern })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::{Handler, ROUTES};
    use crate::http::resources::openapi::DESCRIPTION;

    fn description() -> Value {
        serde_json::from_str(DESCRIPTION).unwrap_or_default()
    }

    #[test]
    fn the_description_names_exactly_the_routes_and_who_may_use_them() {
        let served: BTreeSet<(String, String, bool)> = ROUTES
            .iter()
            .map(|route| {
                let path = route.pattern.replace("...}", "}");
                (
                    path,
                    route.method.as_str().to_lowercase(),
                    !matches!(route.handler, Handler::Open(_)),
                )
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
