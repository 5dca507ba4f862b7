//! Each tool that reads texts and files, or runs the program.

use crate::stub::{checkout, program};
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::Effect;
use spoke_15_freqtrade_mcp::SERVICE;
use std::path::Path;
use tempfile::TempDir;
use tests::rig::{Rig, now};

struct Desk {
    rig: Rig,
    folder: TempDir,
}

async fn desk() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    checkout(&folder.path().join("checkout"));
    program(&folder.path().join("programs"));
    std::fs::create_dir(folder.path().join("user")).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let rig = Rig::start(
        &SERVICE,
        &[
            ("FREQTRADE_SOURCE_PATH", &path("checkout")),
            ("FREQTRADE_PATH", &path("programs/freqtrade")),
            ("FREQTRADE_USER_DIR", &path("user")),
        ],
    )
    .await;
    Desk { rig, folder }
}

fn words(folder: &Path) -> String {
    let words =
        std::fs::read_to_string(folder.join("programs/freqtrade.words")).unwrap_or_default();
    words.replace('\n', " ")
}

/// Acceptance: 60
#[tokio::test]
async fn texts_are_there_without_any_setting() {
    let mut bare = Rig::start(&SERVICE, &[]).await;
    let hyperopt = bare
        .call("freqtrade.knowledge.hyperoptBestPractices", json!({}))
        .await
        .unwrap();
    assert!(
        hyperopt["text"].as_str().unwrap().contains("timerange"),
        "{hyperopt}"
    );
    let overview = bare
        .call("freqtrade.knowledge.freqAiOverview", json!({}))
        .await
        .unwrap();
    assert!(
        overview["text"]
            .as_str()
            .unwrap()
            .contains("set_freqai_targets"),
        "{overview}"
    );
    let old = json!({"version_focus": "2022"});
    let old = bare
        .call("freqtrade.knowledge.freqAiOverview", old)
        .await
        .unwrap();
    assert!(
        old["text"]
            .as_str()
            .unwrap()
            .contains("populate_any_indicators"),
        "{old}"
    );
}

/// Acceptance: 60
#[tokio::test]
async fn files_of_the_checkout_are_read_listed_and_searched_and_no_others() {
    let mut desk = desk().await;
    let list = "freqtrade.source.listDirectory";
    let read = "freqtrade.source.getFileContent";
    let top = desk.rig.call(list, json!({})).await.unwrap();
    assert_eq!(
        (&top["directories"], &top["files"]),
        (&json!(["docs", "freqtrade"]), &json!(["README.md"]))
    );
    let file = desk
        .rig
        .call(read, json!({"path": "README.md"}))
        .await
        .unwrap();
    assert_eq!(
        (&file["content"], &file["path"]),
        (&json!("# freqtrade\n"), &json!("README.md"))
    );
    let found = desk
        .rig
        .call(list, json!({"search": "sharpe LOSS"}))
        .await
        .unwrap();
    assert_eq!(
        found["files"],
        json!(["docs/hyperopt.md", "docs/faq.md"]),
        "{found}"
    );
    assert_eq!(found["matches"][0]["line"], 3);
    let below = desk
        .rig
        .call(list, json!({"path": "freqtrade", "search": "loss"}))
        .await
        .unwrap();
    assert_eq!(below["files"], json!(["freqtrade/main.py"]));
    std::os::unix::fs::symlink("/etc", desk.folder.path().join("checkout/link")).unwrap();
    for path in [
        "../programs/freqtrade",
        "/etc/passwd",
        "docs/../../x",
        "link/passwd",
        "a\nb",
    ] {
        for tool in [read, list] {
            let error = desk
                .rig
                .call(tool, json!({"path": path}))
                .await
                .unwrap_err();
            let refused = matches!(error.code, Code::InvalidInput | Code::PolicyViolation);
            assert!(refused, "{tool} {path:?}: {error}");
            assert!(
                !error
                    .to_string()
                    .contains(desk.folder.path().to_str().unwrap()),
                "{error}"
            );
        }
    }
}

