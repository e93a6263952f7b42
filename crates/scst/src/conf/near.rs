//! What a misspelled word was probably meant to be.

/// The candidate that a word is a slip away from: at most two characters, and a third of its length.
pub(crate) fn near<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let far = |c: &&str| distance(c, word);
    let most = 2.min(word.chars().count() / 3);
    candidates.into_iter().filter(|c| (1..=most).contains(&far(c))).min_by_key(far)
}

/// How many characters have to change, come or go.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut last = i;
        let mut next = vec![i.saturating_add(1)];
        for (j, cb) in b.iter().enumerate() {
            let above = row.get(j.saturating_add(1)).copied().unwrap_or(usize::MAX);
            let left = next.last().copied().unwrap_or(usize::MAX);
            let change = last.saturating_add(usize::from(ca != *cb));
            next.push(change.min(above.saturating_add(1)).min(left.saturating_add(1)));
            last = above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_near_and_another_word_is_not() {
        let known = ["nv_cache", "read_only", "usn"];
        assert_eq!(near("nv_cach", known), Some("nv_cache"));
        assert_eq!(near("raed_only", known), Some("read_only"));
        assert_eq!(near("nv_cache", known), None, "it is the word itself");
        assert_eq!(near("un", known), None, "too short to tell");
        assert_eq!(near("", known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
