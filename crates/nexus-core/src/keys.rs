//! The instance's secrets and what is done with them: sealing, refresh successors, access tokens.
//!
//! Two secrets are kept apart, each in a file of its own: the 32-byte instance key, from which every symmetric key is derived
//! under a label of its own, and the Ed25519 key that signs access tokens. Reading and writing the files is the work of the
//! server's boot, not of this module.
//!
//! The page of this subsystem is `docs/subsystems/logins.md`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use jsonwebtoken::crypto::aws_lc;
use jsonwebtoken::jwk::EllipticCurve;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use nexus_types::ids::{LoginId, UserId};
use nexus_types::limits::{ACCESS_TOKEN_MS, SECOND_MS};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Names the instance key that sealed something, so that a later one can be told from it.
const KEY_ID: u8 = 1;
/// Bytes of an XChaCha20 nonce: long enough to be drawn at random for ever.
const NONCE_BYTES: usize = 24;
/// Who access tokens are for.
const AUDIENCE: &str = "nexus";
/// Longer texts are not looked at: an access token of ours has about 300 bytes.
const ACCESS_TOKEN_BYTES_MAX: usize = 1_024;
/// An Ed25519 private key in PKCS#8 is this and the 32-byte seed.
///
/// # Source
/// RFC 8410, section 7.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A key file that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// All bytes are the same.
    #[error("the instance key is not random")]
    NotRandom,
    /// It is no PKCS#8 document with an Ed25519 key.
    #[error("the key for access tokens is not an Ed25519 key in PKCS#8")]
    NotEd25519,
}

/// What an access token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Whose it is.
    pub user: UserId,
    /// The login it was made for.
    pub login: LoginId,
    /// From when on it is no longer good.
    pub expires_ms: i64,
}

/// # Shape
/// The claims of an access token (RFC 7519, section 4.1). Times are in seconds.
#[derive(Serialize, Deserialize)]
struct Claims {
    sub: UserId,
    jti: LoginId,
    iat: i64,
    exp: i64,
    aud: String,
}

/// The instance's secrets. They never show themselves.
pub struct Keys {
    instance: Zeroizing<[u8; 32]>,
    signing: EncodingKey,
    verifying: DecodingKey,
    header: Header,
    validation: Validation,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Keys(…)")
    }
}

impl Keys {
    /// The secrets from the bytes of their files.
    ///
    /// # Errors
    /// [`BadKey`] if one of them can't be used.
    pub fn from_parts(instance_key: [u8; 32], jwt_pkcs8: &[u8]) -> Result<Self, BadKey> {
        let instance = Zeroizing::new(instance_key);
        if instance.iter().all(|byte| *byte == instance[0]) {
            return Err(BadKey::NotRandom);
        }
        let public = public_key(jwt_pkcs8)?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(URL_SAFE_NO_PAD.encode(&Sha256::digest(&public)[..12]));
        // One algorithm and one audience. The time is checked by the caller, against the clock of the application.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "sub", "aud"]);
        validation.validate_exp = false;
        Ok(Self {
            instance,
            signing: EncodingKey::from_ed_der(jwt_pkcs8),
            verifying: DecodingKey::from_ed_der(&public),
            header,
            validation,
        })
    }

    /// New secrets that are nowhere kept, for tests.
    pub fn generate() -> Self {
        Self::from_parts(random(), &generate_jwt_pkcs8()).expect("fresh keys are good")
    }

