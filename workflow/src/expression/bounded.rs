//! Rewrites programs so that no value outgrows its bound.
//!
//! Steps are counted elsewhere, but one step can double a value. So everything that builds a larger
//! value out of others (arrays, objects, `+`, `*`, texts with expressions in them, assignments) is
//! weighed before it is handed on, counting what is shared as often as it is seen. Natives of the
//! libraries give nothing much larger than what they are given.

use super::meter::Metered;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::native::{Fun, bome, run};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};
use jaq_core::{Bind, Cv, Error};
use jaq_json::{Num, Val};

/// Heaviest value, in bytes of its JSON text, roughly.
const HEAVIEST: usize = 32 * 1024 * 1024;
/// Deepest value; what is read from outside is never that deep.
const DEEPEST: usize = 256;
/// Longest integer that is multiplied, in bits.
const LONGEST: u64 = 4096;
/// Bytes weighed in one step.
const PER_STEP: usize = 4096;
/// Names no program can spell.
const CHECKED: &str = "checked value";
const TIMES: &str = "checked product";
const FACTOR: &str = "$checked factor";

type Program<'s> = Term<&'s str>;

/// A definition whose values are weighed.
pub(super) fn definition(def: Def<&str>) -> Def<&str> {
    Def {
        name: def.name,
        args: def.args,
        body: term(def.body),
    }
}

/// A program whose values are weighed.
pub(super) fn term<'s>(program: Program<'s>) -> Program<'s> {
    let boxed = |it: Box<Program<'s>>| Box::new(term(*it));
    match program {
        Term::Str(format, parts) => text(format, parts),
        Term::Arr(inner) => checked(Term::Arr(inner.map(boxed))),
        Term::Obj(fields) => {
            let field = |(key, value): (Program<'s>, Option<_>)| (term(key), value.map(term));
            checked(Term::Obj(fields.into_iter().map(field).collect()))
        }
        Term::Neg(inner) => Term::Neg(boxed(inner)),
        Term::BinOp(left, operator, right) => binary(term(*left), operator, term(*right)),
        Term::Label(name, inner) => Term::Label(name, boxed(inner)),
        Term::Fold(name, inner, over, terms) => {
            let terms = terms.into_iter().map(term).collect();
            Term::Fold(name, boxed(inner), pattern(over), terms)
        }
        Term::TryCatch(inner, handler) => Term::TryCatch(boxed(inner), handler.map(boxed)),
        Term::IfThenElse(cases, otherwise) => {
            let case = |(when, then)| (term(when), term(then));
            let cases = cases.into_iter().map(case).collect();
            Term::IfThenElse(cases, otherwise.map(boxed))
        }
        Term::Def(defs, inner) => {
            Term::Def(defs.into_iter().map(definition).collect(), boxed(inner))
        }
        Term::Call(name, arguments) => Term::Call(name, arguments.into_iter().map(term).collect()),
        Term::Path(inner, Path(parts)) => {
            let part = |(it, optional)| (part(it), optional);
            Term::Path(boxed(inner), Path(parts.into_iter().map(part).collect()))
        }
        leaf @ (Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_)) => leaf,
    }
}

fn checked(program: Program<'_>) -> Program<'_> {
    let check = Term::Call(CHECKED, Vec::new());
    Term::BinOp(Box::new(program), BinaryOp::Pipe(None), Box::new(check))
}

fn binary<'s>(left: Program<'s>, operator: BinaryOp<&'s str>, right: Program<'s>) -> Program<'s> {
    let join = |left, operator, right| Term::BinOp(Box::new(left), operator, Box::new(right));
    match operator {
        BinaryOp::Math(Math::Mul) => Term::Call(TIMES, vec![left, right]),
        BinaryOp::UpdateMath(Math::Mul) => {
            let times = Term::Call(TIMES, vec![Term::Id, Term::Var(FACTOR)]);
            let update = checked(join(left, BinaryOp::Update, times));
            let bind = BinaryOp::Pipe(Some(Pattern::Var(FACTOR)));
            join(right, bind, update)
        }
        BinaryOp::Math(Math::Add)
        | BinaryOp::Assign
        | BinaryOp::Update
        | BinaryOp::UpdateMath(_)
        | BinaryOp::UpdateAlt => checked(join(left, operator, right)),
        BinaryOp::Pipe(Some(over)) => join(left, BinaryOp::Pipe(Some(pattern(over))), right),
        other => join(left, other, right),
    }
}

