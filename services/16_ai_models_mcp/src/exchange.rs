//! One call of a model, every step in order: may they, can they afford it, what was said before, ask,
//! write down what it cost, remember what was said.
//!
//! From asking on the work goes on without its caller: what was paid for is written down even when
//! nobody waits for the answer any more.

use crate::allowance::Allowance;
use crate::prices::Prices;
use crate::provider::{Answer, Kind, Place, Question, Role, Turn};
use crate::store::{Kept, Said, Spent, Store};
use shared::clock::SharedClock;
use shared::error::Code;
use shared::tasks::Tasks;
use shared::tool::{Call, ToolError};
use std::sync::Arc;

/// Longest id of a conversation, in bytes.
const MAX_ID: usize = 64;
/// Characters of a token, about, where a provider counts only the whole.
const CHARACTERS: u64 = 4;

/// What calls of models need.
pub(crate) struct Exchange {
    pub(crate) gemini: Place,
    pub(crate) anthropic: Place,
    pub(crate) store: Store,
    pub(crate) prices: Prices,
    pub(crate) allowance: Allowance,
    pub(crate) context_tokens: u64,
    /// US dollars in 24 hours; `None`: no limit.
    pub(crate) budget: Option<f64>,
    pub(crate) clock: SharedClock,
    pub(crate) tasks: Tasks,
}

/// What a tool asks.
pub(crate) struct Asked {
    pub(crate) kind: Kind,
    pub(crate) model: String,
    pub(crate) prompt: String,
    pub(crate) system: Option<String>,
    pub(crate) temperature: Option<f64>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) conversation: Option<String>,
}

/// What it gets.
pub(crate) struct Told {
    pub(crate) answer: Answer,
    /// US dollars; `None`: the model has no price.
    pub(crate) cost: Option<f64>,
    pub(crate) conversation: Option<String>,
}

impl Exchange {
    /// The provider of this kind.
    pub(crate) const fn place(&self, kind: Kind) -> &Place {
        match kind {
            Kind::Gemini => &self.gemini,
            Kind::Anthropic => &self.anthropic,
        }
    }

    /// Asks a model.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        asked: Asked,
        call: &Call,
    ) -> Result<Told, ToolError> {
        if let Some(id) = &asked.conversation {
            checked_id(id)?;
        }
        self.place(asked.kind).ready()?;
        self.allowance.take(&call.principal)?;
        self.afford(&call.principal).await?;
        let question = self.question(&asked, &call.principal).await?;
        let (own, principal) = (Arc::clone(self), call.principal.clone());
        let work = async move { own.paid(asked, &question, &principal).await };
        let done = self.tasks.spawn("ai.ask", work).await;
        done.map_err(|error| {
            tracing::error!(event = "ai.ask", %error, "a call of a model ended badly");
            ToolError::new(Code::InternalError, "an internal error occurred")
        })?
    }

    async fn afford(&self, principal: &str) -> Result<(), ToolError> {
        let Some(budget) = self.budget else {
            return Ok(());
        };
        let now = self.clock.now().as_second();
        match self.store.spent_today(principal, now).await? < budget {
            true => Ok(()),
            false => {
                let message = "this caller has spent the budget of 24 hours (AI_BUDGET_USD)";
                Err(ToolError::refused(Code::QuotaExceeded, message))
            }
        }
    }

    async fn question(&self, asked: &Asked, principal: &str) -> Result<Question, ToolError> {
        let mut turns = match &asked.conversation {
            None => Vec::new(),
            Some(id) => {
                let provider = self.store.provider_of(principal, id).await?;
                if provider.is_some_and(|word| word != asked.kind.word()) {
                    let message = "the conversation is with another provider; begin a new one";
                    return Err(ToolError::refused(Code::Conflict, message));
                }
                let kept = self.store.turns(principal, id).await?;
                recent(
                    kept,
                    self.context_tokens.saturating_sub(about(&asked.prompt)),
                )
            }
        };
        turns.push(Turn {
            role: Role::User,
            content: asked.prompt.clone(),
        });
        Ok(Question {
            model: asked.model.clone(),
            system: asked.system.clone(),
            turns,
            temperature: asked.temperature,
            max_tokens: asked.max_tokens,
        })
    }

    async fn paid(
        &self,
        asked: Asked,
        question: &Question,
        principal: &str,
    ) -> Result<Told, ToolError> {
        let answer = self.place(asked.kind).ready()?.ask(question).await?;
        let named = self.prices.cost(&answer.model, answer.tokens);
        let cost = named.or_else(|| self.prices.cost(&asked.model, answer.tokens));
        let now = self.clock.now().as_second();
        let spent = Spent {
            principal,
            kind: asked.kind,
            model: &asked.model,
            tokens: answer.tokens,
            cost,
        };
        // The answer is paid for: it is given even when it cannot be written down.
        if let Err(error) = self.store.spend(spent, now).await {
            lost(&error, "the usage of a call could not be written down");
        }
        let said = Said {
            question_tokens: about(&asked.prompt),
            question: asked.prompt,
            answer: answer.text.clone(),
            answer_tokens: answer.tokens.output,
        };
        let mut conversation = asked.conversation;
        if let Some(id) = &conversation
            && let Err(error) = self
                .store
                .append((principal, id, asked.kind), &said, now)
                .await
        {
            lost(&error, "a turn of a conversation could not be written down");
            conversation = None;
        }
        Ok(Told {
            answer,
            cost,
            conversation,
        })
    }
}