    /// Encrypts bytes that come back to us through somebody else's hands. Only [`Keys::open`] with the same label reads them.
    ///
    /// # Shape
    /// URL-safe base64 without padding of: key id (1 byte), nonce (24), ciphertext, tag (16).
    pub fn seal(&self, label: &str, plain: &[u8]) -> String {
        let nonce: [u8; NONCE_BYTES] = random();
        let cipher = self.cipher(label);
        let payload = Payload {
            msg: plain,
            aad: &[KEY_ID],
        };
        let sealed = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("it is far below the 256 GiB that the cipher can take");
        let mut bytes = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        bytes.push(KEY_ID);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What [`Keys::seal`] was given, or `None` for anything that it did not make with this label.
    pub fn open(&self, label: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (&key_id, rest) = bytes.split_first()?;
        if key_id != KEY_ID {
            return None;
        }
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        self.cipher(label)
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: sealed,
                    aad: &[KEY_ID],
                },
            )
            .ok()
    }

    /// What follows a refresh token: the same for the same token, and not to be foreseen without the instance key.
    pub(crate) fn successor(&self, token: &[u8]) -> [u8; 32] {
        let key = self.derive("refresh");
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key.as_slice()).expect("HMAC takes any key");
        mac.update(token);
        mac.finalize().into_bytes().into()
    }

    /// Signs an access token for a login.
    ///
    /// # Errors
    /// If the key can't sign, which would be a fault of ours.
    pub(crate) fn sign_access(&self, user: UserId, login: LoginId, now_ms: i64) -> Result<String, jsonwebtoken::errors::Error> {
        let iat = now_ms / SECOND_MS;
        let claims = Claims {
            sub: user,
            jti: login,
            iat,
            exp: iat + ACCESS_TOKEN_MS / SECOND_MS,
            aud: AUDIENCE.into(),
        };
        encode(&self.header, &claims, &self.signing)
    }

    /// Reads an access token of ours. Whether it has expired or its login ended is for the caller to see.
    pub(crate) fn verify_access(&self, token: &str) -> Option<Access> {
        if token.len() > ACCESS_TOKEN_BYTES_MAX {
            return None;
        }
        // The key id only ever chooses among the keys we hold; it is never a path or an address.
        if decode_header(token).ok()?.kid != self.header.kid {
            return None;
        }
        let claims = decode::<Claims>(token, &self.verifying, &self.validation).ok()?.claims;
        Some(Access {
            user: claims.sub,
            login: claims.jti,
            expires_ms: claims.exp.checked_mul(SECOND_MS)?,
        })
    }

    fn cipher(&self, label: &str) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.derive(&format!("seal/{label}"))).into())
    }

    /// The symmetric key of a label.
    ///
    /// # Source
    /// RFC 5869; no salt, because the instance key is uniformly random.
    fn derive(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        let info = [b"nexus/1/", label.as_bytes()];
        Hkdf::<Sha256>::new(None, self.instance.as_slice())
            .expand_multi_info(&info, key.as_mut_slice())
            .expect("32 bytes are less than 255 blocks");
        key
    }
}

/// A new Ed25519 private key for access tokens, as its file holds it.
pub fn generate_jwt_pkcs8() -> Zeroizing<Vec<u8>> {
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(random());
    let mut document = Zeroizing::new(Vec::with_capacity(PKCS8_PREFIX.len() + seed.len()));
    document.extend_from_slice(&PKCS8_PREFIX);
    document.extend_from_slice(seed.as_slice());
    document
}

