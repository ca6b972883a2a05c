//! What the kubeconfig tells: who one is, and where the gateway is.

use std::fmt::Debug;

use http::header::AUTHORIZATION;
use http::{Request, Response};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, ListParams};
use kube::client::Body;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tower::{Layer, Service as _, ServiceExt, service_fn};

/// What the chart labels its gateway with.
const GATEWAY: &str = "app.kubernetes.io/name=fabrica,app.kubernetes.io/component=gateway";

/// The kubeconfig told too little.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("the kubeconfig cannot be read")]
    Read(#[source] kube::config::KubeconfigError),
    #[error("the kubeconfig's way to log in does not work")]
    Login(#[source] kube::Error),
    #[error(
        "the kubeconfig holds no token, and the gateway takes nothing else: give one with --token or FABRICA_TOKEN, such as \
         --token \"$(kubectl create token SERVICEACCOUNT)\""
    )]
    NoToken,
    #[error("the API server cannot be reached")]
    Connect(#[source] kube::Error),
    #[error("the gateway was not found ({0}): say where it is with --url or FABRICA_URL")]
    NoGateway(String),
}

/// A kubeconfig's context.
pub struct Cluster {
    config: Config,
}

impl std::fmt::Debug for Cluster {
    /// Without keys and tokens.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// The current context, or another.
    pub async fn read(context: Option<String>) -> Result<Self, ClusterError> {
        let file = Kubeconfig::read().map_err(ClusterError::Read)?;
        let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
        let config = Config::from_custom_kubeconfig(file, &options).await;
        Ok(Self { config: config.map_err(ClusterError::Read)? })
    }

    /// Where one works when nothing else is said.
    pub fn namespace(&self) -> &str {
        &self.config.default_namespace
    }

    /// The bearer token that kubectl would send, also when a program or a file gives it.
    pub async fn token(&self) -> Result<String, ClusterError> {
        use kube::client::ConfigExt;
        let Some(layer) = self.config.auth_layer().map_err(ClusterError::Login)? else {
            return Err(ClusterError::NoToken);
        };
        let echo = service_fn(async |request: Request<Body>| {
            let mut response = Response::new(());
            *response.headers_mut() = request.headers().clone();
            Ok::<_, tower::BoxError>(response)
        });
        let mut login = layer.layer(echo);
        let ready = login.ready().await;
        let answer = match ready {
            Ok(ready) => ready.call(Request::new(Body::empty())).await,
            Err(error) => Err(error),
        };
        let answer = answer.map_err(|error| ClusterError::Login(kube::Error::Service(error)))?;
        let header = answer.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        header
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(ToOwned::to_owned)
            .ok_or(ClusterError::NoToken)
    }

    /// Where the chart's Ingress or Service leads.
    pub async fn gateway(&self) -> Result<String, ClusterError> {
        let client = Client::try_from(self.config.clone()).map_err(ClusterError::Connect)?;
        let node = self.config.cluster_url.host().unwrap_or("localhost");
        find(&client, self.namespace(), node).await
    }
}

/// The URL of the first Ingress, else of the first Service, that leads from outside to a gateway. Who may not list Ingresses may
/// list Services still.
async fn find(client: &Client, namespace: &str, node: &str) -> Result<String, ClusterError> {
    let no = |error: kube::Error| ClusterError::NoGateway(refusal(&error, namespace));
    let ingresses = match listed::<Ingress>(client, namespace).await {
        Err(error) if is_forbidden(&error) => Vec::new(),
        ingresses => ingresses.map_err(no)?,
    };
    if let Some(url) = ingresses.iter().find_map(ingress_url) {
        return Ok(url);
    }
    let services = listed::<Service>(client, namespace).await.map_err(no)?;
    services.iter().find_map(|service| service_url(service, node)).ok_or_else(|| {
        let way = services.first().map_or_else(
            || "nothing that you may see carries the chart's labels".to_owned(),
            |service| {
                format!(
                    "nothing leads to it from outside; try `kubectl --namespace {} port-forward service/{} 8080:80`",
                    service.namespace().unwrap_or_default(),
                    service.name_any()
                )
            },
        );
        ClusterError::NoGateway(way)
    })
}

