//! Roles: which of the contracts a process serves.
//!
//! A process serves everything, or those roles that it was given. One role alone listens on that role's own default port. Communities
//! are deliberately no role that can be named: who serves them serves everything.

/// What a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    community: bool,
    transparency: bool,
    events: bool,
}

/// The roles that can be named on the command line.
const KNOWN: &[(&str, Roles)] = &[("transparency", Roles::TRANSPARENCY), ("events", Roles::EVENTS)];

impl Default for Roles {
    fn default() -> Self {
        Self::ALL
    }
}

impl Roles {
    /// Everything, on one port.
    pub const ALL: Self = Self {
        community: true,
        transparency: true,
        events: true,
    };
    /// The key log and the relay alone, without accounts.
    pub const TRANSPARENCY: Self = Self {
        community: false,
        transparency: true,
        events: false,
    };
    /// The event hub alone, without accounts.
    pub const EVENTS: Self = Self {
        community: false,
        transparency: false,
        events: true,
    };

    /// Reads a list such as `transparency,events`.
    ///
    /// # Errors
    /// A sentence that names the known roles.
    pub fn parse(list: &str) -> Result<Self, String> {
        let known: Vec<_> = KNOWN.iter().map(|(name, _)| *name).collect();
        let known = known.join(", ");
        let mut roles = Self {
            community: false,
            transparency: false,
            events: false,
        };
        for name in list.split(',').map(str::trim) {
            let found = KNOWN.iter().find(|(known, _)| *known == name);
            let (_, role) = found.ok_or_else(|| {
                let what = if name.is_empty() {
                    "a role is empty".to_owned()
                } else {
                    format!("nobody knows the role `{name}`")
                };
                format!("{what}; known are: {known}. Leave --roles away to serve everything")
            })?;
            roles.transparency |= role.transparency;
            roles.events |= role.events;
        }
        Ok(roles)
    }

    /// Does it serve communities: accounts, messages, the gateway?
    pub fn has_community(self) -> bool {
        self.community
    }

    /// Does it serve the key log and the relay?
    pub fn has_transparency(self) -> bool {
        self.transparency
    }

    /// Does it serve the event hub?
    pub fn has_events(self) -> bool {
        self.events
    }

    /// Where it listens if nobody says where.
    pub fn default_port(self) -> u16 {
        match self {
            Self::TRANSPARENCY => 8000,
            Self::EVENTS => 3000,
            _ => 8080,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_or_empty_role_is_answered_with_the_known_ones() {
        assert_eq!(Roles::parse("transparency"), Ok(Roles::TRANSPARENCY));
        assert_eq!(Roles::parse("transparency, transparency"), Ok(Roles::TRANSPARENCY));
        for bad in ["", " ", ",", "transparency,", "all", "event", "transparency,chat"] {
            let said = Roles::parse(bad).expect_err("no role");
            assert!(said.contains("known are: transparency, events"), "{bad}: {said}");
        }
    }

    #[test]
    fn roles_are_a_set_and_one_alone_has_its_port() {
        let serves = |roles: Roles| {
            (
                roles.has_community(),
                roles.has_transparency(),
                roles.has_events(),
                roles.default_port(),
            )
        };
        let read = |list| serves(Roles::parse(list).expect("roles"));
        assert_eq!(serves(Roles::default()), (true, true, true, 8080));
        assert_eq!(read("transparency"), (false, true, false, 8000));
        assert_eq!(read("events"), (false, false, true, 3000));
        assert_eq!(read("events,transparency"), (false, true, true, 8080));
        assert_eq!(read("events, transparency"), read("transparency,events"));
    }
}
