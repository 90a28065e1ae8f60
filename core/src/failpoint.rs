//! Places at which a build for fault tests can be held up, killed or made to fail. Every other build has none:
//! without the feature `failpoints` the macro [`failpoint!`](crate::failpoint!) leaves nothing behind, and a test
//! looks for the marker in the program.
//!
//! `KEEPER_FAILPOINTS` says what happens where:
//!
//! ```text
//! F5=kill                          the process is gone, without a last word
//! F10=panic(2)                     a panic, the second time
//! F8=sleep(200)                    200 ms
//! F3=errno(5,3)                    the third time, errno 5
//! F31=sleep(3,25%);F32=sleep(1)    one time in four; always
//! ```
//!
//! The places, each right before its step unless it says "after":
//!
//! ```text
//! F1 create the received file   F2 inspect   F3 fsync it   F4 rename   F5 fsync the folder   F6 to the writer
//! F7 rows of a publication, in the transaction   F8 after its COMMIT   F9 after memory has followed
//! F10 after any COMMIT, before the answers
//! F20 rows of a deletion, in the transaction     F21 after memory has followed
//! F30 mark   F31 rows of waste, in the transaction   F32 remove bytes   F33 look at a shelf
//! F40 ask an upstream
//! ```
//!
//! A place that sleeps holds its thread, also in asynchronous code: that is what a fault test wants.
//!
//! The crate `fail` does much the same. It turns on features of crates that half of our dependencies use, so that all of
//! these would be compiled a second time.

/// Passes a place of this name; with a second argument, which makes the function's error of an [`std::io::Error`],
/// the place can also fail.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal $(, $error:expr)?) => {};
}

/// Passes a place of this name; with a second argument, which makes the function's error of an [`std::io::Error`],
/// the place can also fail.
#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        let _only_passed = $crate::failpoint::pass($name);
    };
    ($name:literal, $error:expr) => {
        if let Err(error) = $crate::failpoint::pass($name) {
            return Err(($error)(error));
        }
    };
}

#[cfg(feature = "failpoints")]
pub use alive::{arm, pass};

#[cfg(feature = "failpoints")]
mod alive {
    use std::collections::HashMap;
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// Where it says what happens; a program without failpoints does not even have the name.
    const VARIABLE: &str = "KEEPER_FAILPOINTS";

    static PLACES: OnceLock<HashMap<String, Place>> = OnceLock::new();

    struct Place {
        what: What,
        when: When,
        passed: AtomicU64,
    }

    #[derive(Debug, PartialEq)]
    enum What {
        Kill,
        Panic,
        Sleep(Duration),
        Errno(i32),
    }

    #[derive(Debug, PartialEq)]
    enum When {
        Always,
        /// That time only; the first is 1.
        Nth(u64),
        /// So many of a hundred times.
        Percent(u64),
    }

    /// Reads `KEEPER_FAILPOINTS`. To be called once, before anything else.
    ///
    /// # Panics
    /// When it cannot be read: a fault test with a mistyped place would prove nothing.
    pub fn arm() {
        let wanted = std::env::var(VARIABLE).unwrap_or_default();
        let places = wanted.split(';').filter(|place| !place.is_empty()).map(|text| {
            let parsed = text.split_once('=').and_then(|(name, rest)| Some((name.to_owned(), parse(rest)?)));
            let (name, (what, when)) = parsed.unwrap_or_else(|| panic!("{VARIABLE}: {text} is not understood"));
            (name, Place { what, when, passed: AtomicU64::new(0) })
        });
        PLACES.get_or_init(|| places.collect());
    }

    /// `kill`, `sleep(200)`, `errno(5,3)`, `sleep(3,25%)`.
    fn parse(text: &str) -> Option<(What, When)> {
        let (word, arguments) = text.split_once('(').unwrap_or((text, ""));
        let mut arguments = arguments.trim_end_matches(')').split(',').filter(|argument| !argument.is_empty());
        let what = match word {
            "kill" => What::Kill,
            "panic" => What::Panic,
            "sleep" => What::Sleep(Duration::from_millis(arguments.next()?.parse().ok()?)),
            "errno" => What::Errno(arguments.next()?.parse().ok()?),
            _ => return None,
        };
        let when = match arguments.next() {
            None => When::Always,
            Some(text) => match text.strip_suffix('%') {
                Some(percent) => When::Percent(percent.parse().ok()?),
                None => When::Nth(text.parse().ok()?),
            },
        };
        Some((what, when))
    }

    /// Does what is wanted at this place.
    ///
    /// # Errors
    /// The errno that is wanted.
    pub fn pass(name: &str) -> io::Result<()> {
        let Some(place) = PLACES.get().and_then(|places| places.get(name)) else { return Ok(()) };
        let passed = place.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let is_meant = match place.when {
            When::Always => true,
            When::Nth(nth) => passed == nth,
            // Spread evenly, and the same each time.
            When::Percent(percent) => passed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 < percent * (1 << 32) / 100,
        };
        match &place.what {
            _ if !is_meant => Ok(()),
            What::Kill => std::process::abort(),
            What::Panic => panic!("the failpoint {name}"),
            What::Sleep(time) => {
                std::thread::sleep(*time);
                Ok(())
            }
            What::Errno(errno) => Err(io::Error::from_raw_os_error(*errno)),
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_is_wanted_is_understood_or_refused() {
            for (text, parsed) in [
                ("kill", Some((What::Kill, When::Always))),
                ("sleep(200)", Some((What::Sleep(Duration::from_millis(200)), When::Always))),
                ("errno(5,3)", Some((What::Errno(5), When::Nth(3)))),
                ("sleep(3,25%)", Some((What::Sleep(Duration::from_millis(3)), When::Percent(25)))),
                ("sleep", None),
                ("panic(2)", Some((What::Panic, When::Nth(2)))),
                ("fall", None),
                ("errno(five)", None),
            ] {
                assert_eq!(parse(text), parsed, "{text}");
            }
        }
    }
}