/// Acceptance: 60
#[tokio::test]
async fn only_commands_that_tell_something_run_without_an_approval() {
    let mut desk = desk().await;
    let info = "freqtrade.cli.runInfoCommand";
    let version = desk
        .rig
        .call(info, json!({"subcommand": "--version"}))
        .await
        .unwrap();
    assert_eq!(
        (&version["stdout"], &version["exit_code"]),
        (&json!("freqtrade 2026.9\n"), &json!(0))
    );
    let pairs = json!({"subcommand": "list-pairs", "options": ["--exchange", "kraken"]});
    desk.rig.call(info, pairs).await.unwrap();
    let said = words(desk.folder.path());
    assert!(
        said.contains("list-pairs --exchange kraken --userdir "),
        "{said}"
    );
    for odd in [
        json!({"subcommand": "trade"}),
        json!({"subcommand": "webserver"}),
        json!({"subcommand": "list-pairs", "options": ["--config", "x"]}),
        json!({"subcommand": "list-strategies", "options": ["--strategy-path", "/etc"]}),
    ] {
        let error = desk.rig.call(info, odd.clone()).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidInput, "{odd}: {error}");
    }
    assert_eq!(words(desk.folder.path()), said, "nothing ran");
    let strategies = desk
        .rig
        .call("freqtrade.listStrategies", json!({}))
        .await
        .unwrap();
    assert_eq!(
        strategies["strategies"],
        json!([{"name": "Sample", "file": "sample.py", "status": "OK"},
            {"name": "Odd", "file": "odd.py", "status": "LOAD FAILED"}])
    );
}

#[tokio::test]
async fn long_work_runs_when_it_is_approved_and_tells_what_came_out() {
    let mut desk = desk().await;
    let hyperopt = json!({"strategy": "Sample", "epochs": 5, "spaces": ["buy", "sell"],
        "hyperopt_loss": "SharpeHyperOptLoss", "timerange": "20240101-", "random_state": 7,
        "extra_args": ["--timeframe", "1h"]});
    let done = approved(&mut desk, "freqtrade.cli.runHyperopt", hyperopt).await;
    assert_eq!(done["best"], json!({"params": {"a": 1}}), "{done}");
    let said = words(desk.folder.path());
    assert!(
        said.contains("--epochs 5 --min-trades 1 --job-workers=-1 --random-state 7"),
        "{said}"
    );
    assert!(
        said.contains("--timeframe 1h --spaces buy sell --userdir "),
        "{said}"
    );
    let tested = approved(
        &mut desk,
        "freqtrade.backtest",
        json!({"strategy": "Sample"}),
    )
    .await;
    assert_eq!(
        tested["summary"],
        json!({"Absolute profit": "1.5 USDT"}),
        "{tested}"
    );
    let trained = json!({"strategy": "Sample", "freqaimodel": "LightGBMRegressor"});
    let trained = approved(&mut desk, "freqtrade.cli.freqaiTrain", trained).await;
    assert_eq!(trained["read_only"], false);
    let data = json!({"pairs": ["BTC/USDT"], "exchange": "nowhere"});
    let data = approved(&mut desk, "freqtrade.downloadData", data).await;
    assert_eq!(
        (&data["exit_code"], &data["stderr"]),
        (&json!(2), &json!("no such exchange\n"))
    );
    for (tool, arguments) in [
        ("freqtrade.backtest", json!({"strategy": "../x"})),
        (
            "freqtrade.backtest",
            json!({"strategy": "S", "timerange": "--config=x"}),
        ),
        ("freqtrade.downloadData", json!({"pairs": ["--config"]})),
        (
            "freqtrade.cli.runHyperopt",
            json!({"strategy": "S", "extra_args": ["--config", "x"]}),
        ),
        (
            "freqtrade.cli.runHyperopt",
            json!({"strategy": "S", "spaces": ["--x"]}),
        ),
    ] {
        let error = desk
            .rig
            .approved(tool, arguments, Effect::Mutate)
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::InvalidInput, "{tool}: {error}");
    }
}

async fn approved(desk: &mut Desk, tool: &str, arguments: Value) -> Value {
    let before = words(desk.folder.path());
    let held = desk.rig.call(tool, arguments.clone()).await.unwrap_err();
    assert_eq!(held.code, Code::ApprovalRequired, "{tool}");
    assert_eq!(words(desk.folder.path()), before, "{tool}: nothing ran");
    desk.rig
        .approved(tool, arguments, Effect::Mutate)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_program_ends_with_the_call_and_its_absence_is_said() {
    let mut desk = desk().await;
    let mut call = now(
        "freqtrade.cli.runInfoCommand",
        &json!({"subcommand": "show-config"}),
    );
    call.deadline_ms = 3_000;
    let error = desk.rig.hub.call(&call).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout, "{error}");
    let mut bare = Rig::start(
        &SERVICE,
        &[("FREQTRADE_PATH", "freqtrade-that-is-not-there")],
    )
    .await;
    let error = bare
        .call("freqtrade.listStrategies", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
    assert!(error.message.contains("FREQTRADE_PATH"), "{error}");
    let error = bare
        .call("freqtrade.source.listDirectory", json!({}))
        .await
        .unwrap_err();
    assert!(error.message.contains("FREQTRADE_SOURCE_PATH"), "{error}");
}
