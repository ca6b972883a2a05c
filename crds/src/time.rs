//! The one place where Kubernetes times (jiff) become ours (chrono).

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A Kubernetes time as ours, to the second, which is all that Kubernetes keeps.
pub fn from_kubernetes(time: &Time) -> DateTime<Utc> {
    DateTime::from_timestamp(time.0.as_second(), 0).unwrap_or_default()
}

/// Our time as a Kubernetes one, to the second.
pub fn to_kubernetes(time: DateTime<Utc>) -> Time {
    Time(jiff::Timestamp::from_second(time.timestamp()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_the_way_there_and_back() {
        let time = DateTime::from_timestamp(1_767_268_800, 0).unwrap();
        assert_eq!(from_kubernetes(&to_kubernetes(time)), time);
    }
}
