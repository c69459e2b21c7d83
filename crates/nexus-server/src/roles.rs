//! Roles: which of the contracts a process serves.
//!
//! It deliberately knows two cases only. A process serves everything, or one role alone under that role's own default port.

/// What a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Roles {
    /// Everything, on one port.
    #[default]
    All,
    /// The key log and the relay alone, without accounts.
    Transparency,
}

/// The roles that can be named on the command line.
const KNOWN: &[(&str, Roles)] = &[("transparency", Roles::Transparency)];

impl Roles {
    /// Reads a list such as `transparency`.
    ///
    /// # Errors
    /// A sentence that names the known roles.
    pub fn parse(list: &str) -> Result<Self, String> {
        let known: Vec<_> = KNOWN.iter().map(|(name, _)| *name).collect();
        let known = known.join(", ");
        let mut roles = None;
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
            roles = Some(*role);
        }
        Ok(roles.unwrap_or_default())
    }

    /// Does it serve communities: accounts, messages, the gateway?
    pub fn has_community(self) -> bool {
        self == Self::All
    }

    /// Where it listens if nobody says where.
    pub fn default_port(self) -> u16 {
        match self {
            Self::All => 8080,
            Self::Transparency => 8000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_or_empty_role_is_answered_with_the_known_ones() {
        assert_eq!(Roles::parse("transparency"), Ok(Roles::Transparency));
        assert_eq!(Roles::parse("transparency, transparency"), Ok(Roles::Transparency));
        for bad in ["", " ", ",", "transparency,", "all", "events", "transparency,chat"] {
            let said = Roles::parse(bad).expect_err("no role");
            assert!(said.contains("known are: transparency"), "{bad}: {said}");
        }
    }
}
