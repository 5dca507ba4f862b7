//! What a scrape shows after what happened.

use super::*;

const TOOK: Duration = Duration::from_millis(3);

fn check(happens: impl Fn(&Metrics), expected: &[&str]) {
    let metrics = Metrics::new("1.2.3");
    happens(&metrics);
    let text = metrics.render();
    for line in expected {
        assert!(
            text.lines().any(|seen| seen == *line),
            "{line} is not in\n{text}"
        );
    }
}

/// Acceptance: 88, 89
#[test]
fn every_call_is_counted_and_timed_once() {
    check(
        |metrics| {
            for _ in 0..2 {
                metrics.call_ended("12_cmdb_mcp", "cmdb.local.list", TOOK, None::<ErrorType>);
            }
        },
        &[
            r#"mcp_requests_total{service="12_cmdb_mcp",tool="cmdb.local.list"} 2"#,
            r#"mcp_request_duration_seconds_count{service="12_cmdb_mcp",tool="cmdb.local.list"} 2"#,
        ],
    );
}

/// Acceptance: 91
#[test]
fn errors_are_counted_by_type() {
    check(
        |metrics| metrics.call_ended("s", "s.t", TOOK, Some(ErrorType::Timeout)),
        &[
            r#"mcp_errors_total{error_type="timeout",service="s"} 1"#,
            r#"mcp_requests_total{service="s",tool="s.t"} 1"#,
        ],
    );
}

/// Acceptance: 202, 203
#[test]
fn requests_are_counted_by_route_template_and_timed() {
    check(
        |metrics| metrics.request_ended("GET", "/api/approvals/{id}", 404, TOOK),
        &[
            r#"waygate_requests_total{endpoint="/api/approvals/{id}",method="GET",status="404"} 1"#,
            r#"waygate_request_duration_seconds_count{endpoint="/api/approvals/{id}",method="GET"} 1"#,
        ],
    );
    check(
        |metrics| metrics.request_ended("BREW", "unknown", 405, TOOK),
        &[r#"waygate_requests_total{endpoint="unknown",method="unknown",status="405"} 1"#],
    );
}

/// Acceptance: 204
#[test]
fn active_connections_fall_back_to_zero() {
    let metrics = Metrics::new("1");
    let active = metrics.active();
    assert!(metrics.render().contains("waygate_active_connections 1"));
    drop(active);
    assert!(metrics.render().contains("waygate_active_connections 0"));
}

/// Acceptance: 205, 206
#[test]
fn commands_store_and_servers_have_series() {
    check(
        |metrics| {
            metrics.command_ended("cmdb", "cmdb.local.list", "success", TOOK);
            metrics.pool(PoolSize {
                open: 3,
                idle: 2,
                max: 25,
            });
            metrics.query_ended("write", TOOK);
            metrics.server_up("github", false);
        },
        &[
            r#"waygate_plugin_execution_seconds_count{command="cmdb.local.list",plugin="cmdb"} 1"#,
            r#"waygate_commands_total{action="cmdb.local.list",status="success"} 1"#,
            r#"waygate_db_pool_connections{state="open"} 3"#,
            r#"waygate_db_pool_connections{state="max"} 25"#,
            r#"waygate_db_query_duration_seconds_count{operation="write"} 1"#,
            r#"waygate_mcp_server_up{server="github"} 0"#,
            r#"waygate_build_info{version="1.2.3"} 1"#,
        ],
    );
}

#[test]
fn the_number_of_series_is_bounded() {
    let metrics = Metrics::new("1");
    for number in 0..MAX_TOOLS + 10 {
        metrics.call_ended("s", &format!("s.t{number}"), TOOK, None::<ErrorType>);
    }
    let text = metrics.render();
    let series = text
        .lines()
        .filter(|line| line.starts_with("mcp_requests_total{"))
        .count();
    assert_eq!(series, MAX_TOOLS + 1);
    assert!(text.contains(r#"mcp_requests_total{service="s",tool="unknown"} 10"#));
}

#[test]
fn process_metrics_are_there() {
    assert!(
        Metrics::new("1")
            .render()
            .contains("process_resident_memory_bytes")
    );
}
