//! The port of the audit.

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::MemoryStore;
use crate::artifact::{Page, StoreError};
use crate::audit::{AUDIT_PAGE_ROWS, AuditFilter, AuditKey, AuditRow, AuditStore, NewAuditRow, Seal};

#[async_trait]
impl AuditStore for MemoryStore {
    async fn page(
        &self,
        filter: &AuditFilter,
        before: Option<AuditKey>,
        limit: u32,
    ) -> Result<Page<AuditRow>, StoreError> {
        let rows = self.call()?;
        let wanted = |row: &&AuditRow| filter.admits(&row.told) && before.is_none_or(|before| row.key() < before);
        let mut items: Vec<_> = rows.audit.iter().filter(wanted).cloned().collect();
        items.sort_by_key(|row| std::cmp::Reverse(row.key()));
        Ok(Page::cut(items, limit.min(AUDIT_PAGE_ROWS) as usize))
    }

    async fn rows_after(
        &self,
        seq: i64,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let filter = AuditFilter { from, to, ..AuditFilter::default() };
        let rows = self.call()?;
        let wanted = rows.audit.iter().filter(|row| row.seq > seq && filter.admits(&row.told));
        Ok(wanted.take(AUDIT_PAGE_ROWS as usize).cloned().collect())
    }

    async fn record(&self, new: Vec<NewAuditRow>) -> Result<(), StoreError> {
        let mut rows = self.call()?;
        for told in new {
            let seq = rows.audit.last().map_or(0, |last| last.seq) + 1;
            rows.audit.push(AuditRow { seq, told });
        }
        Ok(())
    }

    async fn seals_after(&self, number: i64) -> Result<Vec<Seal>, StoreError> {
        let rows = self.call()?;
        let after = rows.seals.iter().filter(|seal| seal.number > number);
        Ok(after.take(AUDIT_PAGE_ROWS as usize).copied().collect())
    }

    async fn head(&self) -> Result<Option<Seal>, StoreError> {
        Ok(self.call()?.seals.last().copied())
    }

    async fn add_seal(&self, seal: Seal) -> Result<(), StoreError> {
        let mut rows = self.call()?;
        if rows.seals.iter().any(|there| there.number == seal.number) {
            return Err(StoreError::AlreadyExists);
        }
        rows.seals.push(seal);
        Ok(())
    }
}
