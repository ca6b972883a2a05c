//! Every route, and the headers that every answer carries.

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::identity::login;
use crate::sessions::{list, write};

/// The documented routes and their document.
pub fn api() -> (Router<App>, OpenApi) {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(login::logout))
        .routes(routes!(login::me))
        .routes(routes!(list::list_all))
        .routes(routes!(list::list_in_namespace, write::create_session))
        .routes(routes!(write::get_session, write::delete_session))
        .routes(routes!(write::suspend_session))
        .routes(routes!(write::resume_session))
        .split_for_parts()
}
