//! The object that a request is about.

use std::marker::PhantomData;

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde::Deserialize;

use crate::app::App;
use crate::names::ObjectKey;
use crate::objects::Served;
use crate::problem::Problem;

/// The object of one kind that a path names.
#[derive(Debug)]
pub struct Named<R> {
    pub key: ObjectKey,
    kind: PhantomData<R>,
}

impl<R: Served> FromRequestParts<App> for Named<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path: Result<Path<PathNames>, PathRejection> =
            Path::from_request_parts(parts, app).await;
        let Path(PathNames { namespace, name }) = path?;
        Ok(Self { key: ObjectKey::checked(&namespace, &name)?, kind: PhantomData })
    }
}

#[derive(Deserialize)]
struct PathNames {
    namespace: String,
    name: String,
}
