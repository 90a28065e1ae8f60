//! Passwords: which are taken, how they are kept, and how many are worked on at once.
//!
//! Kept is a PHC string: argon2id with the parameters of a [`Profile`], salt 16 bytes, output 32 bytes. Each hash needs
//! 19 or 64 MiB while it runs, so [`Passwords`] lets few run at once and few wait: a flood of logins costs no memory.
//! Texts are brought to Unicode NFC first: the same word typed on two systems is the same password.
//!
//! Sources: OWASP Password Storage Cheat Sheet and RFC 9106 section 4 (parameters); NIST SP 800-63B 5.1.1.2 (length and known
//! passwords, no rules of composition). Doubt: instead of the 10,000 most common passwords there is the handful of
//! them that have 12 characters, and a rule against repetitions and runs; nearly all of the list is shorter.

use std::sync::{Arc, OnceLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{Semaphore, TryAcquireError};
use unicode_normalization::UnicodeNormalization;

use crate::config::Secret;

/// Characters of a password at least.
pub const MIN_CHARACTERS: usize = 12;

/// Bytes of a password at most.
pub const MAX_BYTES: usize = 256;

/// Characters of a generated one: 142 bits.
pub const GENERATED_CHARACTERS: usize = 24;

/// Hashes that may wait for their turn.
pub const QUEUE: usize = 16;

const OUTPUT_BYTES: usize = 32;

const COMMON: &[&str] = &[
    "1234567890qwerty",
    "123456789qwerty",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "administrator",
    "adminpassword",
    "changeme1234",
    "iloveyou1234",
    "letmein12345",
    "password1234",
    "password12345",
    "password123456",
    "passw0rd1234",
    "q1w2e3r4t5y6",
    "qwerty123456",
    "qwertyuiop123",
    "qwertyuiopasdfghjkl",
    "welcome12345",
    "zaq12wsxcde3",
];

const RUNS: &[&str] = &["01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm"];

/// What a hash costs. A hash of another profile is replaced when its user signs in the next time; until then that login
/// takes another time to be refused than one that nobody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// m = 19,456 KiB, t = 2, p = 1: OWASP's least.
    Standard,
    /// m = 65,536 KiB, t = 3, p = 4: the second choice of RFC 9106, for servers with memory to spare.
    High,
}

impl Profile {
    fn params(self) -> Params {
        let (memory_kib, passes, lanes) = match self {
            Self::Standard => (19_456, 2, 1),
            Self::High => (65_536, 3, 4),
        };
        Params::new(memory_kib, passes, lanes, Some(OUTPUT_BYTES)).expect("constants within argon2's bounds")
    }

    fn argon2(self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params())
    }

    fn made(self, hash: &PasswordHash) -> Result<bool, PasswordError> {
        let (own, other) = (self.params(), Params::try_from(hash).map_err(|error| damaged(&error))?);
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        Ok(hash.algorithm.as_str() == "argon2id" && costs(&own) == costs(&other))
    }
}

impl std::str::FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "standard" => Ok(Self::Standard),
            "high" => Ok(Self::High),
            _ => Err("expected standard or high".to_owned()),
        }
    }
}

/// Why there is no answer about a password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many are being worked on: repeat.
    #[error("too many passwords are being checked at once")]
    Busy,
    /// The system gives no random bytes.
    #[error("the system's random generator failed: {0}")]
    Random(getrandom::Error),
    /// What is stored is no hash.
    #[error("the stored password hash is damaged: {0}")]
    Hash(String),
}

/// Whether a password is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Right,
    /// It is, but its hash should be made anew with today's parameters.
    Outdated,
    /// It is not, or the user does not exist.
    Wrong,
}

