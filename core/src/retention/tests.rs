//! What rules remove of given versions.

use uuid::Uuid;

use super::*;

const NOW: i64 = 1_700_000_000;

fn at(days_ago: i64) -> Timestamp {
    Timestamp::from_second(NOW - days_ago * 24 * 60 * 60 - 1).expect("a time")
}

fn rule(keep_last: Option<u32>, older_than_days: Option<u32>, unused_for_days: Option<u32>) -> Rule {
    Rule { packages: Vec::new(), keep_last, older_than_days, unused_for_days }
}

/// Versions `v1…` with their age in days, the oldest first; a letter behind says yanked, blocked or pinned, a
/// second number the days since its last use.
fn versions(texts: &[&str]) -> PackageVersions {
    let candidate = |(number, text): (usize, &&str)| {
        let (age, used) = text.split_once('/').map_or((*text, None), |(age, used)| (age, Some(used)));
        let age: i64 = age.trim_end_matches(['y', 'b', 'p']).parse().expect("an age");
        Candidate {
            id: ArtifactId(Uuid::from_u128(number as u128)),
            version: VersionName::try_from(format!("v{}", number + 1).as_str()).expect("a version"),
            state: match text {
                text if text.contains('y') => ArtifactState::Yanked,
                text if text.contains('b') => ArtifactState::Blocked,
                _ => ArtifactState::Active,
            },
            published_at: at(age),
            last_used_on: used.map(|days| day_of(at(days.parse().expect("days")))),
            pinned: text.contains('p'),
            bytes: 1,
        }
    };
    let package = PackageName::try_from("corp.example/team/m").expect("a package");
    PackageVersions { key: 1, package, versions: texts.iter().enumerate().map(candidate).collect() }
}

fn gone(rules: Vec<Rule>, of: &PackageVersions) -> Vec<String> {
    let rules = Rules::try_from(rules).expect("good rules");
    let now = Timestamp::from_second(NOW).expect("a time");
    let mut doomed: Vec<_> =
        rules.doomed(of, 0, now).iter().map(|one| format!("{}:{}", one.coordinate.version, one.rule)).collect();
    doomed.sort();
    doomed
}

#[test]
fn a_version_goes_when_all_conditions_of_one_rule_hold() {
    let rows: [(Rule, &[&str], &[&str]); 11] = [
        (rule(Some(2), None, None), &["9", "8", "7", "6"], &["v1:1", "v2:1"]),
        (rule(Some(9), None, None), &["9", "8", "7", "6"], &[]),
        (rule(None, Some(7), None), &["9", "8", "7", "6"], &["v1:1", "v2:1", "v3:1"]),
        (rule(Some(2), Some(8), None), &["9", "8", "7", "6"], &["v1:1", "v2:1"]),
        (rule(Some(3), Some(1), None), &["9", "8", "7", "6"], &["v1:1"]),
        // The newest stays, whatever a rule says, and so does what is pinned.
        (rule(Some(0), None, None), &["9", "8"], &["v1:1"]),
        (rule(Some(0), None, None), &["9p", "8", "7"], &["v2:1"]),
        // A pin does not cost another version its place, a yanked one takes none.
        (rule(Some(2), None, None), &["9", "8", "7y", "6", "5y"], &["v1:1"]),
        (rule(Some(0), None, None), &["9", "8", "7y", "6b"], &["v1:1", "v3:1", "v4:1"]),
        (rule(Some(0), None, None), &["9y", "8y"], &["v1:1"]),
        (rule(None, None, Some(5)), &["9", "9/6", "9/5", "4", "9/1", "0"], &["v1:1", "v2:1"]),
    ];
    for (number, (rule, ages, expected)) in rows.into_iter().enumerate() {
        assert_eq!(gone(vec![rule], &versions(ages)), expected, "row {number}");
    }
}

#[test]
fn rules_concern_the_packages_of_their_patterns() {
    let of = versions(&["9", "8"]);
    for (pattern, concerned) in [("corp.example/*", true), ("*", true), ("corp.example/m", false)] {
        let rule = Rule { packages: vec![pattern.to_owned()], ..rule(Some(1), None, None) };
        assert_eq!(gone(vec![rule], &of).len(), usize::from(concerned), "{pattern}");
    }
    let elsewhere = Rule { packages: vec!["other/*".to_owned()], ..rule(Some(0), None, None) };
    assert_eq!(gone(vec![elsewhere, rule(Some(1), None, None)], &of), ["v1:2"]);
    assert_eq!(gone(Vec::new(), &of), [""; 0]);
}

#[test]
fn what_was_used_before_uses_were_recorded_counts_from_then_on() {
    let rules = Rules::try_from(vec![rule(None, None, Some(5))]).expect("good rules");
    let (of, now) = (versions(&["90", "80"]), Timestamp::from_second(NOW).expect("a time"));
    let known_since = |days_ago| day_of(now) - days_ago;
    assert_eq!(rules.doomed(&of, known_since(5), now).len(), 0);
    assert_eq!(rules.doomed(&of, known_since(6), now).len(), 1);
}

#[test]
fn a_rule_needs_a_condition_and_good_patterns() {
    let bad = [
        (vec![rule(None, None, None)], 1),
        (vec![rule(Some(1), None, None), Rule { packages: vec!["a**".into()], ..rule(Some(1), None, None) }], 2),
        (vec![rule(Some(1), None, None); RETENTION_RULES + 1], RETENTION_RULES + 1),
    ];
    for (rules, number) in bad {
        assert_eq!(Rules::try_from(rules).expect_err("refused").number, number);
    }
    let text = r#"[{"packages":["a/*"],"keep_last":3}]"#;
    let rules: Rules = serde_json::from_str(text).expect("rules");
    assert_eq!(serde_json::to_string(&rules).expect("a text"), text);
    assert!(serde_json::from_str::<Rules>(r#"[{"keep_lest":3}]"#).is_err());
}
