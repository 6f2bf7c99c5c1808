//! Lists in pages, by cursor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Items asked for when nothing is said.
pub const DEFAULT_LIMIT: u32 = 100;
/// Most items of one page.
pub const MAX_LIMIT: u32 = 1000;

/// Which page of a list is wanted.
///
/// - `limit` is 1 to 1000.
/// - `cursor` is what the page before gave as `next_cursor`; its content is not for the caller to read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawPageRequest")]
pub struct PageRequest {
    cursor: Option<String>,
    limit: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPageRequest {
    cursor: Option<String>,
    limit: Option<u32>,
}

impl TryFrom<RawPageRequest> for PageRequest {
    type Error = Error;

    fn try_from(raw: RawPageRequest) -> Result<Self> {
        PageRequest::new(raw.cursor, raw.limit)
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        PageRequest { cursor: None, limit: DEFAULT_LIMIT }
    }
}

impl PageRequest {
    /// A checked request; `None` means from the start, 100 items.
    pub fn new(cursor: Option<String>, limit: Option<u32>) -> Result<Self> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Error::Invalid(format!("`limit` is {limit}; it must be between 1 and {MAX_LIMIT}")));
        }
        Ok(PageRequest { cursor, limit })
    }

    /// Most items wanted.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Rows to fetch: one more than wanted tells whether another page follows.
    pub fn fetch_limit(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// The cursor of a list ordered by a text column, upwards; the empty text sorts before every name.
    pub fn after_text(&self) -> &str {
        self.cursor.as_deref().unwrap_or("")
    }

    /// The cursor of a list ordered by a number; `start` when there is none.
    pub fn after_number(&self, start: i64) -> Result<i64> {
        let Some(cursor) = &self.cursor else { return Ok(start) };
        cursor.parse().map_err(|_| {
            Error::Invalid("`cursor` is not one that this list gave out; start without it".into())
        })
    }
}

/// Some items of a list, and where the next page starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Given back as `cursor` for the next page; absent on the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of up to `fetch_limit` rows; `cursor_of` gives the ordering column of an item.
    pub fn of_rows(mut items: Vec<T>, request: &PageRequest, cursor_of: impl Fn(&T) -> String) -> Self {
        let limit = request.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(cursor_of) } else { None };
        Page { items, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, PageRequest};

    #[test]
    fn limits_are_checked() {
        assert!(PageRequest::new(None, Some(0)).is_err());
        assert!(PageRequest::new(None, Some(1001)).is_err());
        assert_eq!(PageRequest::new(None, None).unwrap().limit(), 100);
        assert!(PageRequest::new(Some("x".into()), None).unwrap().after_number(0).is_err());
    }

    #[test]
    fn a_cursor_appears_only_when_more_follows() {
        let request = PageRequest::new(None, Some(2)).unwrap();
        let full = Page::of_rows(vec![1, 2, 3], &request, ToString::to_string);
        assert_eq!((full.items, full.next_cursor.as_deref()), (vec![1, 2], Some("2")));
        let last = Page::of_rows(vec![1, 2], &request, ToString::to_string);
        assert_eq!((last.items.len(), last.next_cursor), (2, None));
    }
}
