//! Who may talk to a pod, and whom it may talk to. Everything else is denied.

use std::collections::BTreeMap;

use fabrica_crds::names;
use fabrica_protocol::runtime::PORT;
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ObjectMeta;

use crate::config::{Egress, SessionDefaults};

/// Ranges that the public web is not in: private, link-local (so never a metadata service), shared and reserved.
const NOT_PUBLIC: [&str; 9] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
];
/// The same for IPv6, with the translated ranges (NAT64): they lead to the IPv4 ranges above.
const NOT_PUBLIC_V6: [&str; 6] =
    ["::/96", "64:ff9b::/96", "64:ff9b:1::/48", "fc00::/7", "fe80::/10", "ff00::/8"];

/// Makes a child's metadata a policy of the pods that carry this label.
pub(crate) fn network_policy(
    mut metadata: ObjectMeta,
    label: (&str, String),
    defaults: &SessionDefaults,
) -> NetworkPolicy {
    let spec = NetworkPolicySpec {
        pod_selector: Some(LabelSelector {
            match_labels: Some(BTreeMap::from([(label.0.to_owned(), label.1)])),
            ..LabelSelector::default()
        }),
        policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
        ingress: Some(vec![ingress(defaults)]),
        egress: Some(
            [dns(), web("0.0.0.0/0", &NOT_PUBLIC), web("::/0", &NOT_PUBLIC_V6)]
                .into_iter()
                .chain(defaults.egress.iter().map(extra))
                .collect(),
        ),
    };
    metadata.annotations =
        Some(BTreeMap::from([(names::TEMPLATE_HASH.to_owned(), super::hash(&spec))]));
    NetworkPolicy { metadata, spec: Some(spec) }
}

/// In: gateway and operator, to the runtime alone.
fn ingress(defaults: &SessionDefaults) -> NetworkPolicyIngressRule {
    let system = LabelSelector {
        match_labels: Some(BTreeMap::from([(
            "kubernetes.io/metadata.name".to_owned(),
            defaults.system_namespace.clone(),
        )])),
        ..LabelSelector::default()
    };
    let ours = LabelSelector {
        match_labels: Some(BTreeMap::from([(
            "app.kubernetes.io/name".to_owned(),
            "fabrica".to_owned(),
        )])),
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: "app.kubernetes.io/component".to_owned(),
            operator: "In".to_owned(),
            values: Some(vec!["gateway".to_owned(), "operator".to_owned()]),
        }]),
    };
    NetworkPolicyIngressRule {
        from: Some(vec![NetworkPolicyPeer {
            namespace_selector: Some(system),
            pod_selector: Some(ours),
            ip_block: None,
        }]),
        ports: Some(vec![port("TCP", PORT)]),
    }
}

fn dns() -> NetworkPolicyEgressRule {
    /// The port of DNS.
    const DNS: u16 = 53;
    NetworkPolicyEgressRule { to: None, ports: Some(vec![port("UDP", DNS), port("TCP", DNS)]) }
}

fn web(cidr: &str, except: &[&str]) -> NetworkPolicyEgressRule {
    /// The ports of HTTP and HTTPS.
    const WEB: [u16; 2] = [80, 443];
    NetworkPolicyEgressRule {
        to: Some(vec![block(cidr, except)]),
        ports: Some(WEB.into_iter().map(|number| port("TCP", number)).collect()),
    }
}

fn extra(egress: &Egress) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: Some(vec![block(&egress.cidr, &[])]),
        ports: (!egress.ports.is_empty())
            .then(|| egress.ports.iter().map(|number| port("TCP", *number)).collect()),
    }
}

fn block(cidr: &str, except: &[&str]) -> NetworkPolicyPeer {
    let except: Vec<_> = except.iter().map(|range| (*range).to_owned()).collect();
    NetworkPolicyPeer {
        ip_block: Some(IPBlock {
            cidr: cidr.to_owned(),
            except: (!except.is_empty()).then_some(except),
        }),
        ..NetworkPolicyPeer::default()
    }
}

fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(number.into())),
        end_port: None,
    }
}
