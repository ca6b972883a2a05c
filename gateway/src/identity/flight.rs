//! One answer for all who ask the same at the same time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// Questions that are being asked. There are no more of them than there are requests.
#[derive(Debug)]
pub struct Flights<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Copy, V: Clone> Flights<K, V> {
    /// The answer to a question, which the first who wants it asks. Who comes meanwhile waits for the same answer; when
    /// the first one goes away, the next one asks anew.
    pub async fn answer(&self, question: K, ask: impl Future<Output = V>) -> V {
        let place = Place::take(&self.0, question);
        place.cell.get_or_init(|| ask).await.clone()
    }
}

/// Somebody who waits for an answer. The last one to go takes the question along.
struct Place<'flights, K: Eq + Hash, V> {
    all: &'flights Mutex<HashMap<K, Arc<OnceCell<V>>>>,
    question: K,
    cell: Arc<OnceCell<V>>,
}

impl<'flights, K: Eq + Hash + Copy, V> Place<'flights, K, V> {
    fn take(all: &'flights Mutex<HashMap<K, Arc<OnceCell<V>>>>, question: K) -> Self {
        let mut asked = all.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = Arc::clone(asked.entry(question).or_default());
        Self { all, question, cell }
    }
}

impl<K: Eq + Hash, V> Drop for Place<'_, K, V> {
    fn drop(&mut self) {
        let mut asked = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        // Places are taken under the lock: the table's and ours are all there are.
        if Arc::strong_count(&self.cell) == 2 {
            asked.remove(&self.question);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::{FutureExt, join_all, pending};

    use super::*;

    #[tokio::test]
    async fn all_get_the_answer_of_the_first() {
        let flights = Flights::default();
        let ask = |number| async move {
            tokio::task::yield_now().await;
            number
        };
        let same = join_all((0..40).map(|number| flights.answer('a', ask(number))));
        let (same, other) = tokio::join!(same, flights.answer('b', ask(41)));
        assert_eq!((same, other), (vec![0; 40], 41));
        assert!(flights.0.lock().unwrap().is_empty());
        assert_eq!(flights.answer('a', ask(7)).await, 7, "nothing is remembered");
    }

    #[tokio::test]
    async fn when_the_first_goes_away_the_next_one_asks() {
        let flights = Flights::default();
        let mut first = Box::pin(flights.answer('a', pending()));
        assert_eq!(first.as_mut().now_or_never(), None);
        let mut second = Box::pin(flights.answer('a', std::future::ready(2)));
        assert_eq!(second.as_mut().now_or_never(), None);
        drop(first);
        assert_eq!(second.await, 2);
        assert!(flights.0.lock().unwrap().is_empty());
    }
}
