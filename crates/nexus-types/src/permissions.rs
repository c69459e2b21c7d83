//! The permission algebra: who may do what in a guild and in one of its channels. Pure, total, and the only place that decides.
//!
//! # Source
//! <https://discord.com/developers/docs/topics/permissions> (bits, order of overwrites, implicit denials).

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ids::{GuildId, RoleId, UserId};

/// A set of permission bits.
///
/// # Shape
/// A decimal string in JSON; bits we do not know are kept, as other programs may use them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(pub u64);

macro_rules! bits {
    ($($(#[$doc:meta])* $name:ident = $bit:literal,)*) => {
        impl Permissions { $($(#[$doc])* pub const $name: Permissions = Permissions(1 << $bit);)* }
        const NAMES: &[(&str, Permissions)] = &[$((stringify!($name), Permissions::$name),)*];
    };
}

bits! {
    /// Make invites.
    CREATE_INSTANT_INVITE = 0,
    /// Remove members.
    KICK_MEMBERS = 1,
    /// Ban members.
    BAN_MEMBERS = 2,
    /// Everything, whatever overwrites say.
    ADMINISTRATOR = 3,
    /// Make, change and delete channels.
    MANAGE_CHANNELS = 4,
    /// Change the guild.
    MANAGE_GUILD = 5,
    /// Add reactions.
    ADD_REACTIONS = 6,
    /// Read the audit log.
    VIEW_AUDIT_LOG = 7,
    /// Be louder in voice.
    PRIORITY_SPEAKER = 8,
    /// Go live.
    STREAM = 9,
    /// See the channel at all.
    VIEW_CHANNEL = 10,
    /// Send messages.
    SEND_MESSAGES = 11,
    /// Send text-to-speech messages.
    SEND_TTS_MESSAGES = 12,
    /// Delete and pin others' messages.
    MANAGE_MESSAGES = 13,
    /// Have links previewed.
    EMBED_LINKS = 14,
    /// Attach files.
    ATTACH_FILES = 15,
    /// Read what was sent before.
    READ_MESSAGE_HISTORY = 16,
    /// Ping everyone.
    MENTION_EVERYONE = 17,
    /// Use emoji of other guilds.
    USE_EXTERNAL_EMOJIS = 18,
    /// See insights.
    VIEW_GUILD_INSIGHTS = 19,
    /// Join voice.
    CONNECT = 20,
    /// Speak in voice.
    SPEAK = 21,
    /// Mute others.
    MUTE_MEMBERS = 22,
    /// Deafen others.
    DEAFEN_MEMBERS = 23,
    /// Move others between voice channels.
    MOVE_MEMBERS = 24,
    /// Speak without push-to-talk.
    USE_VAD = 25,
    /// Change the own nickname.
    CHANGE_NICKNAME = 26,
    /// Change others' nicknames.
    MANAGE_NICKNAMES = 27,
    /// Make and change roles below the own highest, and overwrites.
    MANAGE_ROLES = 28,
    /// Make and change webhooks.
    MANAGE_WEBHOOKS = 29,
    /// Make and change emoji and the like.
    MANAGE_GUILD_EXPRESSIONS = 30,
    /// Use commands.
    USE_APPLICATION_COMMANDS = 31,
    /// Ask to speak on a stage.
    REQUEST_TO_SPEAK = 32,
    /// Make and change scheduled events.
    MANAGE_EVENTS = 33,
    /// Close and delete threads.
    MANAGE_THREADS = 34,
    /// Start public threads.
    CREATE_PUBLIC_THREADS = 35,
    /// Start private threads.
    CREATE_PRIVATE_THREADS = 36,
    /// Use stickers of other guilds.
    USE_EXTERNAL_STICKERS = 37,
    /// Write in threads.
    SEND_MESSAGES_IN_THREADS = 38,
    /// Start activities.
    USE_EMBEDDED_ACTIVITIES = 39,
    /// Time members out.
    MODERATE_MEMBERS = 40,
    /// Use the soundboard.
    USE_SOUNDBOARD = 42,
    /// Send voice messages.
    SEND_VOICE_MESSAGES = 46,
    /// Make polls.
    SEND_POLLS = 49,
}

impl Permissions {
    /// No bit.
    pub const NONE: Permissions = Permissions(0);
    /// Every bit there is.
    pub const ALL: Permissions = {
        let mut all = 0;
        let mut index = 0;
        while index < NAMES.len() {
            all |= NAMES[index].1.0;
            index += 1;
        }
        Permissions(all)
    };
    /// What @everyone may do in a new guild; Discord's defaults.
    pub const EVERYONE_DEFAULT: Permissions = Permissions(
        Self::CREATE_INSTANT_INVITE.0
            | Self::ADD_REACTIONS.0
            | Self::STREAM.0
            | Self::VIEW_CHANNEL.0
            | Self::SEND_MESSAGES.0
            | Self::EMBED_LINKS.0
            | Self::ATTACH_FILES.0
            | Self::READ_MESSAGE_HISTORY.0
            | Self::MENTION_EVERYONE.0
            | Self::USE_EXTERNAL_EMOJIS.0
            | Self::CONNECT.0
            | Self::SPEAK.0
            | Self::USE_VAD.0
            | Self::CHANGE_NICKNAME.0
            | Self::USE_APPLICATION_COMMANDS.0
            | Self::REQUEST_TO_SPEAK.0
            | Self::CREATE_PUBLIC_THREADS.0
            | Self::CREATE_PRIVATE_THREADS.0
            | Self::USE_EXTERNAL_STICKERS.0
            | Self::SEND_MESSAGES_IN_THREADS.0
            | Self::USE_EMBEDDED_ACTIVITIES.0
            | Self::USE_SOUNDBOARD.0
            | Self::SEND_VOICE_MESSAGES.0
            | Self::SEND_POLLS.0,
    );

    /// Are all these bits in it?
    pub const fn contains(self, other: Permissions) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of this set that are not in the other.
    #[must_use]
    pub const fn without(self, other: Permissions) -> Permissions {
        Permissions(self.0 & !other.0)
    }
}

impl BitOr for Permissions {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Permissions {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Permissions {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = NAMES.iter().filter(|(_, bit)| self.contains(*bit)).map(|(name, _)| *name).collect();
        write!(formatter, "Permissions({})", names.join("|"))
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Permissions;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a permission set as a decimal string")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Permissions, E> {
                // The store keeps the bits in a signed 64-bit column, so the top bit is no permission.
                text.parse::<u64>()
                    .ok()
                    .filter(|bits| i64::try_from(*bits).is_ok())
                    .map(Permissions)
                    .ok_or_else(|| E::custom("not a permission set"))
            }
            fn visit_u64<E: de::Error>(self, bits: u64) -> Result<Permissions, E> {
                i64::try_from(bits)
                    .map(|_| Permissions(bits))
                    .map_err(|_| E::custom("not a permission set"))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// An exception in one channel for one role or one member.
///
/// # Shape
/// `{"id", "type": 0 for a role and 1 for a member, "allow", "deny"}`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overwrite {
    /// The role or the user.
    pub id: OverwriteId,
    /// Which of the two.
    #[serde(rename = "type")]
    pub kind: OverwriteKind,
    /// Bits added.
    #[serde(default)]
    pub allow: Permissions,
    /// Bits taken.
    #[serde(default)]
    pub deny: Permissions,
}

/// A role id or a user id; [`Overwrite::kind`] says which.
pub type OverwriteId = crate::ids::RoleId;

/// What an overwrite is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverwriteKind {
    /// Everyone with a role.
    Role,
    /// One member.
    Member,
}

impl Serialize for OverwriteKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(*self == Self::Member))
    }
}

impl<'de> Deserialize<'de> for OverwriteKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(Self::Role),
            1 => Ok(Self::Member),
            _ => Err(de::Error::custom("an overwrite's type is 0 (role) or 1 (member)")),
        }
    }
}

