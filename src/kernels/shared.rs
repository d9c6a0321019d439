//! `Shared`: a slice of which tasks write disjoint parts that are no contiguous chunks.

use std::marker::PhantomData;

/// A mutable slice that may be cut into disjoint parts from several threads.
pub(super) struct Shared<'a> {
    pointer: *mut f32,
    len: usize,
    of: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointer is only dereferenced by `part`, whose callers promise that no two living parts overlap; floats
// may be written from any thread.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(super) fn new(slice: &'a mut [f32]) -> Self {
        Self { pointer: slice.as_mut_ptr(), len: slice.len(), of: PhantomData }
    }

    /// A part of the slice.
    ///
    /// # Safety
    /// No other part that is alive may overlap this one.
    #[expect(clippy::mut_from_ref, reason = "disjoint parts are what this type is for")]
    #[inline(always)]
    pub(super) unsafe fn part(&self, start: usize, len: usize) -> &mut [f32] {
        assert!(start <= self.len && len <= self.len - start, "a part lies in its slice");
        // SAFETY: the range was just checked to lie in the allocation, which the lifetime keeps borrowed.
        let start = unsafe { self.pointer.add(start) };
        // SAFETY: as above, and the caller promises that nothing else refers to this range.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }
}
