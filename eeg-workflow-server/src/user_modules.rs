//! Jobs find their blocks among the modules that their owner may use.

use std::sync::Arc;

use eeg_workflow_core::job::{ModuleUse, Modules};
use eeg_workflow_core::module::ModuleLibrary;
use eeg_workflow_core::workflow::{InvalidWorkflow, Plan, Workflow};

/// The library, as the job service asks it.
pub(crate) struct UserModules(pub(crate) Arc<ModuleLibrary>);

impl Modules for UserModules {
    fn plan(
        &self,
        owner: i64,
        workflow: &Workflow,
    ) -> Result<(Plan, Vec<ModuleUse>), InvalidWorkflow> {
        let view = self.0.view(owner);
        let plan = workflow.plan(&view)?;
        // Built-in modules come with the program: they have no digest.
        let uses = plan.modules().iter().filter_map(|name| {
            let digest = view.module(name)?.digest.as_deref()?.to_owned();
            Some(ModuleUse { module: name.clone(), digest })
        });
        let uses = uses.collect();
        Ok((plan, uses))
    }
}
