//! What the page may do: load its own files, talk to its own server, nothing else.
//!
//! Inline scripts are named by the SHA-256 of their text, so no other text runs as one. The one inline style that is
//! allowed is that of SvelteKit's live region, which tells a screen reader the title of a new page.
//! `trusted-types` names the two places that may turn a text into markup: the templates of Svelte, and the README.

use sha2::{Digest as _, Sha256};

/// The hash of the style of SvelteKit's live region.
const ANNOUNCER: &str = "'sha256-S8qMpvofolR8Mpjy4kQvEm7m1q8clzU4dfDH0AmvZjo='";

/// The policy for this page.
pub(crate) fn of(page: &str) -> String {
    let scripts: String = inline_scripts(page).map(|text| format!(" '{}'", hash(text))).collect();
    format!(
        "default-src 'none'; script-src 'self'{scripts}; style-src 'self'; \
         style-src-attr 'unsafe-hashes' {ANNOUNCER}; img-src 'self'; font-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types svelte-trusted-html keeper-readme"
    )
}

/// The texts of the scripts that stand in the page.
fn inline_scripts(page: &str) -> impl Iterator<Item = &str> {
    page.split("<script>").skip(1).filter_map(|rest| rest.split_once("</script>").map(|(text, _)| text))
}

fn hash(text: &str) -> String {
    format!("sha256-{}", data_encoding::BASE64.encode(&Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inline_script_is_named_by_the_hash_of_its_text() {
        // printf 'a()' | openssl dgst -sha256 -binary | base64
        let known = "sha256-qVpDBgj7bpq5hMAcGp3AOc79J3Y1Z4HvySTwKrWDoy4=";
        let policy = of("<script>a()</script><script src=\"/x\"></script>");
        assert!(policy.contains(&format!("script-src 'self' '{known}';")), "{policy}");
    }
}
