//! What is posted: payments with numbers, signed as the contract says.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// With which the bench signs.
pub(super) const SECRET: &str = "bench-9f2c51d07be84a36a1c4e0d2b7f35a68";
/// The type of what is posted.
pub(super) const PAYMENT: &str = "FLOWPAY:PAYMENT_RECEIVED";
/// The type that rules make of it.
pub(super) const REQUESTED: &str = "FACTORY:MINT_REQUESTED";
/// Another one.
pub(super) const CONFIRMED: &str = "FACTORY:MINT_CONFIRMED";
/// Who pays, in turn.
const PAYERS: u64 = 1_000;

/// What stands before a payment's number in its JSON, and before that of an event that was made of it.
pub(super) const NUMBER: &[u8] = br#""orderId":""#;
pub(super) const OF_NUMBER: &[u8] = br#""refTransactionId":""#;

/// A rule that makes another event of each payment.
pub(super) const EMIT: &str = r#"description = "Asks for a mint."
on = ["FLOWPAY:PAYMENT_RECEIVED"]

[[emit]]
event = "FACTORY:MINT_REQUESTED"
[emit.payload]
targetAddress = "{{ payload.metadata.address }}"
amount = "{{ payload.amount }}"
reason = "purchase"
refTransactionId = "{{ payload.orderId }}"
"#;

/// The body of a payment.
pub(super) fn body(number: u64) -> String {
    format!(
        r#"{{"event":"{PAYMENT}","payload":{{"orderId":"{number}","amount":15.00,"currency":"EUR","payerId":"payer-{}","metadata":{{"address":"wallet-{number}","item":"One ticket for the concert on Saturday"}}}}}}"#,
        number % PAYERS
    )
}

/// HMAC-SHA256 in hexadecimal digits, over the parts one after the other.
pub(super) fn signature(parts: &[&str]) -> String {
    let mut signer = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("HMAC takes any key");
    for part in parts {
        signer.update(part.as_bytes());
    }
    let mut digits = String::with_capacity(64);
    for byte in signer.finalize().into_bytes() {
        write!(digits, "{byte:02x}").expect("a string takes every text");
    }
    digits
}

/// The digits after the first `mark`.
pub(super) fn number_after(json: &[u8], mark: &[u8]) -> Option<u64> {
    let at = json.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let digits = &json[at..];
    let length = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    std::str::from_utf8(&digits[..length]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payments_number_is_found_in_it() {
        assert_eq!(number_after(body(1_234).as_bytes(), NUMBER), Some(1_234));
        assert_eq!(number_after(br#"{"position":77,"id":"1"}"#, br#""position":"#), Some(77));
        assert_eq!(number_after(b"{}", NUMBER), None);
    }

    #[test]
    fn the_signature_is_that_of_the_contract() {
        // Computed with Python's hmac module.
        assert_eq!(signature(&["17", ".", "{}"]), signature(&["17.{}"]));
        assert_eq!(
            signature(&["{}"]),
            "313738407f9c2e41033d84700542e1420e0f85932abb1e02f383680f3dce6f0e"
        );
    }
}
