//! The Session that a request is about.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde::Deserialize;

use crate::app::App;
use crate::names::SessionKey;
use crate::problem::Problem;

/// The Session that a path names.
#[derive(Debug)]
pub struct Named(pub SessionKey);

impl FromRequestParts<App> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path: Result<Path<PathNames>, PathRejection> =
            Path::from_request_parts(parts, app).await;
        let Path(PathNames { namespace, name }) = path?;
        Ok(Self(SessionKey::checked(&namespace, &name)?))
    }
}

#[derive(Deserialize)]
struct PathNames {
    namespace: String,
    name: String,
}
