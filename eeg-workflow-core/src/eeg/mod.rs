//! EEG recordings and what is done with them: knows nothing of blocks or workflows.
