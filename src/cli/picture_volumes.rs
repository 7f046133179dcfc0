//! Volumes that images declare, and which of them values lead into. Whoever asks numbers the images.

use std::collections::{BTreeSet, HashMap};

/// Volumes by their paths, each with who declares it and as which of its own.
#[derive(Default)]
pub struct Volumes {
    owners: HashMap<String, Vec<(usize, usize)>>,
    /// Bytes of the longest path.
    longest: usize,
}

impl Volumes {
    /// Takes in what an image declares.
    pub fn add(&mut self, owner: usize, volumes: &[String]) {
        for (at, volume) in volumes.iter().enumerate() {
            self.longest = self.longest.max(volume.len());
            self.owners.entry(volume.clone()).or_default().push((owner, at));
        }
    }

    /// The volumes that any of the values leads into, by owner and then as declared; but for `own` paths.
    pub fn led_into<'v>(&self, values: &'v [String], own: &[String]) -> BTreeSet<(usize, usize, &'v str)> {
        let mut found = BTreeSet::new();
        let candidates = values.iter().flat_map(|value| self.candidates(value));
        for volume in candidates.filter(|volume| !own.iter().any(|own| own == volume)) {
            let owners = self.owners.get(volume).into_iter().flatten();
            found.extend(owners.map(|(owner, at)| (*owner, *at, volume)));
        }
        found
    }

    /// What of a value may be a volume's path: a path itself, or what a URL-like text such as `FILE:/krb5/cache/x` ends in,
    /// or a folder above. One that stands in the value before, in another place, is not led into.
    fn candidates<'v>(&self, value: &'v str) -> Vec<&'v str> {
        let starts = std::iter::once(0).chain(value.match_indices(':').map(|(at, _)| at + 1));
        let of = |start: usize| {
            let rest = &value[start..];
            let ends = rest.match_indices('/').map(|(at, _)| at).chain([rest.len()]);
            ends.take_while(|end| *end <= self.longest).map(move |end| &rest[..end])
        };
        let is_first = |start: usize, path: &str| value.find(path) == Some(start);
        starts.flat_map(|start| of(start).filter(move |path| is_first(start, path))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_leads_into_a_volume_by_its_path_or_behind_a_colon() {
        let mut volumes = Volumes::default();
        volumes.add(1, &["/cache".into(), "/data".into()]);
        volumes.add(3, &["/own".into()]);
        volumes.add(2, &["/cache".into(), "/krb5/cache".into()]);
        let led = |value: &str| {
            let values = [value.to_owned()];
            volumes
                .led_into(&values, &["/own".to_owned()])
                .into_iter()
                .map(|(owner, at, _)| (owner, at))
                .collect::<Vec<_>>()
        };
        assert_eq!(led("/cache"), [(1, 0), (2, 0)]);
        assert_eq!(led("FILE:/krb5/cache/x"), [(2, 1)]);
        assert_eq!(led("/bin:/data/x"), [(1, 1)]);
        for other in ["", "/caches", "/x/cache", "cache", "/", "see /cache", "/own/x"] {
            assert_eq!(led(other), [], "{other}");
        }
    }
}
