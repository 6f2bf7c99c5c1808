//! chasqui-trainer
