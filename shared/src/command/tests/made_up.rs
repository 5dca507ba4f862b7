//! The policy against arguments made up at random.

use super::*;
use crate::command::grammar::Type;
use proptest::prelude::*;
use std::path::PathBuf;

fn program_and_words() -> impl Strategy<Value = (String, Vec<String>)> {
    let rules = &*RULES;
    let mut cases = Vec::new();
    for (program, flags) in &rules.dangerous {
        let Some(rule) = rules.read.get(program) else {
            continue;
        };
        let mut words: Vec<String> = rule.flags().cloned().collect();
        words.extend(rule.words.concat());
        words.extend(["/etc/hosts", "1", "x", "--"].map(str::to_owned));
        cases.push((program.clone(), words, flags.clone()));
    }
    prop::sample::select(cases).prop_flat_map(|(program, words, flags)| {
        let noise = prop::collection::vec(prop::sample::select(words), 0..6);
        let flag = prop::sample::select(flags);
        (Just(program), noise, flag, any::<prop::sample::Index>()).prop_map(
            |(program, mut words, flag, at)| {
                words.insert(at.index(words.len() + 1), flag);
                (program, words)
            },
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Wherever a dangerous flag stands as a flag, the call is not a read.
    #[test]
    fn no_read_rule_takes_a_dangerous_flag((program, words) in program_and_words()) {
        let rules = &*RULES;
        let dangerous = rules.dangerous.iter().find(|(name, _)| *name == program).unwrap();
        let rule = &rules.read[&program];
        let accepted = rule.accept(&words).is_ok();
        // Behind `--`, or as the value of a flag that takes text, it is only text.
        let as_text = words.iter().enumerate().all(|(at, word)| {
            let before = &words[..at];
            let value = before.last().is_some_and(|flag| {
                matches!(rule.valued.get(flag), Some(Type::Text(_)))
            });
            !dangerous.1.contains(word) || value || before.iter().any(|word| word == "--")
        });
        prop_assert!(!accepted || as_text, "{program} {words:?}");
    }

    #[test]
    fn no_arguments_make_it_panic(line in "(ls|find|grep|ssh|rm|ps) [-a-z=/. ';]{0,60}") {
        drop(judge(&USUAL, &line));
    }

    #[test]
    fn a_read_names_only_allowed_paths(path in "(/|\\.\\./|etc|root|tmp|\\.|x|//){1,8}") {
        if reads(&USUAL, &format!("cat '{path}'")) {
            let real = PathBuf::from("/etc").join(&path).canonicalize().unwrap();
            let inside = ["/etc", "/var/log", "/tmp"].iter().any(|root| real.starts_with(root));
            prop_assert!(inside, "{path} leads to {real:?}");
        }
    }
}
