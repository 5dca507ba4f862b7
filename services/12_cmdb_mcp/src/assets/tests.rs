//! Filters over the local CMDB, and what happens when a source cannot be asked.

use super::*;
use crate::servicenow::Missing;
use crate::store::tests::store;
use crate::testing::run;
use shared::error::Code;

const TEXT: &str = "hostname,ip_address,os_type,os_version\n\
                    web1,10.0.0.1,Linux,12\n\
                    web2,10.0.0.2,linux,13\n\
                    db1,10.0.1.1,FreeBSD,14\n";

async fn ask(arguments: Value) -> Result<Value, ToolError> {
    let (store, _dir) = store(Some(TEXT));
    let tool = QueryAssets {
        store,
        remote: Arc::new(ServiceNow::Missing(Missing {
            setting: "SERVICENOW_URL",
            begun: false,
        })),
        table: "cmdb_ci_server".into(),
    };
    run(&tool, arguments).await
}

#[track_caller]
fn names(answer: &Value) -> Vec<&str> {
    let assets = answer["assets"].as_array().unwrap().iter();
    assets
        .map(|asset| asset["hostname"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn every_operator_filters() {
    for (filters, expected) in [
        (json!({}), vec!["web1", "web2", "db1"]),
        (json!({"os_type": "LINUX"}), vec!["web1", "web2"]),
        (json!({"os_version": 13}), vec!["web2"]),
        (
            json!({"os_type": {"op": "ne", "value": "linux"}}),
            vec!["db1"],
        ),
        (
            json!({"ip_address": {"op": "starts_with", "value": "10.0.0."}}),
            vec!["web1", "web2"],
        ),
        (
            json!({"hostname": {"op": "contains", "value": "B1"}}),
            vec!["web1", "db1"],
        ),
        (
            json!({"os_version": {"op": "in", "value": [12, "14"]}}),
            vec!["web1", "db1"],
        ),
        (
            json!({"os_type": "linux", "hostname": {"op": "ne", "value": "web1"}}),
            vec!["web2"],
        ),
    ] {
        let answer = ask(json!({"filters": filters})).await.unwrap();
        assert_eq!(names(&answer), expected, "{filters}");
    }
}

#[tokio::test]
async fn fields_and_limit_shape_the_answer() {
    let answer = ask(json!({"fields": ["hostname"], "limit": 2}))
        .await
        .unwrap();
    assert_eq!(
        answer["assets"],
        json!([{"hostname": "web1", "source": "local"}, {"hostname": "web2", "source": "local"}])
    );
    assert_eq!(
        answer["sources"]["local"],
        json!({"status": "ok", "count": 2, "message": null})
    );
}

#[tokio::test]
async fn a_source_that_is_not_configured_fails_alone() {
    let answer = ask(json!({"source": "all", "filters": {"os_type": "linux"}}))
        .await
        .unwrap();
    assert_eq!(answer["count"], 2);
    let report = &answer["sources"]["servicenow"];
    assert_eq!(report["status"], "failed");
    assert!(
        report["message"]
            .as_str()
            .unwrap()
            .contains("SERVICENOW_URL")
    );
    let full = ask(json!({"source": "all", "limit": 1})).await.unwrap();
    assert_eq!(full["sources"]["servicenow"]["status"], "skipped");
    let error = ask(json!({"source": "servicenow"})).await.unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
}

#[tokio::test]
async fn a_bad_filter_or_field_is_named() {
    for (arguments, message) in [
        (
            json!({"filters": {"colour": "red"}}),
            "filters.colour: is not a column of the local CMDB",
        ),
        (
            json!({"filters": {"user": null}}),
            "filters.user: expected a text or a number",
        ),
        (
            json!({"filters": {"user": {"op": "like", "value": "x"}}}),
            "filters.user: op is one of eq, ne, contains, in, starts_with",
        ),
        (
            json!({"filters": {"user": {"op": "in", "value": "x"}}}),
            "filters.user: in takes a list of 1 to 100 values",
        ),
        (
            json!({"fields": ["colour"]}),
            "fields: \"colour\" is not a column of the local CMDB",
        ),
        (
            json!({"filters": {"user": "x"}, "source": "all"}),
            "filters.user: is not a column of ServiceNow",
        ),
        (
            json!({"filters": {"a b": "x"}, "source": "servicenow"}),
            "filters.a b: is not a column of ServiceNow",
        ),
        (json!({"limit": 0}), "limit: is not between 1 and 1000"),
    ] {
        let error = ask(arguments).await.unwrap_err();
        assert_eq!(
            (error.code, error.message.as_str()),
            (Code::InvalidInput, message)
        );
    }
}