/// What carries the chart's labels: in all namespaces, or for who may not look there, in this one.
async fn listed<K>(client: &Client, namespace: &str) -> kube::Result<Vec<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug,
{
    let selection = ListParams::default().labels(GATEWAY);
    let list = match Api::<K>::all(client.clone()).list(&selection).await {
        Err(error) if is_forbidden(&error) => {
            Api::<K>::namespaced(client.clone(), namespace).list(&selection).await
        }
        list => list,
    };
    list.map(|list| list.items)
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

/// The API server's words, without the request's.
fn refusal(error: &kube::Error, namespace: &str) -> String {
    if is_forbidden(error) {
        format!("you may list Services neither of all namespaces nor of {namespace}")
    } else {
        error.to_string()
    }
}

fn ingress_url(ingress: &Ingress) -> Option<String> {
    let spec = ingress.spec.as_ref()?;
    let host = spec.rules.iter().flatten().find_map(|rule| rule.host.as_deref())?;
    let tls = spec.tls.as_ref().is_some_and(|tls| !tls.is_empty());
    Some(format!("{}://{host}", if tls { "https" } else { "http" }))
}

/// A load balancer's address, or a port of every node, of which the API server's host is taken for one.
fn service_url(service: &Service, node: &str) -> Option<String> {
    let balancer = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let entry = balancer.and_then(|balancer| balancer.ingress.as_ref()?.first());
    let port = service.spec.as_ref()?.ports.as_ref()?.first()?;
    if let Some(host) = entry.and_then(|entry| entry.hostname.as_deref().or(entry.ip.as_deref())) {
        return Some(format!("http://{host}:{}", port.port));
    }
    port.node_port.map(|port| format!("http://{node}:{port}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    /// Paths, and the object that is there.
    type Allowed = &'static [(&'static str, &'static str)];

    /// An API server that answers these paths with one object each, and refuses all others.
    fn server(allowed: Allowed) -> Client {
        let answer = service_fn(move |request: Request<Body>| async move {
            let found = allowed.iter().find(|(path, _)| *path == request.uri().path());
            let (status, body) = match found {
                Some((_, items)) => (200, format!(r#"{{"metadata": {{}}, "items": [{items}]}}"#)),
                None => {
                    (403, r#"{"status": "Failure", "reason": "Forbidden", "code": 403}"#.to_owned())
                }
            };
            let answer = Response::builder().status(status).body(Body::from(body.into_bytes()));
            Ok::<_, tower::BoxError>(answer.unwrap())
        });
        Client::new(answer, "default")
    }

    const INGRESS: &str = r#"{"metadata": {}, "spec": {"rules": [{"host": "fabrica.test"}]}}"#;
    const SERVICE: &str =
        r#"{"metadata": {}, "spec": {"ports": [{"port": 80, "nodePort": 30080}]}}"#;

    #[rstest]
    #[case::all(&[("/apis/networking.k8s.io/v1/ingresses", INGRESS)], Ok("http://fabrica.test"))]
    #[case::own_namespace(&[("/apis/networking.k8s.io/v1/namespaces/mine/ingresses", INGRESS)], Ok("http://fabrica.test"))]
    #[case::services(&[("/api/v1/services", SERVICE)], Ok("http://node:30080"))]
    #[case::own_services(&[("/api/v1/namespaces/mine/services", SERVICE)], Ok("http://node:30080"))]
    #[case::nothing_there(&[("/api/v1/services", "")], Err("nothing that you may see"))]
    #[case::nothing_allowed(&[], Err("neither of all namespaces nor of mine"))]
    #[tokio::test]
    async fn the_gateway_is_found_where_one_may_look(
        #[case] allowed: Allowed,
        #[case] expected: Result<&str, &str>,
    ) {
        let found = find(&server(allowed), "mine", "node").await;
        match (found, expected) {
            (Ok(url), Ok(expected)) => assert_eq!(url, expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case::plain(json!({"rules": [{"host": "fabrica.test"}]}), Some("http://fabrica.test"))]
    #[case::tls(json!({"rules": [{"host": "fabrica.test"}], "tls": [{"secretName": "x"}]}), Some("https://fabrica.test"))]
    #[case::any_host(json!({"rules": [{}]}), None)]
    fn an_ingress_leads_to_its_host(#[case] spec: Value, #[case] url: Option<&str>) {
        let ingress = serde_json::from_value(json!({"metadata": {}, "spec": spec})).unwrap();
        assert_eq!(ingress_url(&ingress).as_deref(), url);
    }

    #[rstest]
    #[case::cluster(json!({"spec": {"ports": [{"port": 80}]}}), None)]
    #[case::node(json!({"spec": {"ports": [{"port": 80, "nodePort": 30080}]}}), Some("http://node:30080"))]
    #[case::balancer(
        json!({"spec": {"ports": [{"port": 80, "nodePort": 30080}]}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}),
        Some("http://192.0.2.1:80")
    )]
    fn a_service_leads_where_it_can_be_reached(#[case] object: Value, #[case] url: Option<&str>) {
        let service = serde_json::from_value(object).unwrap();
        assert_eq!(service_url(&service, "node").as_deref(), url);
    }
}
