//! The cluster under test, and namespaces that clean up after themselves.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace as CoreNamespace, Pod, ServiceAccount};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;

/// How long any single condition may take: a cold image start on two busy cores is the slowest.
pub const DEADLINE: Duration = Duration::from_mins(2);

/// Where the chart puts the operator and the gateway.
pub const SYSTEM_NAMESPACE: &str = "fabrica-system";

/// A connection to the cluster that `KUBECONFIG` names, as its administrator.
#[derive(Clone)]
pub struct Cluster {
    pub client: Client,
}

impl Debug for Cluster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Cluster")
    }
}

impl Cluster {
    /// Connects, or says how to get a cluster.
    pub async fn connect() -> Result<Self> {
        // A second installation fails when tests of one binary share the process: the first one stands.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        if std::env::var_os("KUBECONFIG").is_none() {
            bail!("KUBECONFIG is not set: run `make up`, then `eval \"$(make -s env)\"`");
        }
        let client = Client::try_default().await.context("read KUBECONFIG")?;
        Ok(Self { client })
    }

    /// A namespaced API.
    pub fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Pods of one of our Deployments, by component label.
    pub async fn component_pods(&self, component: &str) -> Result<Vec<Pod>> {
        let selector =
            format!("app.kubernetes.io/name=fabrica,app.kubernetes.io/component={component}");
        let pods = self
            .api::<Pod>(SYSTEM_NAMESPACE)
            .list(&ListParams::default().labels(&selector))
            .await?;
        Ok(pods.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect())
    }

    /// A token of a ServiceAccount, good for ten minutes.
    pub async fn token(&self, namespace: &str, account: &str) -> Result<String> {
        let request: TokenRequest =
            serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": 600}}))?;
        let answer = self
            .api::<ServiceAccount>(namespace)
            .create_token_request(account, &PostParams::default(), &request)
            .await?;
        answer.status.map(|status| status.token).ok_or_else(|| anyhow!("no token was issued"))
    }
}

/// Whether a pod can be used, as its kubelet says.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|found| found.type_ == "Ready" && found.status == "True")
}

/// A namespace for one test. Deleted by [`with_namespace`], whatever the test did.
#[derive(Debug, Clone)]
pub struct Namespace {
    pub cluster: Cluster,
    pub name: String,
}

impl Namespace {
    /// An API of this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        self.cluster.api(&self.name)
    }

    /// Creates an object from a manifest without its namespace.
    pub async fn create<K>(&self, manifest: serde_json::Value) -> Result<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + serde::Serialize,
    {
        let object: K = serde_json::from_value(manifest)?;
        Ok(self.api::<K>().create(&PostParams::default(), &object).await?)
    }

    /// A ServiceAccount bound to a ClusterRole in this namespace, and its token.
    pub async fn user(&self, name: &str, role: &str) -> Result<String> {
        self.create::<ServiceAccount>(json!({"metadata": {"name": name}})).await?;
        self.create::<k8s_openapi::api::rbac::v1::RoleBinding>(json!({
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": self.name}],
        }))
        .await?;
        self.cluster.token(&self.name, name).await
    }
}

/// Runs a test in a namespace of its own and deletes the namespace afterwards, also when the test panics.
pub async fn with_namespace<F, Fut>(test: F)
where
    F: FnOnce(Namespace) -> Fut,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let cluster = Cluster::connect().await.expect("a cluster");
    let name = format!("test-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let spaces: Api<CoreNamespace> = Api::all(cluster.client.clone());
    let object: CoreNamespace = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {
            "fabrica-e2e": "true",
            "pod-security.kubernetes.io/enforce": "restricted",
        }},
    }))
    .expect("a namespace manifest");
    spaces.create(&PostParams::default(), &object).await.expect("create the namespace");
    let namespace = Namespace { cluster, name: name.clone() };
    // Its own task, so that a panic comes back as a value and the clean-up below still runs.
    let outcome = tokio::spawn(test(namespace.clone())).await;
    let report = match &outcome {
        Ok(Ok(())) => None,
        _ => Some(describe(&namespace).await),
    };
    let deleted = spaces.delete(&name, &DeleteParams::default()).await;
    match outcome {
        Ok(Ok(())) => {
            deleted.expect("delete the namespace");
        }
        Ok(Err(error)) => panic!("{error:?}\n{}", report.unwrap_or_default()),
        Err(panic) => {
            eprintln!("{}", report.unwrap_or_default());
            std::panic::resume_unwind(panic.into_panic())
        }
    }
}

/// What stood in the namespace when a test failed: the first thing its reader would ask for.
async fn describe(namespace: &Namespace) -> String {
    let sessions = namespace.api::<fabrica_crds::Session>().list(&ListParams::default()).await;
    let pods = namespace.api::<Pod>().list(&ListParams::default()).await;
    let mut text = String::from("--- the namespace at that moment ---\n");
    for session in sessions.map(|list| list.items).unwrap_or_default() {
        text.push_str(
            &json!({"session": session.metadata.name, "status": session.status}).to_string(),
        );
        text.push('\n');
    }
    for pod in pods.map(|list| list.items).unwrap_or_default() {
        text.push_str(&json!({"pod": pod.metadata.name, "status": pod.status}).to_string());
        text.push('\n');
    }
    text
}

/// Waits until the object satisfies the condition, at most [`DEADLINE`]; the error shows what it was last.
pub async fn wait_for<K>(
    api: &Api<K>,
    name: &str,
    what: &str,
    condition: impl Fn(Option<&K>) -> bool + Send + Sync,
) -> Result<Option<K>>
where
    K: Clone + Debug + Send + DeserializeOwned + Resource + serde::Serialize + 'static,
{
    let waiting = await_condition(api.clone(), name, |object: Option<&K>| condition(object));
    if let Ok(found) = tokio::time::timeout(DEADLINE, waiting).await {
        return Ok(found?);
    }
    let last = api.get_opt(name).await?;
    bail!("{name} did not become «{what}» in {DEADLINE:?}; it is {}", serde_json::to_string(&last)?)
}

/// Waits until the object is gone.
pub async fn wait_gone<K>(api: &Api<K>, name: &str) -> Result<()>
where
    K: Clone + Debug + Send + DeserializeOwned + Resource + serde::Serialize + 'static,
{
    wait_for(api, name, "gone", |object| object.is_none()).await.map(|_| ())
}

/// Polls a question that no watch answers, with a deadline.
pub async fn eventually<T, F, Fut>(what: &str, question: F) -> Result<T>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    /// Between two looks: short beside anything asked for, long beside one request.
    const PERIOD: Duration = Duration::from_millis(100);
    let mut ticks = tokio::time::interval(PERIOD);
    let started = tokio::time::Instant::now();
    loop {
        ticks.tick().await;
        let last = question().await;
        match last {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) | Err(_) if started.elapsed() < DEADLINE => {}
            Ok(None) => bail!("«{what}» did not come true in {DEADLINE:?}"),
            Err(error) => return Err(error.context(format!("«{what}» did not come true"))),
        }
    }
}
