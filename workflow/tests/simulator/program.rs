//! Random programs: valid documents whose outcome does not depend on the order of what happens at the
//! same time. Where branches run together, nothing that may fail leaves them.

use serde_json::{Map, Value, json};

/// A task.
pub(crate) struct Node {
    pub(crate) id: u32,
    pub(crate) kind: Kind,
}

/// What it does.
pub(crate) enum Kind {
    Call(Call),
    /// Says what it sees of input and context.
    Set,
    /// Adds to the context.
    Note,
    Wait,
    Skipped,
    Raise(u16),
    Do(Vec<Node>),
    Loop {
        items: u32,
        together: Option<Together>,
        body: Vec<Node>,
    },
    Fork(Vec<Node>),
    Try(Try),
}

/// A call and how it goes.
pub(crate) struct Call {
    pub(crate) tool: &'static str,
    pub(crate) fail: u32,
    pub(crate) error: Option<u16>,
    pub(crate) lose: u32,
    pub(crate) park: u32,
    /// Variable of the innermost loop.
    pub(crate) at: Option<usize>,
    pub(crate) undo: bool,
}

/// Items at the same time.
#[derive(Clone, Copy)]
pub(crate) struct Together {
    pub(crate) concurrency: u32,
    pub(crate) tolerant: bool,
}

/// A `try`.
pub(crate) struct Try {
    pub(crate) body: Vec<Node>,
    /// Status it is for; `None` is every error.
    pub(crate) status: Option<u16>,
    pub(crate) turns: Option<u32>,
    pub(crate) handler: Vec<Node>,
}

/// Where a task may stand.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    loops: usize,
    /// Others run at the same time.
    shared: bool,
    /// An error would be confined.
    may_fail: bool,
}

/// Makes programs.
pub(crate) struct Generator {
    state: u64,
    left: u32,
    next: u32,
}

impl Generator {
    /// The program of this seed: at most 20 tasks.
    pub(crate) fn program(seed: u64) -> Vec<Node> {
        let mut own = Self {
            state: seed,
            left: 20,
            next: 0,
        };
        own.list(Place {
            depth: 0,
            loops: 0,
            shared: false,
            may_fail: true,
        })
    }

    pub(crate) fn draw(&mut self, below: u32) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(below)).unwrap()
    }

    fn list(&mut self, place: Place) -> Vec<Node> {
        let most = 1 + self.draw(4);
        let mut nodes = vec![self.node(place)];
        while self.left > 0 && u32::try_from(nodes.len()).unwrap() < most {
            nodes.push(self.node(place));
        }
        nodes
    }

    fn node(&mut self, place: Place) -> Node {
        self.left = self.left.saturating_sub(1);
        self.next += 1;
        let id = self.next;
        let deep = place.depth >= 4 || self.left == 0;
        let kinds = if deep { 8 } else { 16 };
        let below = Place {
            depth: place.depth + 1,
            ..place
        };
        let kind = match self.draw(kinds) {
            0 => Kind::Set,
            1 if !place.shared => Kind::Note,
            2 => Kind::Wait,
            3 => Kind::Skipped,
            4 if place.may_fail => Kind::Raise([418, 404][self.draw(2) as usize]),
            8 => Kind::Do(self.list(below)),
            9 | 10 => self.looped(place),
            11 | 12 => {
                let apart = Place {
                    shared: true,
                    may_fail: false,
                    ..below
                };
                Kind::Fork((0..=self.draw(2)).map(|_| self.node(apart)).collect())
            }
            13..=15 => self.attempt(place),
            _ => Kind::Call(self.call(place)),
        };
        Node { id, kind }
    }

    fn looped(&mut self, place: Place) -> Kind {
        let items = self.draw(4);
        let together = (self.draw(2) == 0).then(|| Together {
            concurrency: 1 + self.draw(3),
            tolerant: self.draw(2) == 0,
        });
        // Nothing is tolerated of nothing, and one failure of several may be too many.
        let together = together.filter(|_| items > 0);
        let below = Place {
            depth: place.depth + 1,
            loops: place.loops + 1,
            ..place
        };
        let below = match together {
            Some(together) => Place {
                shared: true,
                may_fail: together.tolerant,
                ..below
            },
            None => below,
        };
        Kind::Loop {
            items,
            together,
            body: self.list(below),
        }
    }

    fn attempt(&mut self, place: Place) -> Kind {
        let status = [None, Some(404), Some(503)][self.draw(3) as usize];
        let handles = self.draw(3) > 0;
        let turns = (self.draw(2) == 0).then(|| 1 + self.draw(2));
        let below = Place {
            depth: place.depth + 1,
            ..place
        };
        // Where errors are not confined this one must take them all, and not pass them on.
        let confined = place.may_fail || (status.is_none() && (handles || turns.is_none()));
        let body = self.list(Place {
            may_fail: confined,
            ..below
        });
        let handler = if handles {
            self.list(below)
        } else {
            Vec::new()
        };
        Kind::Try(Try {
            body,
            status,
            turns,
            handler,
        })
    }

    fn call(&mut self, place: Place) -> Call {
        let tool = ["sim.read", "sim.put", "sim.once"][self.draw(3) as usize];
        let fate = self.draw(6);
        Call {
            tool,
            fail: if fate == 0 && place.may_fail {
                1 + self.draw(7)
            } else {
                0
            },
            error: (fate == 1 && place.may_fail).then(|| [404, 409][self.draw(2) as usize]),
            lose: u32::from(fate == 2 && tool == "sim.once"),
            park: u32::from(fate == 3),
            at: place.loops.checked_sub(1),
            undo: !place.shared && self.draw(3) == 0,
        }
    }
}

