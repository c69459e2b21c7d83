//! Which events a stream wants, and up to where in the log it has those of each pattern.
//!
//! Patterns that were subscribed to at different times, or since different positions, stand at different places. Those furthest behind
//! go first, up to where the next ones stand, and from there on together, until all stand at one place: then the stream is live. So
//! each subscription is answered in order and wholly, without one that waits for another being told anything twice.

use nexus_types::events::Kind;
use nexus_types::hub::{EventType, PLATFORM, Pattern};
use nexus_types::limits::PATTERNS_MAX;

/// One pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Want {
    pattern: Pattern,
    /// Everything of it up to here was sent, or was not asked for.
    after: i64,
    /// The client knows that of what is up to here something may be missing.
    told: i64,
}

/// All of a stream's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Wants(Vec<Want>);

/// What is to be read next.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Events of these patterns.
    pub(super) patterns: Vec<Pattern>,
    /// After this position.
    pub(super) after: i64,
    /// Up to this one, where others want to be read too; `None` for as far as there are any.
    pub(super) until: Option<i64>,
    /// The client knows that of what is up to here something may be missing.
    pub(super) told: i64,
}

impl Stretch {
    /// May an entry of this kind be wanted in it? It is cheaper to ask than to read the entry.
    pub(super) fn may_want(&self, kind: i64) -> bool {
        kind == Kind::HubEvent as i64 || self.patterns.iter().any(is_platforms)
    }

    /// Is this type wanted in it?
    pub(super) fn wants(&self, kind: &EventType) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(kind))
    }
}

/// More patterns than one stream may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Wants {
    /// Adds these from a position on. Those that are there already begin anew if `anew`, else they stay where they are. What is up to
    /// `told` may be missing, and the client knows.
    pub(super) fn add(&mut self, patterns: &[Pattern], after: i64, told: i64, anew: bool) -> Result<(), TooMany> {
        let new = patterns.iter().filter(|pattern| !self.has(pattern)).count();
        if self.0.len() + new > PATTERNS_MAX {
            return Err(TooMany);
        }
        for pattern in patterns {
            match self.0.iter_mut().find(|want| want.pattern == *pattern) {
                Some(want) if anew => (want.after, want.told) = (after, told),
                Some(_) => {}
                None => self.0.push(Want {
                    pattern: pattern.clone(),
                    after,
                    told,
                }),
            }
        }
        assert!(self.0.len() <= PATTERNS_MAX);
        Ok(())
    }

    /// Lets go of what these patterns cover.
    pub(super) fn remove(&mut self, patterns: &[Pattern]) {
        self.0.retain(|want| !patterns.iter().any(|pattern| covers(pattern, &want.pattern)));
    }

    fn has(&self, pattern: &Pattern) -> bool {
        self.0.iter().any(|want| want.pattern == *pattern)
    }

    /// The patterns, in the order in which they were asked for.
    pub(super) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.0.iter().map(|want| &want.pattern)
    }

    /// The fewest patterns that want the same: no two of them want one type.
    pub(super) fn cover(&self) -> Vec<Pattern> {
        let is_covered = |one: &Pattern| self.patterns().any(|other| other != one && covers(other, one));
        self.patterns().filter(|pattern| !is_covered(pattern)).cloned().collect()
    }

    /// What is to be read next.
    pub(super) fn next(&self) -> Option<Stretch> {
        let after = self.0.iter().map(|want| want.after).min()?;
        let behind = self.0.iter().filter(|want| want.after == after);
        Some(Stretch {
            patterns: behind.clone().map(|want| want.pattern.clone()).collect(),
            after,
            until: self.0.iter().map(|want| want.after).filter(|other| *other > after).min(),
            told: behind.map(|want| want.told).min()?,
        })
    }

    /// This stretch was read up to here.
    pub(super) fn advance(&mut self, stretch: &Stretch, reached: i64) {
        assert!(reached >= stretch.after && stretch.until.is_none_or(|until| reached <= until));
        for want in self.0.iter_mut().filter(|want| want.after == stretch.after) {
            want.after = reached;
        }
    }

    /// All of them have come up to here: that is where the live stream let go.
    pub(super) fn stand_at(&mut self, position: i64) {
        for want in &mut self.0 {
            want.after = position;
        }
    }

    /// The position of the one that is furthest behind.
    pub(super) fn position(&self) -> Option<i64> {
        self.0.iter().map(|want| want.after).min()
    }
}

/// May the platform's own events match this?
pub(super) fn is_platforms(pattern: &Pattern) -> bool {
    match pattern {
        Pattern::All => true,
        Pattern::Namespace(namespace) => &**namespace == PLATFORM,
        Pattern::Exact(kind) => kind.is_platform(),
    }
}

