//! Where the plans of jobs come from.

use serde::{Deserialize, Serialize};

use crate::block::OwnerId;
use crate::module::{ModuleLibrary, ModuleRegistry, ModuleVersion};
use crate::workflow::{InvalidWorkflow, Plan, Workflow};

/// Who turns the workflow of a user into a plan: a registry that is the same for all, or a
/// library that knows whose modules are whose.
pub trait PlanSource: Send + Sync + 'static {
    /// The plan, and the modules of archives whose blocks it runs, inner ones too.
    ///
    /// # Errors
    /// Everything that is wrong with the workflow.
    fn plan(
        &self,
        owner: OwnerId,
        workflow: &Workflow,
    ) -> Result<(Plan, Vec<ModuleUse>), InvalidWorkflow>;
}

/// An archive whose blocks a job uses, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleUse {
    /// The module's full name, `Archive.zip:Module`.
    pub module: String,
    /// The archive's SHA-256, in hexadecimal.
    pub digest: String,
}

impl PlanSource for ModuleRegistry {
    fn plan(
        &self,
        _: OwnerId,
        workflow: &Workflow,
    ) -> Result<(Plan, Vec<ModuleUse>), InvalidWorkflow> {
        Ok((workflow.plan(self)?, Vec::new()))
    }
}

/// With the modules that the owner may use: the built-in ones, their own, and public ones.
impl PlanSource for ModuleLibrary {
    fn plan(
        &self,
        owner: OwnerId,
        workflow: &Workflow,
    ) -> Result<(Plan, Vec<ModuleUse>), InvalidWorkflow> {
        let view = self.view(owner);
        let plan = workflow.plan(&view)?;
        let used = view.versions(plan.modules().iter().map(String::as_str)).into_iter();
        let used = used.map(|ModuleVersion { module, digest }| ModuleUse { module, digest });
        let used = used.collect();
        Ok((plan, used))
    }
}
