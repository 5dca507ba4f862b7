//! Random programs against the model: 10,000 a run, each crashed twice. A failure names the seed and
//! shows the program.

use crate::definitions::Case;
use crate::model::Model;
use crate::program::{Generator, document};
use std::sync::Arc;
use workflow::expression::Expressions;

const PROGRAMS: u64 = 10_000;

fn check(seed: u64, expressions: &Arc<Expressions>) {
    let program = Generator::program(seed);
    let text = document(&program).to_string();
    let mut model = Model::default();
    let ending = model.run(&program);
    let case = Case::read(&format!("program {seed}"), &text, expressions);
    let first = u32::try_from(seed * 7 % 41).unwrap() + 1;
    let crashes = [first, first + u32::try_from(seed % 19).unwrap()];
    let report = case
        .run(seed, &crashes)
        .unwrap_or_else(|wrong| panic!("program {seed}: {}\n{text}", wrong.0));
    assert_eq!(
        report.ending, ending,
        "program {seed}: another ending\n{text}"
    );
    assert_eq!(
        report.effects, model.effects,
        "program {seed}: other effects\n{text}"
    );
}

#[test]
fn random_programs_come_to_what_the_model_says() {
    let expressions = Arc::new(Expressions::default());
    for seed in 0..PROGRAMS {
        check(seed, &expressions);
    }
}
