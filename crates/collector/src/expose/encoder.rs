//! What all formats do: families one after the other, points of each.

use crate::aggregate::view::{FamilyView, Point};

pub(crate) trait Encoder {
    /// Begins a family; the points that follow are its own.
    fn begin(&mut self, family: &FamilyView<'_>);

    fn point(&mut self, point: &Point<'_>);

    /// Ends the page.
    fn finish(self) -> Vec<u8>;
}