/// Checks a password that somebody chose.
///
/// # Errors
/// The rule it breaks.
pub fn check(text: &str, login: &str) -> Result<(), String> {
    let text = normal(text);
    if text.chars().count() < MIN_CHARACTERS {
        return Err(format!("a password has at least {MIN_CHARACTERS} characters"));
    }
    if text.len() > MAX_BYTES {
        return Err(format!("a password has at most {MAX_BYTES} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("a password holds no control characters".to_owned());
    }
    let lower = text.to_lowercase();
    if lower == login.to_lowercase() {
        return Err("the password is the login".to_owned());
    }
    if COMMON.contains(&lower.as_str()) || is_run(&lower) || is_repetition(&lower) {
        return Err("this is one of the first passwords that an attacker tries".to_owned());
    }
    Ok(())
}

fn is_run(text: &str) -> bool {
    let back: String = text.chars().rev().collect();
    RUNS.iter().any(|run| run.contains(text) || run.contains(&back))
}

/// Whether the text is a short piece again and again: `aaaaaaaaaaaa`, `passwordpassword`.
fn is_repetition(text: &str) -> bool {
    let characters: Vec<_> = text.chars().collect();
    let repeats = |piece: usize| characters.iter().zip(&characters[piece..]).all(|(one, next)| one == next);
    (1..=8).filter(|piece| characters.len() >= 2 * piece).any(repeats)
}

fn normal(text: &str) -> String {
    text.nfc().collect()
}

/// A password nobody chose: base62 from the system's generator.
///
/// # Errors
/// When the generator fails.
pub fn generate() -> Result<Secret, PasswordError> {
    const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::new();
    while text.len() < GENERATED_CHARACTERS {
        let mut bytes = [0; 64];
        getrandom::fill(&mut bytes).map_err(PasswordError::Random)?;
        // 248 = 4 × 62: what is above would make some characters likelier than others.
        let usable = bytes.iter().filter(|byte| **byte < 248);
        let missing = GENERATED_CHARACTERS - text.len();
        text.extend(usable.take(missing).map(|byte| char::from(BASE62[usize::from(byte % 62)])));
    }
    Ok(Secret::new(text))
}

/// Hashes and verifies, a few at once.
#[derive(Debug)]
pub struct Passwords {
    profile: Profile,
    /// A hash that no password of a user has.
    dummy: Arc<OnceLock<String>>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

impl Passwords {
    /// For this many processors.
    #[must_use]
    pub fn new(processors: usize, profile: Profile) -> Self {
        let at_once = (processors / 2).max(1);
        Self {
            profile,
            dummy: Arc::default(),
            running: Arc::new(Semaphore::new(at_once)),
            admitted: Arc::new(Semaphore::new(at_once + QUEUE)),
        }
    }

    /// The PHC string of a password.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when too many wait.
    pub async fn hash(&self, password: &Secret) -> Result<String, PasswordError> {
        let (password, profile) = (normal(password.reveal()), self.profile);
        self.run(move || hash(&password, profile)).await?
    }

    /// Whether a password fits what is stored. Without anything stored it takes as long, so that nobody can
    /// measure which users exist.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when too many wait; a damaged hash.
    pub async fn verify(&self, password: &Secret, stored: Option<String>) -> Result<Verdict, PasswordError> {
        if password.reveal().len() > MAX_BYTES {
            return Ok(Verdict::Wrong);
        }
        let (password, profile, dummy) = (normal(password.reveal()), self.profile, self.dummy.clone());
        self.run(move || match stored {
            Some(stored) => verify(&password, &stored, profile),
            None => verify(&password, known(&dummy, profile)?, profile).map(|_| Verdict::Wrong),
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits | TryAcquireError::Closed => PasswordError::Busy,
        })?;
        let running = self.running.clone().acquire_owned().await.map_err(|_closed| PasswordError::Busy)?;
        let work = move || {
            // The permits end with the work, not with the request: an abandoned hash still holds its memory.
            let _held = (admitted, running);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| PasswordError::Hash(error.to_string()))
    }
}

fn damaged(error: &dyn std::fmt::Display) -> PasswordError {
    PasswordError::Hash(error.to_string())
}

fn hash(password: &str, profile: Profile) -> Result<String, PasswordError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(PasswordError::Random)?;
    let hashed = profile.argon2().hash_password_with_salt(password.as_bytes(), &salt);
    hashed.map(|hash| hash.to_string()).map_err(|error| damaged(&error))
}

fn verify(password: &str, stored: &str, profile: Profile) -> Result<Verdict, PasswordError> {
    let stored = PasswordHash::new(stored).map_err(|error| damaged(&error))?;
    // argon2 takes the parameters of the hash, not its own.
    if profile.argon2().verify_password(password.as_bytes(), &stored).is_err() {
        return Ok(Verdict::Wrong);
    }
    Ok(if profile.made(&stored)? { Verdict::Right } else { Verdict::Outdated })
}

/// A hash that no password of a user has.
fn known(dummy: &OnceLock<String>, profile: Profile) -> Result<&str, PasswordError> {
    if let Some(dummy) = dummy.get() {
        return Ok(dummy);
    }
    let made = hash(generate()?.reveal(), profile)?;
    Ok(dummy.get_or_init(|| made))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_password_is_taken_and_a_known_one_is_not() {
        let rows = [
            ("correct horse battery", "admin", true),
            ("ölkännchen-fünf", "admin", true),
            ("short", "admin", false),
            ("elevenchars", "admin", false),
            ("twelve-chars", "admin", true),
            ("release-manager", "Release-Manager", false),
            ("Password1234", "admin", false),
            ("aaaaaaaaaaaa", "admin", false),
            ("passwordpassword", "admin", false),
            ("abcabcabcabcab", "admin", false),
            ("123456789012", "admin", false),
            ("210987654321", "admin", false),
            ("with a\u{7}control", "admin", false),
        ];
        for (text, login, good) in rows {
            assert_eq!(check(text, login).is_ok(), good, "{text}");
        }
        assert!(check(&"xy z".repeat(100), "admin").is_err());
    }

    #[test]
    fn generated_passwords_differ_and_are_good_ones() {
        let (one, other) = (generate().expect("random"), generate().expect("random"));
        assert_ne!(one, other);
        assert_eq!(one.reveal().len(), GENERATED_CHARACTERS);
        assert_eq!(check(one.reveal(), "admin"), Ok(()));
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_alone() {
        let passwords = Passwords::new(2, Profile::Standard);
        let composed = Secret::new("ölkännchen-fünf");
        let hash = passwords.hash(&composed).await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let decomposed: String = composed.reveal().nfd().collect();
        let rows = [
            (composed.reveal().to_owned(), Some(hash.clone()), Verdict::Right),
            (decomposed, Some(hash.clone()), Verdict::Right),
            ("another password".to_owned(), Some(hash), Verdict::Wrong),
            ("another password".to_owned(), None, Verdict::Wrong),
        ];
        for (text, stored, verdict) in rows {
            assert_eq!(passwords.verify(&Secret::new(text), stored).await.expect("a verdict"), verdict);
        }
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).expect("params"));
        let weak = weak.hash_password_with_salt(composed.reveal().as_bytes(), &[1; 16]).expect("hashed").to_string();
        assert_eq!(passwords.verify(&composed, Some(weak)).await.expect("a verdict"), Verdict::Outdated);
        assert!(matches!(passwords.verify(&composed, Some("x".into())).await, Err(PasswordError::Hash(_))));
        let high = Passwords::new(2, Profile::High);
        let better = high.hash(&composed).await.expect("hashed");
        assert!(better.starts_with("$argon2id$v=19$m=65536,t=3,p=4$"), "{better}");
        assert_eq!(high.verify(&composed, Some(better.clone())).await.expect("a verdict"), Verdict::Right);
        assert_eq!(passwords.verify(&composed, Some(better)).await.expect("a verdict"), Verdict::Outdated);
    }

    #[tokio::test]
    async fn a_login_that_nobody_has_waits_for_its_turn_to_hash_as_all_do() {
        let passwords = Passwords::new(1, Profile::Standard);
        let hash = passwords.hash(&Secret::new("a good password")).await.expect("hashed");
        let held = passwords.running.clone().acquire_owned().await.expect("free");
        let guess = Secret::new("another password");
        let mut tries = [Some(hash), None].map(|stored| Box::pin(passwords.verify(&guess, stored)));
        for one in &mut tries {
            assert!(futures_util::poll!(one).is_pending());
        }
        drop(held);
        for one in tries {
            assert_eq!(one.await.expect("a verdict"), Verdict::Wrong);
        }
    }

    #[tokio::test]
    async fn one_more_than_the_queue_holds_is_turned_away() {
        let passwords = Passwords::new(1, Profile::Standard);
        let _held = passwords.running.clone().acquire_owned().await.expect("free");
        let mut waiting: Vec<_> = (0..=QUEUE).map(|_| Box::pin(passwords.run(|| ()))).collect();
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        assert!(matches!(passwords.run(|| ()).await, Err(PasswordError::Busy)));
    }
}