/// The document of a program.
pub(crate) fn document(program: &[Node]) -> Value {
    json!({
        "document": {"dsl": "1.0.3", "namespace": "sim", "name": "random", "version": "1.0.0"},
        "do": list(program, 0),
    })
}

/// What a call is given, with `at` as it is at run time.
pub(crate) fn arguments(id: u32, call: &Call, at: Option<Value>) -> Value {
    let mut with = Map::new();
    with.insert("id".into(), id.into());
    for (name, times) in [
        ("fail", call.fail),
        ("lose", call.lose),
        ("park", call.park),
    ] {
        if times > 0 {
            with.insert(name.into(), times.into());
        }
    }
    if let Some(status) = call.error {
        with.insert("error".into(), status.into());
    }
    if let Some(at) = at {
        with.insert("at".into(), at);
    }
    with.into()
}

fn list(nodes: &[Node], loops: usize) -> Value {
    nodes
        .iter()
        .map(|node| json!({(format!("t{}", node.id)): task(node, loops)}))
        .collect()
}

fn task(node: &Node, loops: usize) -> Value {
    let id = node.id;
    match &node.kind {
        Kind::Set => json!({"set": {"v": id, "was": "${ type }", "seen": "${ $context }"}}),
        Kind::Note => {
            json!({"set": {"v": id}, "export": {"as": format!("$context + {{k{id}: 1}}")}})
        }
        Kind::Wait => json!({"wait": {"milliseconds": 1 + id}}),
        Kind::Skipped => json!({"if": "false", "set": {"v": id}}),
        // Without the condition what follows would be refused as unreachable.
        Kind::Raise(status) => {
            json!({"if": "true", "raise": {"error": {"type": "https://example.com/e", "status": status}}})
        }
        Kind::Do(nodes) => json!({"do": list(nodes, loops)}),
        Kind::Fork(nodes) => json!({"fork": {"branches": list(nodes, loops)}}),
        Kind::Loop {
            items,
            together,
            body,
        } => {
            let mut task = json!({
                "for": {
                    "in": format!("[range({items})]"),
                    "each": format!("item{loops}"),
                    "at": format!("at{loops}"),
                },
                "do": list(body, loops + 1),
            });
            if let Some(Together {
                concurrency,
                tolerant,
            }) = together
            {
                let most = if *tolerant { json!("100%") } else { json!(0) };
                task["metadata"] =
                    json!({"hub": {"for": {"concurrency": concurrency, "maxFailures": most}}});
            }
            task
        }
        Kind::Try(of) => {
            let mut catch = Map::new();
            if let Some(status) = of.status {
                catch.insert("errors".into(), json!({"with": {"status": status}}));
            }
            if let Some(turns) = of.turns {
                let retry =
                    json!({"delay": {"seconds": 1}, "limit": {"attempt": {"count": turns}}});
                catch.insert("retry".into(), retry);
            }
            if !of.handler.is_empty() {
                catch.insert("do".into(), list(&of.handler, loops));
            }
            json!({"try": list(&of.body, loops), "catch": catch})
        }
        Kind::Call(call) => {
            let at = call.at.map(|at| json!(format!("${{ $at{at} }}")));
            let mut task = json!({"call": call.tool, "with": arguments(id, call, at)});
            if call.undo {
                task["metadata"] =
                    json!({"hub": {"compensate": {"call": "sim.undo", "with": {"undo": id}}}});
            }
            task
        }
    }
}
