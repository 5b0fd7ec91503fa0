//! Chance that is the same for the same seed. Never asks the system for any.

/// A seeded source of numbers: SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Returns a source; each seed has its own sequence.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a source for one of many uses of a seed, independent of the others.
    pub fn of(seed: u64, texts: &[&str], number: u64) -> Self {
        let mut own = Self(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        for byte in texts.iter().flat_map(|text| text.bytes().chain([0])) {
            own.0 = own.bits() ^ u64::from(byte);
        }
        own
    }

    /// Returns the next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `limit`; zero for a limit of zero.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.bits() % limit).unwrap_or(0)
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Returns one of some; `None` of none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}