/// A text with expressions in it, put together piece by piece.
fn text<'s>(format: Option<&'s str>, parts: Vec<StrPart<&'s str, Program<'s>>>) -> Program<'s> {
    if !parts.iter().any(|part| matches!(part, StrPart::Term(_))) {
        return Term::Str(format, parts);
    }
    let piece = |part| match part {
        StrPart::Term(inner) => Term::Str(format, vec![StrPart::Term(checked(term(inner)))]),
        other => Term::Str(None, vec![other]),
    };
    let mut pieces = parts.into_iter().map(piece);
    let first = pieces.next().unwrap_or_default();
    pieces.fold(first, |all, piece| {
        let add = BinaryOp::Math(Math::Add);
        checked(Term::BinOp(Box::new(all), add, Box::new(piece)))
    })
}

fn pattern(it: Pattern<&str>) -> Pattern<&str> {
    match it {
        Pattern::Arr(items) => Pattern::Arr(items.into_iter().map(pattern).collect()),
        Pattern::Obj(fields) => {
            let field = |(key, value)| (term(key), pattern(value));
            Pattern::Obj(fields.into_iter().map(field).collect())
        }
        name @ Pattern::Var(_) => name,
    }
}

fn part<'s>(it: Part<Program<'s>>) -> Part<Program<'s>> {
    match it {
        Part::Index(index) => Part::Index(term(index)),
        Part::Range(from, to) => Part::Range(from.map(term), to.map(term)),
    }
}

/// What rewritten programs call.
pub(super) fn natives() -> [Fun<Metered>; 2] {
    let two = [Bind::Var(()), Bind::Var(())];
    [
        run((CHECKED, [].into(), |cv| bome(weighed(&cv)))),
        run((TIMES, two.into(), |mut cv| {
            let right = cv.0.pop_var();
            let left = cv.0.pop_var();
            bome(multiplied(&cv, left, right))
        })),
    ]
}

type Weighed = Result<Val, Error<Val>>;

fn weighed(cv: &Cv<'_, Metered>) -> Weighed {
    let mut left = HEAVIEST;
    let fits = weigh(&cv.1, &mut left, 0);
    let steps = (HEAVIEST - left) / PER_STEP;
    cv.0.data().charge(u64::try_from(steps).unwrap_or(u64::MAX));
    if fits {
        Ok(cv.1.clone())
    } else {
        Err(too_large())
    }
}

fn multiplied(cv: &Cv<'_, Metered>, left: Val, right: Val) -> Weighed {
    let long = |it: &Val| matches!(it, Val::Num(Num::BigInt(it)) if it.bits() > LONGEST);
    let heavy = match (&left, &right) {
        (Val::TStr(text) | Val::BStr(text), Val::Num(count))
        | (Val::Num(count), Val::TStr(text) | Val::BStr(text)) => {
            let count = count.as_isize().unwrap_or(isize::MAX).unsigned_abs();
            text.len().saturating_mul(count) > HEAVIEST
        }
        _ => long(&left) || long(&right),
    };
    if heavy {
        return Err(too_large());
    }
    let product = (left * right)?;
    weighed(&(cv.0.clone(), product))
}

fn too_large() -> Error<Val> {
    Error::str("a value grows too large")
}

/// Takes the weight of a value off what is left; false when that is not enough, or it is too deep.
fn weigh(value: &Val, left: &mut usize, depth: usize) -> bool {
    if depth > DEEPEST {
        return false;
    }
    let own = match value {
        Val::TStr(text) | Val::BStr(text) => text.len() + 2,
        Val::Num(Num::BigInt(it)) => usize::try_from(it.bits() / 3).unwrap_or(usize::MAX),
        _ => 4,
    };
    let Some(rest) = left.checked_sub(own) else {
        return false;
    };
    *left = rest;
    match value {
        Val::Arr(items) => items.iter().all(|it| weigh(it, left, depth + 1)),
        Val::Obj(fields) => fields
            .iter()
            .all(|(key, value)| weigh(key, left, depth + 1) && weigh(value, left, depth + 1)),
        _ => true,
    }
}
