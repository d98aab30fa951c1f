//! A session with a running server: register, log in, schedule a workflow, wait for its
//! result.
//!
//! `cargo run -p examples --example http_client -- http://127.0.0.1:8080`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

fn main() -> Result<(), Box<dyn Error>> {
    let server = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8080".to_owned());
    // The agent keeps the token that logging in sets as a cookie.
    let agent = Agent::new_with_config(
        Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build(),
    );
    let post = |path: &str, fields: &[(&str, &str)]| -> Result<(u16, Value), Box<dyn Error>> {
        let fields = fields.iter().copied();
        let mut answer = agent.post(format!("{server}/api/{path}")).send_form(fields)?;
        Ok((answer.status().as_u16(), answer.body_mut().read_json()?))
    };

    let (email, password) = ("researcher@example.org", "correct horse");
    let fields = [("email", email), ("username", "Researcher"), ("password", password)];
    let (status, answer) = post("users/register", &fields)?;
    println!("register: {status} {answer}"); // 403 when the example was run before
    let (status, answer) = post("users/login", &[("email", email), ("password", password)])?;
    println!("login: {status} as {}", answer["username"]);

    let workflow = include_str!("workflows/arithmetic.json");
    let (status, answer) = post("workflow/schedule", &[("workflow", workflow)])?;
    println!("schedule: {status} {answer}");
    let Some(job) = answer["job_id"].as_i64() else {
        return Err(format!("the workflow was refused: {answer}").into());
    };

    let details = loop {
        let (_, details) = post("workflow/jobs", &[("jobId", &job.to_string())])?;
        if details["status"] != "RUNNING" {
            break details;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    println!("job {job}: {}", details["status"]);
    for block in details["executionStatus"].as_array().into_iter().flatten() {
        println!("block {} ({}): {}", block["id"], block["type"], block["output"]["value"]);
    }
    Ok(())
}