fn public_key(pkcs8: &[u8]) -> Result<Vec<u8>, BadKey> {
    let components = aws_lc::DEFAULT_PROVIDER.key_utils.ed_pub_components_from_private_key;
    components(pkcs8, &EllipticCurve::Ed25519).map_err(|_| BadKey::NotEd25519)
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_166_227_123;
    const ACCESS: (UserId, LoginId) = (UserId(7), LoginId(9));

    fn part(json: &str) -> String {
        URL_SAFE_NO_PAD.encode(json)
    }

    #[test]
    fn a_seal_opens_with_its_label_and_key_alone() {
        let keys = Keys::generate();
        let sealed = keys.seal("session", b"plain");
        assert_eq!(keys.open("session", &sealed).as_deref(), Some(b"plain".as_slice()));
        assert_ne!(sealed, keys.seal("session", b"plain"), "the nonce is random");
        assert_eq!(keys.open("other", &sealed), None);
        assert_eq!(Keys::generate().open("session", &sealed), None);
        let bytes = URL_SAFE_NO_PAD.decode(&sealed).expect("base64");
        for index in 0..bytes.len() {
            let mut bent = bytes.clone();
            bent[index] ^= 1;
            assert_eq!(keys.open("session", &URL_SAFE_NO_PAD.encode(bent)), None, "byte {index}");
        }
        for bad in ["", "AQ", "!", "AQ==", &sealed[..40], &format!("{sealed}=")] {
            assert_eq!(keys.open("session", bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_survive_their_files() {
        let (instance, pkcs8) = (random(), generate_jwt_pkcs8());
        let (one, other) = (Keys::from_parts(instance, &pkcs8), Keys::from_parts(instance, &pkcs8));
        let (one, other) = (one.expect("good keys"), other.expect("good keys"));
        assert_eq!(other.open("x", &one.seal("x", b"y")).as_deref(), Some(b"y".as_slice()));
        assert_eq!(one.successor(b"token"), other.successor(b"token"));
        let token = one.sign_access(ACCESS.0, ACCESS.1, NOW_MS).expect("it signs");
        assert!(other.verify_access(&token).is_some());
    }

    #[test]
    fn bad_keys_are_refused() {
        let pkcs8 = generate_jwt_pkcs8();
        assert_eq!(Keys::from_parts([0; 32], &pkcs8).expect_err("sample key"), BadKey::NotRandom);
        for bad in [&[][..], &pkcs8[..40], &[0; 48]] {
            assert_eq!(Keys::from_parts(random(), bad).expect_err("no key"), BadKey::NotEd25519);
        }
    }

    #[test]
    fn keys_show_nothing() {
        assert_eq!(format!("{:?}", Keys::generate()), "Keys(…)");
    }

    #[test]
    fn an_access_token_says_what_it_was_made_for() {
        let keys = Keys::generate();
        let token = keys.sign_access(ACCESS.0, ACCESS.1, NOW_MS).expect("it signs");
        let access = keys.verify_access(&token).expect("it is ours");
        assert_eq!((access.user, access.login), ACCESS);
        assert_eq!(access.expires_ms, NOW_MS / 1_000 * 1_000 + ACCESS_TOKEN_MS);
        let claims: serde_json::Value = serde_json::from_slice(
            &URL_SAFE_NO_PAD
                .decode(token.split('.').nth(1).expect("three parts"))
                .expect("base64"),
        )
        .expect("JSON");
        assert_eq!(claims["sub"], "7");
        assert_eq!(claims["aud"], "nexus");
    }

    #[test]
    fn forged_access_tokens_are_refused() {
        let pkcs8 = generate_jwt_pkcs8();
        let keys = Keys::from_parts(random(), &pkcs8).expect("good keys");
        let public = public_key(&pkcs8).expect("a key");
        let kid = keys.header.kid.clone().expect("every token has one");
        let good = keys.sign_access(ACCESS.0, ACCESS.1, NOW_MS).expect("it signs");
        let parts: Vec<&str> = good.split('.').collect();
        let (claims, signature) = (parts[1], parts[2]);

        let hs256 = |secret: &[u8]| {
            let message = format!("{}.{claims}", part(&format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{kid}"}}"#)));
            let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(secret).expect("any key");
            mac.update(message.as_bytes());
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
        };
        let signed = |kid: Option<&str>, key: &[u8], claims: serde_json::Value| {
            let mut header = Header::new(Algorithm::EdDSA);
            header.kid = kid.map(str::to_owned);
            encode(&header, &claims, &EncodingKey::from_ed_der(key)).expect("it signs")
        };
        let claim = |aud: &str| serde_json::json!({"sub": "7", "jti": "9", "iat": 1, "exp": 9_999_999_999_i64, "aud": aud});
        assert!(
            keys.verify_access(&signed(Some(&kid), &pkcs8, claim("nexus"))).is_some(),
            "the forger's tools work"
        );

        let none = |alg: &str| format!("{}.{claims}.", part(&format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"{kid}"}}"#)));
        let other_claims = part(r#"{"sub":"1","jti":"9","iat":1,"exp":9999999999,"aud":"nexus"}"#);
        let cases = [
            ("alg none", none("none")),
            ("alg None", none("None")),
            ("alg none with a signature", format!("{}{signature}", none("none"))),
            ("the public key as an HMAC secret", hs256(&public)),
            ("the document as an HMAC secret", hs256(&pkcs8)),
            ("another audience", signed(Some(&kid), &pkcs8, claim("other"))),
            ("a kid that is a path", signed(Some("../"), &pkcs8, claim("nexus"))),
            ("a kid of nobody", signed(Some("unknown"), &pkcs8, claim("nexus"))),
            ("no kid", signed(None, &pkcs8, claim("nexus"))),
            (
                "another key under our kid",
                signed(Some(&kid), &generate_jwt_pkcs8(), claim("nexus")),
            ),
            (
                "no audience",
                signed(
                    Some(&kid),
                    &pkcs8,
                    serde_json::json!({"sub": "7", "jti": "9", "iat": 1, "exp": 9_999_999_999_i64}),
                ),
            ),
            (
                "no end",
                signed(
                    Some(&kid),
                    &pkcs8,
                    serde_json::json!({"sub": "7", "jti": "9", "iat": 1, "aud": "nexus"}),
                ),
            ),
            (
                "an id that is none",
                signed(
                    Some(&kid),
                    &pkcs8,
                    serde_json::json!({"sub": "-7", "jti": "9", "iat": 1, "exp": 1, "aud": "nexus"}),
                ),
            ),
            ("other claims", format!("{}.{other_claims}.{signature}", parts[0])),
            ("no signature", format!("{}.{claims}.", parts[0])),
            ("two parts", format!("{}.{claims}", parts[0])),
            ("nothing", String::new()),
            ("too long", "a".repeat(1 << 20)),
        ];
        for (name, token) in cases {
            assert_eq!(keys.verify_access(&token), None, "{name}");
        }
    }
}