/// Who asks: a member as the algebra sees it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The member.
    pub user: UserId,
    /// Owns the guild, and so may do everything.
    pub owner: bool,
    /// The member's roles without @everyone.
    pub roles: &'a [RoleId],
}

/// What a member may do in a guild, before any channel's exceptions.
///
/// `role` answers the bits of a role of the guild.
pub fn in_guild(guild: GuildId, subject: Subject<'_>, role: impl Fn(RoleId) -> Option<Permissions>) -> Permissions {
    if subject.owner {
        return Permissions::ALL;
    }
    let mut granted = role(guild.everyone()).unwrap_or_default();
    for id in subject.roles {
        granted = granted | role(*id).unwrap_or_default();
    }
    if granted.contains(Permissions::ADMINISTRATOR) {
        Permissions::ALL
    } else {
        granted
    }
}

/// What a member may do in a channel, from what it may do in the guild and the channel's exceptions.
///
/// Order: @everyone's exception, then those of all the member's roles together (an allowed bit beats a denied one), then the
/// member's own. Without VIEW_CHANNEL nothing is left; without SEND_MESSAGES what belongs to sending goes too.
pub fn in_channel(guild: GuildId, subject: Subject<'_>, base: Permissions, overwrites: &[Overwrite]) -> Permissions {
    if subject.owner || base.contains(Permissions::ADMINISTRATOR) {
        return Permissions::ALL;
    }
    let mut granted = base;
    let mut roles = (Permissions::NONE, Permissions::NONE);
    let mut own = (Permissions::NONE, Permissions::NONE);
    for overwrite in overwrites {
        match overwrite.kind {
            OverwriteKind::Role if overwrite.id == guild.everyone() => granted = granted.without(overwrite.deny) | overwrite.allow,
            OverwriteKind::Role if subject.roles.contains(&overwrite.id) => roles = (roles.0 | overwrite.allow, roles.1 | overwrite.deny),
            OverwriteKind::Member if overwrite.id.0 == subject.user.0 => own = (overwrite.allow, overwrite.deny),
            _ => {}
        }
    }
    granted = granted.without(roles.1) | roles.0;
    granted = granted.without(own.1) | own.0;
    if !granted.contains(Permissions::VIEW_CHANNEL) {
        return Permissions::NONE;
    }
    if !granted.contains(Permissions::SEND_MESSAGES) {
        const SENDING: Permissions = Permissions(
            Permissions::MENTION_EVERYONE.0 | Permissions::SEND_TTS_MESSAGES.0 | Permissions::ATTACH_FILES.0 | Permissions::EMBED_LINKS.0,
        );
        granted = granted.without(SENDING);
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUILD: GuildId = GuildId(1);
    const MODS: RoleId = RoleId(2);
    const MUTED: RoleId = RoleId(3);
    const ALICE: UserId = UserId(9);

    fn bits(names: &str) -> Permissions {
        names.split_whitespace().fold(Permissions::NONE, |set, name| {
            set | match name {
                "view" => Permissions::VIEW_CHANNEL,
                "send" => Permissions::SEND_MESSAGES,
                "files" => Permissions::ATTACH_FILES,
                "admin" => Permissions::ADMINISTRATOR,
                other => panic!("no short name for {other}"),
            }
        })
    }

    /// A scene is `everyone=…; mods=…; muted=…; NAME +… -…` (an exception); `who` lists alice's roles or `owner`.
    fn check(scene: &str, who: &str, expected: &str) {
        let mut role_bits = vec![];
        let mut overwrites = vec![];
        let role_of = |name: &str| match name {
            "everyone" => GUILD.everyone(),
            "mods" => MODS,
            "muted" => MUTED,
            other => panic!("no role {other}"),
        };
        for part in scene.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            if let Some((name, granted)) = part.split_once('=') {
                role_bits.push((role_of(name.trim()), bits(granted)));
            } else {
                let (name, rest) = part.split_once(' ').expect("an exception has bits");
                let pick = |sign: char| {
                    bits(
                        &rest
                            .split_whitespace()
                            .filter_map(|word| word.strip_prefix(sign))
                            .collect::<Vec<_>>()
                            .join(" "),
                    )
                };
                let (id, kind) = if name == "alice" {
                    (RoleId(ALICE.0), OverwriteKind::Member)
                } else {
                    (role_of(name), OverwriteKind::Role)
                };
                overwrites.push(Overwrite {
                    id,
                    kind,
                    allow: pick('+'),
                    deny: pick('-'),
                });
            }
        }
        let roles: Vec<_> = who.split_whitespace().filter(|name| *name != "owner").map(role_of).collect();
        let subject = Subject {
            user: ALICE,
            owner: who.contains("owner"),
            roles: &roles,
        };
        let base = in_guild(GUILD, subject, |id| {
            role_bits.iter().find(|(role, _)| *role == id).map(|(_, granted)| *granted)
        });
        assert_eq!(
            in_channel(GUILD, subject, base, &overwrites) & bits("view send files"),
            bits(expected),
            "{scene} for {who:?}"
        );
    }

    #[test]
    fn roles_add_up() {
        check("everyone=view; mods=send", "", "view");
        check("everyone=view; mods=send", "mods", "view send");
    }

    #[test]
    fn an_allowed_role_beats_a_denied_one() {
        check("everyone=view send; mods +send; muted -send", "mods muted", "view send");
        check("everyone=view send; mods +send; muted -send", "muted", "view");
    }

    #[test]
    fn a_members_own_exception_has_the_last_word() {
        check("everyone=view send; mods +send; alice -send", "mods", "view");
        check("everyone=view; everyone -view; alice +view", "", "view");
    }

    #[test]
    fn without_view_nothing_is_left() {
        check("everyone=view send files; everyone -view", "", "");
        check("everyone=send files", "", "");
    }

    #[test]
    fn without_send_nothing_that_sends_is_left() {
        check("everyone=view send files; everyone -send", "", "view");
    }

    #[test]
    fn owners_and_administrators_pass_every_exception() {
        check("everyone=view; everyone -view; alice -view", "owner", "view send files");
        check("everyone=view; mods=admin; alice -view", "mods", "view send files");
        // An exception can't make anybody an administrator.
        check("everyone=view; alice +admin -send", "", "view");
    }

    #[test]
    fn sets_travel_as_strings() {
        assert_eq!(serde_json::to_string(&Permissions(1024)).expect("serialises"), "\"1024\"");
        assert!(serde_json::from_str::<Permissions>("\"18446744073709551615\"").is_err());
        assert!(serde_json::from_str::<Permissions>("-1").is_err());
    }
}
