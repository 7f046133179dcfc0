//! A set of targets: the value of every expression. A bit for each target of the graph; of a path, its order too.

use super::graph::Id;

/// A set of targets. Two sets of one graph may be combined whatever their lengths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetSet {
    /// Bit `id % 64` of word `id / 64`; words at the end that would be zero are left out.
    words: Vec<u64>,
}

impl TargetSet {
    /// A set without targets.
    pub const fn new() -> TargetSet {
        TargetSet { words: Vec::new() }
    }

    /// Adds a target; whether it was not in the set.
    pub fn insert(&mut self, id: Id) -> bool {
        let (word, bit) = place(id);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let new = self.words[word] & bit == 0;
        self.words[word] |= bit;
        new
    }

    /// Whether a target is in the set.
    pub fn contains(&self, id: Id) -> bool {
        let (word, bit) = place(id);
        self.words.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// The targets, lowest id first.
    pub fn iter(&self) -> impl Iterator<Item = Id> + '_ {
        self.words.iter().zip(0..).flat_map(|(bits, word)| {
            (0..Id::BITS * 2).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| word * 64 + bit)
        })
    }

    /// How many targets are in the set.
    pub fn len(&self) -> usize {
        self.words.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    /// Whether no target is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Adds the targets of another set.
    pub fn add(&mut self, other: &TargetSet) {
        let length = self.words.len().max(other.words.len());
        self.words.resize(length, 0);
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Targets of both.
    #[must_use]
    pub fn intersection(mut self, other: &TargetSet) -> TargetSet {
        self.words.truncate(other.words.len());
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= theirs);
        self.trimmed()
    }

    /// Targets of this set that are not in the other.
    #[must_use]
    pub fn difference(mut self, other: &TargetSet) -> TargetSet {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= !theirs);
        self.trimmed()
    }

    fn trimmed(mut self) -> TargetSet {
        let used = self.words.iter().rposition(|bits| *bits != 0).map_or(0, |last| last + 1);
        self.words.truncate(used);
        self
    }
}

/// What an expression found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The targets.
    pub targets: TargetSet,
    /// Their order, where they are a path; else `None`.
    pub path: Option<Vec<Id>>,
}

impl Found {
    /// A path, in its order.
    pub fn path(path: Vec<Id>) -> Found {
        Found { targets: path.iter().copied().collect(), path: Some(path) }
    }

    /// Only those that are wanted.
    #[must_use]
    pub fn only(self, wanted: impl Fn(Id) -> bool) -> Found {
        let targets = self.targets.iter().filter(|id| wanted(*id)).collect();
        let path = self.path.map(|path| path.into_iter().filter(|id| wanted(*id)).collect());
        Found { targets, path }
    }
}

impl From<TargetSet> for Found {
    fn from(targets: TargetSet) -> Found {
        Found { targets, path: None }
    }
}

fn place(id: Id) -> (usize, u64) {
    (id as usize / 64, 1 << (id % 64))
}

impl FromIterator<Id> for TargetSet {
    fn from_iter<I: IntoIterator<Item = Id>>(ids: I) -> TargetSet {
        let mut set = TargetSet::default();
        ids.into_iter().for_each(|id| {
            set.insert(id);
        });
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_that_hold_the_same_are_equal_however_they_came_to_be() {
        let set = |ids: &[Id]| ids.iter().copied().collect::<TargetSet>();
        assert_eq!(set(&[1, 700]).difference(&set(&[700])), set(&[1]));
        assert_eq!(set(&[1, 700]).intersection(&set(&[1, 3])), set(&[1]));
        let mut both = set(&[1]);
        both.add(&set(&[700]));
        assert_eq!(both, set(&[700, 1]));
        assert!(set(&[64]).difference(&set(&[64])).is_empty());
        assert_eq!(set(&[700, 64, 63, 0]).iter().collect::<Vec<_>>(), [0, 63, 64, 700]);
    }
}
