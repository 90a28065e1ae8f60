//! Pages of lists that follow ids: what `limit` and `cursor` ask for, and the cursor of the next page.

use keeper_core::artifact::Page;
use keeper_core::error::Failure;
use keeper_core::identity::Window;
use uuid::Uuid;

use super::cursor::{Filter, NextCursor};
use super::listing;

/// The part of the list that is asked for.
///
/// # Errors
/// `invalid_field` for a limit out of bounds, `invalid_cursor`.
pub(super) fn window(filter: &Filter, limit: u32, cursor: Option<&str>) -> Result<Window, Failure> {
    let limit = listing::limit(limit)?;
    let after = cursor.map(|cursor| filter.open(cursor)).transpose()?;
    Ok(Window { after, limit })
}

/// The cursor behind a page.
pub(super) fn next_cursor<T>(filter: &Filter, page: &Page<T>, key: impl Fn(&T) -> Uuid) -> NextCursor {
    let last = page.items.last().filter(|_| page.more);
    NextCursor(last.map(|last| filter.seal(key(last))))
}
