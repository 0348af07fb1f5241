//! Where the buckets lie: in chunks that are allocated as they are needed and never move.
//!
//! This file refuses to know which user belongs in which bucket.

use std::sync::OnceLock;

use arc_swap::ArcSwapAny;
use triomphe::ThinArc;

use super::horizon::Horizons;

/// Slots of the first row; every row has twice as many as the one before.
const FIRST: usize = 64;

/// Most slots that are allocated at once, which bounds what one append may cost. Few and long
/// chunks, because where they lie has to be found in the cache: with 512 slots it was not, at 10^7
/// users, and a verification took 150 ns longer.
const CHUNK: usize = 8192;

/// More than memory could hold.
const ROWS: usize = 40;

pub(super) type Page = ThinArc<(), u8>;
pub(super) type Slot = ArcSwapAny<Option<Page>>;

/// All chunks, in rows that double.
pub(super) struct Rows([OnceLock<Box<[OnceLock<Chunk>]>>; ROWS]);

impl Default for Rows {
    fn default() -> Self {
        Self([const { OnceLock::new() }; ROWS])
    }
}

impl Rows {
    #[inline]
    pub(super) fn slot(&self, bucket: usize) -> Option<&Slot> {
        self.chunk(bucket).and_then(|(chunk, at)| chunk.pages.get(at))
    }

    #[inline]
    pub(super) fn chunk(&self, bucket: usize) -> Option<(&Chunk, usize)> {
        let (row, place, at) = place(bucket);
        let chunk = self.0.get(row)?.get()?.get(place)?.get()?;
        Some((chunk, at))
    }

    /// The chunk of a bucket, made if it is not there. There are always rows enough.
    pub(super) fn open(&self, bucket: usize) -> Option<(&Chunk, usize)> {
        let (row, place, at) = place(bucket);
        let buckets = FIRST << row;
        let chunks = self
            .0
            .get(row)?
            .get_or_init(|| (0..buckets.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect());
        Some((chunks.get(place)?.get_or_init(|| Chunk::new(buckets.min(CHUNK))), at))
    }
}

/// Buckets whose memory was allocated at once. Horizons lie apart from the pages: most questions
/// are settled by them, and the less memory those touch, the more of it stays in the caches.
pub(super) struct Chunk {
    pub(super) horizons: Box<[Horizons]>,
    pub(super) pages: Box<[Slot]>,
}

impl Chunk {
    fn new(buckets: usize) -> Self {
        let horizons = (0..buckets).map(|_| Horizons::default()).collect();
        Self { horizons, pages: (0..buckets).map(|_| Slot::new(None)).collect() }
    }

    /// Puts a page in its place, in one step for whoever reads, and sets the horizons.
    pub(super) fn put(&self, at: usize, page: &[u8]) {
        if let (Some(slot), Some(horizons)) = (self.pages.get(at), self.horizons.get(at)) {
            slot.store((!page.is_empty()).then(|| ThinArc::from_header_and_slice((), page)));
            horizons.set(page);
        }
    }
}

/// Row, chunk of the row and slot of the chunk.
#[inline]
fn place(bucket: usize) -> (usize, usize, usize) {
    let row = (bucket / FIRST + 1).ilog2() as usize;
    let at = bucket + FIRST - (FIRST << row);
    (row, at / CHUNK, at % CHUNK)
}

#[inline]
pub(super) fn bytes(page: Option<&Page>) -> &[u8] {
    page.map_or(&[], |page| &page.slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_has_a_place_of_its_own() {
        let mut places = std::collections::HashSet::new();
        assert!((0..100_000).all(|bucket| places.insert(place(bucket))));
    }

    #[test]
    fn a_bucket_is_where_it_was_opened_and_others_are_not_there() {
        let rows = Rows::default();
        for bucket in [0, 63, 64, 8191, 8192, 1_000_000] {
            let (opened, at) = rows.open(bucket).unwrap();
            opened.put(at, &[1, 2, 3]);
            let page = rows.slot(bucket).unwrap().load_full();
            assert_eq!(bytes(page.as_ref()), [1, 2, 3], "{bucket}");
        }
        assert!(rows.slot(500_000).is_none());
    }
}