/// Does whoever may have the first thing have the second one with it?
pub(super) fn covers(pattern: &Pattern, other: &Pattern) -> bool {
    match (pattern, other) {
        (Pattern::All, _) => true,
        (Pattern::Namespace(one), Pattern::Namespace(other)) => one == other,
        (pattern, Pattern::Exact(kind)) => pattern.matches(kind),
        (_, Pattern::All) | (Pattern::Exact(_), Pattern::Namespace(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect()
    }

    fn wants(parts: &[(&str, i64)]) -> Wants {
        let mut wants = Wants::default();
        for (text, after) in parts {
            wants.add(&patterns(&[text]), *after, 0, false).expect("few");
        }
        wants
    }

    fn shown(stretch: Option<Stretch>) -> String {
        let Some(stretch) = stretch else { return "nothing".into() };
        let patterns: Vec<_> = stretch.patterns.iter().map(ToString::to_string).collect();
        let until = stretch.until.map(|until| until.to_string()).unwrap_or_default();
        format!("{} {}..{until}", patterns.join(","), stretch.after)
    }

    #[test]
    fn those_furthest_behind_are_read_up_to_the_next_and_then_together() {
        let mut wants = wants(&[("A:X", 5), ("B:*", 9), ("C:Y", 5), ("D:Z", 20)]);
        let mut order = vec![];
        for reached in [7, 9, 20, 33] {
            let stretch = wants.next().expect("something is wanted");
            wants.advance(&stretch, reached);
            order.push(shown(Some(stretch)));
        }
        assert_eq!(order, ["A:X,C:Y 5..9", "A:X,C:Y 7..9", "A:X,B:*,C:Y 9..20", "A:X,B:*,C:Y,D:Z 20.."]);
        assert_eq!((shown(wants.next()), wants.position()), ("A:X,B:*,C:Y,D:Z 33..".into(), Some(33)));
        assert_eq!(shown(Wants::default().next()), "nothing");
    }

    #[test]
    fn what_is_wanted_already_begins_anew_only_if_that_is_asked_for() {
        let mut wants = wants(&[("A:X", 5)]);
        wants.add(&patterns(&["A:X", "A:X"]), 9, 0, false).expect("few");
        assert_eq!(shown(wants.next()), "A:X 5..");
        wants.add(&patterns(&["A:X"]), 2, 4, true).expect("few");
        assert_eq!(
            (shown(wants.next()), wants.next().map(|next| next.told)),
            ("A:X 2..".into(), Some(4))
        );
    }

    #[test]
    fn a_stream_has_so_many_patterns_and_one_more_changes_nothing() {
        let mut wants = Wants::default();
        for index in 0..PATTERNS_MAX {
            wants.add(&patterns(&[&format!("A:X{index}")]), 0, 0, false).expect("few");
        }
        wants.add(&patterns(&["A:X0"]), 0, 0, true).expect("it is there already");
        let before = wants.clone();
        assert_eq!(wants.add(&patterns(&["A:X0", "B:Y"]), 9, 0, true), Err(TooMany));
        assert_eq!(wants, before);
    }

    #[test]
    fn a_pattern_covers_what_is_within_it() {
        for (one, other, covered) in [
            ("*", "*", true),
            ("*", "A:*", true),
            ("*", "A:X", true),
            ("A:*", "A:*", true),
            ("A:*", "A:X", true),
            ("A:X", "A:X", true),
            ("A:*", "*", false),
            ("A:*", "B:*", false),
            ("A:*", "B:X", false),
            ("A:X", "A:*", false),
            ("A:X", "*", false),
        ] {
            let [one, other] = &patterns(&[one, other])[..] else {
                panic!("two")
            };
            assert_eq!(covers(one, other), covered, "{one} {other}");
        }
    }

    #[test]
    fn a_cover_wants_the_same_and_nothing_twice() {
        for (all, cover) in [
            (&["A:X", "B:*", "B:Y", "A:Z"][..], &["A:X", "B:*", "A:Z"][..]),
            (&["A:X", "*", "B:*"], &["*"]),
            (&[], &[]),
        ] {
            let parts: Vec<_> = all.iter().map(|text| (*text, 0)).collect();
            assert_eq!(wants(&parts).cover(), patterns(cover));
        }
    }

    #[test]
    fn unsubscribing_lets_go_of_what_is_covered() {
        let mut wants = wants(&[("A:X", 0), ("A:*", 0), ("B:Y", 0)]);
        wants.remove(&patterns(&["A:Y"]));
        assert_eq!(wants.patterns().count(), 3, "a part of a namespace is not taken out of it");
        wants.remove(&patterns(&["A:*"]));
        assert_eq!(wants.cover(), patterns(&["B:Y"]));
        wants.remove(&patterns(&["*"]));
        assert_eq!(wants.patterns().count(), 0);
    }
}
