//! chasqui-drift
