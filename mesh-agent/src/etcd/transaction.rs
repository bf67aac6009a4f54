//! Transactions: conditions, and the changes to make if all of them hold.

use super::keys::end_of;
use proto::etcd as pb;
use proto::etcd::compare::{CompareResult, CompareTarget, TargetUnion};
use proto::etcd::request_op::Request;

/// The most operations in a transaction; etcd's default limit is 128.
pub(super) const MAX_OPERATIONS: usize = 100;

#[derive(Default)]
pub(super) struct Transaction(pb::TxnRequest);

impl Transaction {
    fn when(
        mut self,
        key: &str,
        end: Vec<u8>,
        result: CompareResult,
        target: CompareTarget,
        value: TargetUnion,
    ) -> Self {
        self.0.compare.push(pb::Compare {
            result: result.into(),
            target: target.into(),
            key: key.into(),
            range_end: end,
            target_union: Some(value),
        });
        self
    }

    /// The key was last changed at this revision; 0: it does not exist.
    pub(super) fn unchanged(self, key: &str, revision: i64) -> Self {
        let value = TargetUnion::ModRevision(revision);
        self.when(key, Vec::new(), CompareResult::Equal, CompareTarget::Mod, value)
    }

    pub(super) fn absent(self, key: &str) -> Self {
        let value = TargetUnion::CreateRevision(0);
        self.when(key, Vec::new(), CompareResult::Equal, CompareTarget::Create, value)
    }

    /// No key begins with this, but perhaps for one.
    pub(super) fn none_but(self, prefix: &str, exception: Option<&str>) -> Self {
        let nothing = || TargetUnion::CreateRevision(0);
        let (equal, create) = (CompareResult::Equal, CompareTarget::Create);
        match exception {
            None => self.when(prefix, end_of(prefix), equal, create, nothing()),
            Some(key) => self.when(prefix, key.into(), equal, create, nothing()).when(
                &format!("{key}\0"),
                end_of(prefix),
                equal,
                create,
                nothing(),
            ),
        }
    }

    /// The key exists, with this lease.
    pub(super) fn leased(self, key: &str, lease: i64) -> Self {
        let value = TargetUnion::Lease(lease);
        self.when(key, Vec::new(), CompareResult::Equal, CompareTarget::Lease, value)
    }

    pub(super) fn exists(self, key: &str) -> Self {
        let value = TargetUnion::CreateRevision(0);
        self.when(key, Vec::new(), CompareResult::Greater, CompareTarget::Create, value)
    }

    /// Puts a key, with a lease unless that is 0.
    pub(super) fn put(mut self, key: &str, value: Vec<u8>, lease: i64) -> Self {
        let put = pb::PutRequest { key: key.into(), value, lease };
        self.0.success.push(pb::RequestOp { request: Some(Request::RequestPut(put)) });
        self
    }

    pub(super) fn delete(mut self, key: &str) -> Self {
        let delete = pb::DeleteRangeRequest { key: key.into(), range_end: Vec::new() };
        self.0.success.push(pb::RequestOp { request: Some(Request::RequestDeleteRange(delete)) });
        self
    }

    pub(super) fn request(self) -> pb::TxnRequest {
        self.0
    }
}