/// The id of a conversation, which its owner chooses.
pub(crate) fn checked_id(id: &str) -> Result<(), ToolError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match (1..=MAX_ID).contains(&id.len()) && id.bytes().all(plain) {
        true => Ok(()),
        false => Err(ToolError::invalid(
            "conversation_id",
            "is not 1 to 64 letters, digits, dashes, dots and underscores",
        )),
    }
}

/// The newest turns that fit, oldest first, beginning with a question.
fn recent(kept: Vec<Kept>, tokens: u64) -> Vec<Turn> {
    let mut left = tokens;
    let mut turns: Vec<Turn> = Vec::new();
    for turn in kept.into_iter().rev() {
        let Some(rest) = left.checked_sub(turn.tokens) else {
            break;
        };
        left = rest;
        turns.push(Turn {
            role: turn.role,
            content: turn.content,
        });
    }
    while turns
        .last()
        .is_some_and(|turn| turn.role == Role::Assistant)
    {
        turns.pop();
    }
    turns.reverse();
    // An empty answer (a refusal) is nothing providers take back.
    let empty = |turn: &Turn| turn.content.is_empty();
    match turns.iter().any(empty) {
        true => without_empty(turns),
        false => turns,
    }
}

fn without_empty(turns: Vec<Turn>) -> Vec<Turn> {
    let mut kept: Vec<Turn> = Vec::with_capacity(turns.len());
    for turn in turns {
        match turn.content.is_empty() {
            false => kept.push(turn),
            // The question goes with its answer, so that turns alternate.
            true => drop(kept.pop()),
        }
    }
    kept
}

fn about(text: &str) -> u64 {
    let characters = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    characters.div_ceil(CHARACTERS).max(1)
}

fn lost(error: &crate::store::StoreError, what: &str) {
    tracing::error!(
        event = "ai.store",
        error = error as &dyn std::error::Error,
        "{what}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(turns: &[(Role, &str, u64)]) -> Vec<Kept> {
        let kept = turns.iter().map(|(role, content, tokens)| Kept {
            role: *role,
            content: (*content).to_owned(),
            tokens: *tokens,
            at: 0,
        });
        kept.collect()
    }

    #[track_caller]
    fn check(turns: &[(Role, &str, u64)], tokens: u64, expected: &[&str]) {
        let recent = recent(kept(turns), tokens);
        let contents: Vec<&str> = recent.iter().map(|turn| turn.content.as_str()).collect();
        assert_eq!(contents, expected);
    }

    #[test]
    fn the_oldest_turns_are_left_out_first_and_a_question_begins() {
        use Role::{Assistant, User};
        let turns = [
            (User, "a", 10),
            (Assistant, "A", 10),
            (User, "b", 10),
            (Assistant, "B", 10),
        ];
        check(&turns, 100, &["a", "A", "b", "B"]);
        check(&turns, 35, &["b", "B"]);
        check(&turns, 19, &[]);
        let refused = [
            (User, "a", 1),
            (Assistant, "", 0),
            (User, "b", 1),
            (Assistant, "B", 1),
        ];
        check(&refused, 100, &["b", "B"]);
    }
}
