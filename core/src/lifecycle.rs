//! What a repository's content may grow to and how it ends: the ports of quotas, retention and removal,
//! joined for those who need all of them.

use crate::quota::QuotaStore;
use crate::removal::RemovalStore;
use crate::retention::RetentionStore;

/// All ports of the lifecycle.
pub trait LifecycleStore: QuotaStore + RemovalStore + RetentionStore {}

impl<T: QuotaStore + RemovalStore + RetentionStore> LifecycleStore for T {}
